package directory

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	machine "github.com/granary-go/granary/internal/directory"
	pb "github.com/granary-go/granary/wire/directorypb"
)

const (
	// placeWait bounds one request to a host. Another may be asked after that:
	// the store decides who gets the identity.
	placeWait = 2 * time.Second
	// verifyWait bounds the question to the only one who can answer it.
	verifyWait = 5 * time.Second
	firstWait  = 5 * time.Millisecond
	lastWait   = 250 * time.Millisecond
)

// question is what resolves have in common that share an answer.
type question struct {
	identity driver.Identity
	suspect  driver.Fence
}

// headerKey is where the search for an answer finds the header of its questions.
type headerKey struct{}

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
// done. An activation that did not answer is given as suspect, so that its host
// is asked before it is named again; zero if there is none.
func (l *Lookup) Resolve(ctx context.Context, id driver.Identity, hint driver.MemberID, suspect driver.Fence) (Activation, error) {
	q := question{id, suspect}
	f, err := l.join(ctx, q, hint)
	if err != nil {
		return Activation{}, err
	}
	select {
	case <-f.done:
		return f.found, f.err
	case <-ctx.Done():
		return l.abandon(q, f, ctx.Err())
	}
}

func (l *Lookup) join(asker context.Context, q question, hint driver.MemberID) (*flight, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.flights[q]; f != nil {
		f.askers++
		return f, nil
	}
	if l.closed {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithCancel(l.ctx)
	if l.cfg.Header != nil {
		ctx = context.WithValue(ctx, headerKey{}, l.cfg.Header(asker))
	}
	f := &flight{askers: 1, cancel: cancel, done: make(chan struct{})}
	l.flights[q] = f
	l.wg.Go(func() {
		defer cancel()
		found, err := l.search(ctx, f, q, hint)
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
	return Activation{}, fmt.Errorf("directory: neither the store nor a member has answered yet: %w", cause)
}

// search tries until it has found the activation. What stands in the way is kept
// in the flight for those who give up.
func (l *Lookup) search(ctx context.Context, f *flight, q question, hint driver.MemberID) (Activation, error) {
	avoid := make(map[driver.MemberID]bool)
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		st := l.state.Load()
		e, err := l.try(ctx, st, q, hint, avoid)
		if err == nil {
			if m, in := l.state.Load().view.Member(e.Member); in {
				return Activation{Member: m, Fence: e.Token}, nil
			}
			err = fmt.Errorf("%w: views are changing", ErrNotYet)
		}
		if ctx.Err() != nil {
			return Activation{}, ErrClosed
		}
		l.mu.Lock()
		f.err = err
		l.mu.Unlock()
		l.pause(ctx, st, wait)
	}
}

// try reads the entry, and has the identity placed if there is none that counts.
func (l *Lookup) try(
	ctx context.Context, st *viewState, q question, hint driver.MemberID, avoid map[driver.MemberID]bool,
) (driver.Entry, error) {
	if st.view.Epoch == 0 {
		return driver.Entry{}, ErrNoView
	}
	e, err := l.read(ctx, q.identity)
	if err != nil {
		return e, fmt.Errorf("%w: %w", ErrStore, err)
	}
	switch machine.Judge(st.view, e, 0) {
	case machine.Live:
		if e.Token != q.suspect {
			return e, nil
		}
		host, _ := st.view.Member(e.Member)
		return l.place(ctx, st, host, q.identity, e.Token, verifyWait, avoid) // it claims over its own, if it does not have it
	case machine.Unknown:
		l.cfg.Refresh(e.Epoch)
		e.Token = driver.Fence{} // a member can tell, and claims over it if it is void
	}
	host, ok := l.choice.choose(st.view, q.identity, hint, avoid)
	if !ok {
		return e, ErrNoHost
	}
	return l.place(ctx, st, host, q.identity, e.Token, placeWait, avoid)
}

// place asks a member for an activation. One that does not take it, or does not
// answer, is avoided the next time.
func (l *Lookup) place(
	ctx context.Context, st *viewState, host driver.Member, id driver.Identity, over driver.Fence,
	wait time.Duration, avoid map[driver.MemberID]bool,
) (driver.Entry, error) {
	var question any = &pb.Place{Kind: id.Kind, Name: id.Name, Over: wireToken(over), Epoch: st.view.Epoch}
	if header, _ := ctx.Value(headerKey{}).(actor.MessageHeader); len(header) > 0 {
		question = &actor.MessageEnvelope{Header: header, Message: question}
	}
	future := l.cfg.System.Root.RequestFuture(pidOf(host), question, wait)
	result, err := future.ResultContext(ctx)
	if err != nil {
		future.Cancel()
	}
	placed, ok := result.(*pb.Placed)
	if !ok {
		avoid[host.ID] = true
		if err == nil {
			err = fmt.Errorf("it answered with %T", result)
		}
		return driver.Entry{}, fmt.Errorf("%w %s: %w", ErrNoAnswer, host.Address, err)
	}
	switch machine.Outcome(placed.Outcome) {
	case machine.Found:
		if e := entry(id, placed.Entry); !e.IsZero() {
			l.seen(e)
			return e, nil
		}
		return driver.Entry{}, fmt.Errorf("%w: %s named no entry", ErrNotYet, host.Address)
	case machine.Refused:
		avoid[host.ID] = true
	case machine.NoStore:
		return driver.Entry{}, fmt.Errorf("%w, says %s: %s", ErrStore, host.Address, placed.Why)
	}
	return driver.Entry{}, fmt.Errorf("%w, says %s: %s", ErrNotYet, host.Address, placed.Why)
}

// seen looks for the view of an entry that is newer than this process's.
func (l *Lookup) seen(e driver.Entry) {
	if machine.Judge(l.View(), e, 0) == machine.Unknown {
		l.cfg.Refresh(e.Epoch)
	}
}

// pause waits for a newer view than the one acted on, or for a while.
func (l *Lookup) pause(ctx context.Context, st *viewState, wait time.Duration) {
	timer := time.NewTimer(wait/2 + rand.N(wait/2))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-st.next:
	case <-ctx.Done():
	}
}
