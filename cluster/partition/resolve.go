package partition

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

const (
	// ownerWait bounds one question to an owner. An owner that is acquiring
	// the slot answers when it has; a question is repeated sooner when the
	// view changes or the connection breaks. The owner forgets it after twice
	// that: whoever asked has given up then.
	ownerWait = 5 * time.Second
	firstWait = 5 * time.Millisecond
	lastWait  = 250 * time.Millisecond
)

// question is what resolves have in common that share an answer.
type question struct {
	identity driver.Identity
	suspect  driver.Fence
}

// flight is a question under way. Its fields but done are guarded by
// Lookup.mu until done is closed, and constant from then on.
type flight struct {
	askers int
	cancel context.CancelFunc
	done   chan struct{}
	found  Activation
	err    error
}

// Resolve waits until it can say where an identity is activated, or ctx is
// done. An activation that did not answer is given as suspect, so that the
// owner asks its host before it names it again; zero if there is none.
func (l *Lookup) Resolve(ctx context.Context, id driver.Identity, hint driver.MemberID, suspect driver.Fence) (Activation, error) {
	var header actor.MessageHeader
	if l.cfg.Header != nil {
		header = l.cfg.Header(ctx)
	}
	f, err := l.join(question{id, suspect}, hint, header)
	if err != nil {
		return Activation{}, err
	}
	select {
	case <-f.done:
		return f.found, f.err
	case <-ctx.Done():
		return l.abandon(question{id, suspect}, f, ctx.Err())
	}
}

func (l *Lookup) join(q question, hint driver.MemberID, header actor.MessageHeader) (*flight, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.flights[q]; f != nil {
		f.askers++
		return f, nil
	}
	if l.ctx.Err() != nil {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithCancel(l.ctx)
	f := &flight{askers: 1, cancel: cancel, done: make(chan struct{})}
	l.flights[q] = f
	l.wg.Go(func() {
		defer cancel()
		found, err := l.ask(ctx, f, q, hint, header)
		l.mu.Lock()
		defer l.mu.Unlock()
		f.found, f.err = found, err
		if l.flights[q] == f {
			delete(l.flights, q)
		}
		close(f.done)
	})
	return f, nil
}

// abandon leaves a flight; the last one out ends it. The error says what the
// flight was waiting for.
func (l *Lookup) abandon(q question, f *flight, cause error) (Activation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-f.done:
		return f.found, f.err // it came in the same instant
	default:
	}
	if f.askers--; f.askers == 0 {
		f.cancel()
		if l.flights[q] == f {
			delete(l.flights, q)
		}
	}
	if f.err != nil {
		return Activation{}, fmt.Errorf("%w: %w", f.err, cause)
	}
	return Activation{}, fmt.Errorf("partition: the owner of the identity has not answered yet; it may wait for a member that does not answer to leave the view: %w", cause)
}

// ask puts the question to the owner until it is answered. What stands in the
// way is kept in the flight for those who give up.
func (l *Lookup) ask(ctx context.Context, f *flight, q question, hint driver.MemberID, header actor.MessageHeader) (Activation, error) {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		st := l.state.Load()
		answer, err := l.askOwner(ctx, st, q, hint, header)
		if err == nil && answer.Outcome == placement.Found {
			if m, in := l.state.Load().view.Member(answer.Host); in {
				return Activation{Member: m, Fence: answer.Fence}, nil
			}
		}
		if ctx.Err() != nil {
			return Activation{}, ErrClosed
		}
		l.note(f, st, answer, err)
		l.pause(ctx, st, answer, wait)
	}
}

// askOwner asks the owner once, and gives up early when the view changes
// meanwhile in a way that gives the slot another owner.
func (l *Lookup) askOwner(
	ctx context.Context, st *viewState, q question, hint driver.MemberID, header actor.MessageHeader,
) (*resolveAnswer, error) {
	if st.table == nil {
		return nil, ErrNoView
	}
	slot := placement.SlotOf(q.identity)
	owner, ok := st.table.Owner(slot)
	if !ok {
		return nil, ErrNoHost
	}
	future := l.cfg.System.Root.RequestFuture(pidOf(owner, OwnerName), withHeader(header, &resolveRequest{
		Epoch: st.view.Epoch, Identity: q.identity, Hint: hint, Suspect: q.suspect,
	}), ownerWait)
	for next := st.next; ; {
		select {
		case <-future.Done():
			result, err := future.Result()
			if answer, ok := result.(*resolveAnswer); ok {
				return answer, nil
			}
			if err == nil {
				err = fmt.Errorf("it answered with %T", result)
			}
			return nil, fmt.Errorf("%w: %w", ErrNoAnswer, err)
		case <-ctx.Done():
			future.Cancel()
			return nil, ctx.Err()
		case <-next:
			now := l.state.Load()
			if !now.table.OwnedBy(slot, owner.ID) {
				future.Cancel()
				return &resolveAnswer{Outcome: placement.NotOwner, Epoch: now.view.Epoch}, nil
			}
			next = now.next
		}
	}
}

// note keeps why the last try led nowhere.
func (l *Lookup) note(f *flight, st *viewState, answer *resolveAnswer, err error) {
	if answer != nil {
		if answer.Epoch > st.view.Epoch {
			l.cfg.Refresh(answer.Epoch)
		}
		switch answer.Outcome {
		case placement.NoHost:
			err = ErrNoHost
		case placement.NotOwner, placement.Wait, placement.Found:
			err = ErrNotYet
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f.err = err
}

// pause waits for a newer view than the one acted on, or for a while.
func (l *Lookup) pause(ctx context.Context, st *viewState, answer *resolveAnswer, wait time.Duration) {
	if answer != nil && answer.Outcome == placement.NotOwner && l.state.Load() != st {
		return
	}
	timer := time.NewTimer(wait/2 + rand.N(wait/2))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-st.next:
	case <-ctx.Done():
	}
}
