package partition

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup"
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

// silent is what those are told whose owner has not said anything.
const silent = "the owner of the identity has not answered yet; it may wait for a member that does not answer to leave the view"

// errNotYet is told when the owner of the slot could not say, or no host takes a new activation.
var errNotYet = fmt.Errorf("%w: views are changing, "+
	"or every member that hosts the kind is leaving or could not renew its lease with the membership provider", lookup.ErrNotYet)

// Resolve waits until it can say where an identity is activated, or ctx is
// done. An activation that did not answer is given as suspect, so that the
// owner asks its host before it names it again; zero if there is none.
func (l *Lookup) Resolve(ctx context.Context, id driver.Identity, hint driver.MemberID, suspect driver.Fence) (lookup.Activation, error) {
	q, header := lookup.Question{Identity: id, Suspect: suspect}, l.cfg.HeaderOf(ctx)
	return l.flights.Resolve(ctx, q, func(ctx context.Context, f *lookup.Flight) (lookup.Activation, error) {
		return l.ask(ctx, f, q, hint, header)
	})
}

// ask puts the question to the owner until it is answered. What stands in the
// way is kept in the flight for those who give up.
func (l *Lookup) ask(ctx context.Context, f *lookup.Flight, q lookup.Question, hint driver.MemberID, header actor.MessageHeader) (lookup.Activation, error) {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		st := l.state.Load()
		answer, err := l.askOwner(ctx, st, q, hint, header)
		if err == nil && answer.Outcome == placement.Found {
			if m, in := l.state.Load().view.Member(answer.Host); in {
				return lookup.Activation{Member: m, Fence: answer.Fence}, nil
			}
		}
		if ctx.Err() != nil {
			return lookup.Activation{}, lookup.ErrClosed
		}
		l.note(f, st, answer, err)
		l.pause(ctx, st, answer, wait)
	}
}

// askOwner asks the owner once, and gives up early when the view changes
// meanwhile in a way that gives the slot another owner.
func (l *Lookup) askOwner(
	ctx context.Context, st *viewState, q lookup.Question, hint driver.MemberID, header actor.MessageHeader,
) (*resolveAnswer, error) {
	if st.table == nil {
		return nil, lookup.ErrNoView
	}
	slot := placement.SlotOf(q.Identity)
	owner, ok := st.table.Owner(slot)
	if !ok {
		return nil, lookup.ErrNoHost
	}
	future := l.cfg.System.Root.RequestFuture(pidOf(owner, OwnerName), withHeader(header, &resolveRequest{
		Epoch: st.view.Epoch, Identity: q.Identity, Hint: hint, Suspect: q.Suspect,
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
			return nil, fmt.Errorf("%w: %w", lookup.ErrNoAnswer, err)
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
func (l *Lookup) note(f *lookup.Flight, st *viewState, answer *resolveAnswer, err error) {
	if answer != nil {
		if answer.Epoch > st.view.Epoch {
			l.cfg.Refresh(answer.Epoch)
		}
		switch answer.Outcome {
		case placement.NoHost:
			err = lookup.ErrNoHost
		case placement.NotOwner, placement.Wait, placement.Found:
			err = errNotYet
		}
	}
	f.Hindered(err)
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
