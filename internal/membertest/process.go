package membertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// Patience bounds what a test waits for.
const Patience = 2 * time.Minute

// Within is a context that ends with the test, or when it waits for too long.
func Within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// Process is a process that is a member again and again. Its methods are called by one goroutine at a time.
type Process struct {
	// Provider and Request are what it joins by. The id of the request's member is not used. One that has a session from
	// elsewhere needs neither, and must not be removed.
	Provider driver.Provider
	Request  driver.Request
	// ID and Session are those of its life.
	ID      driver.MemberID
	Session driver.Session
	// Seen is the last view that it saw.
	Seen driver.View
	// Removals counts how often it was removed.
	Removals int
}

// Request is one to join the cluster "test", without logs.
func Request(id driver.MemberID, address string) driver.Request {
	return driver.Request{
		Cluster: "test", BindHost: "127.0.0.1", Logger: slog.New(slog.DiscardHandler), Member: driver.Member{
			ID: id, Address: address, Kinds: []driver.Kind{{Name: "Ponger", Guarantee: driver.Leased}},
			Versions: driver.Versions{Min: 1, Max: 1},
		},
	}
}

// Join begins a process, which joins at once. It crashes when the test ends.
func Join(t testing.TB, p driver.Provider, r driver.Request) *Process {
	t.Helper()
	process := &Process{Provider: p, Request: r}
	if err := process.Join(Within(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Crash(t) })
	return process
}

var lives atomic.Int64

// Join begins a life.
func (p *Process) Join(ctx context.Context) error {
	r := p.Request
	r.Member.ID = driver.MemberID(fmt.Sprintf("LIFE%d", lives.Add(1)))
	session, err := p.Provider.Join(ctx, r)
	if err == nil {
		p.ID, p.Session, p.Seen = r.Member.ID, session, driver.View{}
	}
	return err
}

// Crash ends a process as its death does: nobody is told.
func (p *Process) Crash(t testing.TB) {
	t.Helper()
	if err := p.Session.Close(); err != nil {
		t.Error(err)
	}
}

// Until watches until a view is as wanted, and joins again as often as it is removed.
func (p *Process) Until(t testing.TB, what string, want func(driver.View) bool) driver.View {
	t.Helper()
	ctx, trouble := Within(t), "" // the last passing error
	for {
		view, err := p.Session.Watch(ctx, p.Seen.Epoch)
		switch {
		case err == nil:
			if p.Seen = view; want(view) {
				return view
			}
		case errors.Is(err, driver.ErrRemoved):
			if p.Removals++; p.Session.Lease().Valid() {
				t.Errorf("%s was removed with a valid lease", p.ID)
			}
			if p.Provider == nil {
				t.Fatalf("%s was removed while it waits for %s", p.ID, what)
			}
			p.Crash(t)
			for err := p.Join(ctx); err != nil; err = p.Join(ctx) {
				if ctx.Err() != nil {
					t.Fatalf("%s does not join again while it waits for %s: %v", p.Request.Member.Address, what, err)
				}
			}
		case ctx.Err() != nil:
			t.Fatalf("%s waits for %s: %v; it saw view %v last", p.ID, what, err, p.Seen)
		case err.Error() != trouble:
			trouble = err.Error()
			t.Logf("%s: %s", p.ID, trouble)
		}
	}
}

// Holds waits until the view is of these members, which it may be already.
func (p *Process) Holds(t testing.TB, members ...*Process) driver.View {
	t.Helper()
	as := func(v driver.View) bool {
		for _, m := range members {
			if _, in := v.Member(m.ID); !in {
				return false
			}
		}
		return len(v.Members) == len(members)
	}
	if as(p.Seen) {
		p.Seen = driver.View{} // it asks for the view as it is now
	}
	return p.Until(t, fmt.Sprintf("a view of %d", len(members)), as)
}

// Together waits until each of the members holds all of them.
func Together(t testing.TB, members ...*Process) {
	t.Helper()
	for _, m := range members {
		m.Holds(t, members...)
	}
}

// Again waits until each process was removed, has joined again, and sees all others.
func Again(t testing.TB, members ...*Process) {
	t.Helper()
	for _, m := range members {
		m.Until(t, "a new life", func(driver.View) bool { return m.Removals > 0 })
	}
	Together(t, members...)
}

// Doubted waits until no member takes its lease for valid.
func Doubted(t testing.TB, members ...*Process) {
	t.Helper()
	for ctx, i := Within(t), 0; i < len(members); {
		lease := members[i].Session.Lease()
		if !lease.Valid() {
			i++
		} else if _, err := lease.Watch(ctx, lease.Phase()); err != nil {
			t.Fatalf("the lease of %s stays valid: %v", members[i].ID, err)
		}
	}
}

// Fenced waits until the leases of all members have ended.
func Fenced(t testing.TB, members ...*Process) {
	t.Helper()
	ctx := Within(t)
	for _, m := range members {
		for phase := driver.LeaseValid; phase != driver.LeaseFenced; {
			var err error
			if phase, err = m.Session.Lease().Watch(ctx, phase); err != nil {
				t.Fatalf("the lease of %s does not end: %v", m.ID, err)
			}
		}
	}
}
