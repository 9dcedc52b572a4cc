package directory

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup"
	pb "github.com/granary-go/granary/cluster/internal/lookup/directorypb"
	machine "github.com/granary-go/granary/internal/directory"
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

// Resolve waits until it can say where an identity is activated, or ctx is
// done. An activation that did not answer is given as suspect, so that its host
// is asked before it is named again; zero if there is none.
func (l *Lookup) Resolve(ctx context.Context, id driver.Identity, hint driver.MemberID, suspect driver.Fence) (lookup.Activation, error) {
	q, header := lookup.Question{Identity: id, Suspect: suspect}, l.cfg.HeaderOf(ctx)
	return l.flights.Resolve(ctx, q, func(ctx context.Context, f *lookup.Flight) (lookup.Activation, error) {
		return l.search(context.WithValue(ctx, headerKey{}, header), f, q, hint)
	})
}

// headerKey is where the search for an answer finds the header of its questions.
type headerKey struct{}

// search tries until it has found the activation. What stands in the way is kept
// in the flight for those who give up.
func (l *Lookup) search(ctx context.Context, f *lookup.Flight, q lookup.Question, hint driver.MemberID) (lookup.Activation, error) {
	avoid := make(map[driver.MemberID]bool)
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		st := l.state.Load()
		e, err := l.try(ctx, st, q, hint, avoid)
		if err == nil {
			if m, in := l.state.Load().view.Member(e.Member); in {
				return lookup.Activation{Member: m, Fence: e.Token}, nil
			}
			err = fmt.Errorf("%w: views are changing", lookup.ErrNotYet)
		}
		if ctx.Err() != nil {
			return lookup.Activation{}, lookup.ErrClosed
		}
		f.Hindered(err)
		l.pause(ctx, st, wait)
	}
}

// try reads the entry, and has the identity placed if there is none that counts.
func (l *Lookup) try(
	ctx context.Context, st *viewState, q lookup.Question, hint driver.MemberID, avoid map[driver.MemberID]bool,
) (driver.Entry, error) {
	if st.view.Epoch == 0 {
		return driver.Entry{}, lookup.ErrNoView
	}
	e, err := l.read(ctx, q.Identity)
	if err != nil {
		return e, fmt.Errorf("%w: %w", ErrStore, err)
	}
	switch machine.Judge(st.view, e, 0) {
	case machine.Live:
		if e.Token != q.Suspect {
			return e, nil
		}
		host, _ := st.view.Member(e.Member)
		return l.place(ctx, st, host, q.Identity, e.Token, verifyWait, avoid) // it claims over its own, if it does not have it
	case machine.Unknown:
		l.cfg.Refresh(e.Epoch)
		e.Token = driver.Fence{} // a member can tell, and claims over it if it is void
	}
	host, ok := l.choice.choose(st.view, q.Identity, hint, avoid)
	if !ok {
		return e, lookup.ErrNoHost
	}
	return l.place(ctx, st, host, q.Identity, e.Token, placeWait, avoid)
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
		return driver.Entry{}, fmt.Errorf("%w, %s: %w", lookup.ErrNoAnswer, host.Address, err)
	}
	switch machine.Outcome(placed.Outcome) {
	case machine.Found:
		if e := entry(id, placed.Entry); !e.IsZero() {
			l.seen(e)
			return e, nil
		}
		return driver.Entry{}, fmt.Errorf("%w: %s named no entry", lookup.ErrNotYet, host.Address)
	case machine.Refused:
		avoid[host.ID] = true
	case machine.NoStore:
		return driver.Entry{}, fmt.Errorf("%w, says %s: %s", ErrStore, host.Address, placed.Why)
	}
	return driver.Entry{}, fmt.Errorf("%w, says %s: %s", lookup.ErrNotYet, host.Address, placed.Why)
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
