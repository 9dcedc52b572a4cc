package directory

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup"
	pb "github.com/granary-go/granary/cluster/internal/lookup/directorypb"
	machine "github.com/granary-go/granary/internal/directory"
	"github.com/granary-go/granary/internal/placement"
)

func grain(name string) driver.Identity { return driver.Identity{Kind: "k", Name: name} }

// Calls for one identity share one flight; a member that asks as well finds the
// same activation.
func TestJoined(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a", "b")
	f.resolve(f.client, grain("first"), driver.Fence{}) // the era is open
	f.store.Slow(50 * time.Millisecond)
	before, _ := f.store.Calls()
	var wg sync.WaitGroup
	var found sync.Map
	for range 200 {
		wg.Go(func() { found.Store(f.resolve(f.client, grain("alice"), driver.Fence{}).Fence, true) })
	}
	wg.Wait()
	after, _ := f.store.Calls()
	kinds := 0
	found.Range(func(any, any) bool { kinds++; return true })
	if kinds != 1 || f.resolve(f.seat("a"), grain("alice"), driver.Fence{}).Fence != f.entry(grain("alice")).Token {
		t.Errorf("%d activations were named; want the one of the entry", kinds)
	}
	if after-before > 20 {
		t.Errorf("%d operations for 200 callers of one grain; want 2, and reads of the era", after-before)
	}
}

// A suspect that runs is named again; one that its host does not have is replaced.
func TestSuspect(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a", "b")
	first := f.resolve(f.client, grain("alice"), driver.Fence{})
	if again := f.resolve(f.client, grain("alice"), first.Fence); again.Fence != first.Fence {
		t.Errorf("a suspect that runs is followed by %v; want %v", again.Fence, first.Fence)
	}
	// An entry that nobody has an activation of, as a claim leaves it whose answer was lost.
	lost := f.entry(grain("alice"))
	lost.Identity.Name = "bob"
	store, err := f.store.OpenEntries(t.Context(), "fleet")
	if err != nil {
		t.Fatal(err)
	}
	if lost, err = store.Claim(t.Context(), lost, driver.Fence{}); err != nil {
		t.Fatal(err)
	}
	if named := f.resolve(f.client, grain("bob"), driver.Fence{}); named.Fence != lost.Token {
		t.Errorf("the entry names %v; the lookup %v", lost.Token, named.Fence)
	}
	next := f.resolve(f.client, grain("bob"), lost.Token)
	if next.Fence.Compare(lost.Token) <= 0 || next.Member.ID != lost.Member {
		t.Errorf("the suspect %v on %s is followed by %v on %s", lost.Token, lost.Member, next.Fence, next.Member.ID)
	}
}

// An entry that is newer than the asker's view is not void: the view is asked for.
func TestViewBehind(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a")
	f.resolve(f.client, grain("first"), driver.Fence{})
	f.seats = append(f.seats, f.sit("b", nil))
	view := f.next("a", "b")
	f.seat("a").SetView(view)
	f.seat("b").SetView(view)
	var id driver.Identity
	f.until("b hosts something", func() bool {
		id = grain(time.Now().String())
		return f.resolve(f.seat("b"), id, driver.Fence{}).Member.ID == "b"
	})
	entry := f.entry(id)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if found, err := f.client.Resolve(ctx, id, "", driver.Fence{}); !errors.Is(err, lookup.ErrNotYet) {
		t.Errorf("a client that does not know the member: %+v, %v; want lookup.ErrNotYet", found, err)
	}
	if epoch := <-f.client.asked; epoch != view.Epoch {
		t.Errorf("it asked for view %d; want %d", epoch, view.Epoch)
	}
	if f.entry(id) != entry {
		t.Errorf("the entry was %+v, and is %+v", entry, f.entry(id))
	}
	f.client.SetView(view)
	if found := f.resolve(f.client, id, driver.Fence{}); found.Fence != entry.Token {
		t.Errorf("found %v; want %v", found.Fence, entry.Token)
	}
}

// The entry of what has stopped is released; the next activation has a higher
// token.
func TestStops(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a")
	first := f.resolve(f.client, grain("alice"), driver.Fence{})
	f.seat("a").StopBegun(grain("alice"), first.Fence)
	f.seat("a").stage.stop(grain("alice"))
	f.until("the entry is released", func() bool { return f.entry(grain("alice")).IsZero() })
	if next := f.resolve(f.client, grain("alice"), driver.Fence{}); next.Fence.Compare(first.Fence) <= 0 {
		t.Errorf("%v comes after %v", next.Fence, first.Fence)
	}
}

// A member that leaves starts nothing once it has settled, and others are chosen.
func TestLeaving(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a", "b")
	f.resolve(f.client, grain("first"), driver.Fence{})
	f.seat("a").member.State = driver.Leaving
	leaving := f.next("a", "b")
	f.seat("a").SetView(leaving)
	if err := f.seat("a").Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := f.seat("a").stage.active()
	for i := range 20 { // by a client that does not know of it yet
		if found := f.resolve(f.client, grain(string(rune('A'+i))), driver.Fence{}); found.Member.ID != "b" {
			t.Errorf("placed on %s", found.Member.ID)
		}
	}
	if f.seat("a").stage.active() != before {
		t.Error("a member that had settled started something")
	}
}

// lease is one that the test sets.
type lease struct{ phase atomic.Uint32 }

func (l *lease) Valid() bool              { return l.Phase() != driver.LeaseFenced }
func (l *lease) Phase() driver.LeasePhase { return driver.LeasePhase(l.phase.Load()) }
func (l *lease) set(p driver.LeasePhase)  { l.phase.Store(uint32(p)) }
func (l *lease) Watch(ctx context.Context, _ driver.LeasePhase) (driver.LeasePhase, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// afterClaim does something when an identity has been claimed, before anybody
// hears of it.
type afterClaim struct {
	driver.EntryStore

	of driver.Identity
	do func()
}

func (s afterClaim) Claim(ctx context.Context, e driver.Entry, over driver.Fence) (driver.Entry, error) {
	claimed, err := s.EntryStore.Claim(ctx, e, over)
	if e.Identity == s.of {
		s.do()
	}
	return claimed, err
}

// What was claimed is not started after the lease has ended, and its entry is
// released; what runs stops.
func TestLeaseEnds(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	held := new(lease)
	alice, bob := driver.Identity{Kind: "leased", Name: "alice"}, driver.Identity{Kind: "leased", Name: "bob"}
	f.seats = append(f.seats, f.sit("a", func(c *Config) {
		c.Lease = held
		c.Store = afterClaim{c.Store, bob, func() { held.set(driver.LeaseFenced) }}
	}))
	f.show("a")
	f.resolve(f.client, alice, driver.Fence{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if found, err := f.client.Resolve(ctx, bob, "", driver.Fence{}); !errors.Is(err, lookup.ErrNotYet) || !strings.Contains(err.Error(), "lease") {
		t.Errorf("bob: %+v, %v; want lookup.ErrNotYet, because of the lease", found, err)
	}
	f.until("both entries are released", func() bool { return f.entry(alice).IsZero() && f.entry(bob).IsZero() })
	if n := f.seat("a").stage.active(); n != 1 {
		t.Errorf("%d were started; want alice alone", n)
	}
}

// What strategies do wrong is told once, and round robin decides.
func TestStrategies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		strategies map[string]placement.Pick
		told       string
		only       driver.MemberID
	}{
		"last":    {map[string]placement.Pick{"odd": func(_ driver.Identity, m []driver.Member, _ uint64, _ driver.MemberID) int { return len(m) - 1 }}, "", "b"},
		"unknown": {nil, "does not know it", ""},
		"panics":  {map[string]placement.Pick{"odd": func(driver.Identity, []driver.Member, uint64, driver.MemberID) int { panic("odd") }}, "it panicked: odd", ""},
		"out":     {map[string]placement.Pick{"odd": func(driver.Identity, []driver.Member, uint64, driver.MemberID) int { return 7 }}, "none of those", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, "a", "b")
			f.ready()
			client := f.sit("", func(cfg *Config) { cfg.Strategies = c.strategies })
			client.SetView(f.view)
			on := make(map[driver.MemberID]int)
			for i := range 10 {
				on[f.resolve(client, driver.Identity{Kind: "odd", Name: string(rune('A' + i))}, driver.Fence{}).Member.ID]++
			}
			if c.only != "" && on[c.only] != 10 || c.only == "" && len(on) != 2 {
				t.Errorf("placed %v; want all on %q, or some on both", on, c.only)
			}
			if told := client.log.count(c.told); c.told != "" && told != 1 {
				t.Errorf("%q was told %d times; want once", c.told, told)
			}
		})
	}
}

func TestErrorsSayWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a")
	blind := f.sit("", nil)
	down := errors.New("store at 10.0.0.1:6379: refused")
	for _, c := range []struct {
		name string
		from *seat
		id   driver.Identity
		down error
		want error
		text string
	}{
		{"no view", blind, grain("x"), nil, lookup.ErrNoView, ""},
		{"no host", f.client, driver.Identity{Kind: "none", Name: "x"}, nil, lookup.ErrNoHost, ""},
		{"no store", f.client, grain("x"), down, ErrStore, "10.0.0.1:6379: refused"},
	} {
		f.store.Down(c.down)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err := c.from.Resolve(ctx, c.id, "", driver.Fence{})
		cancel()
		if !errors.Is(err, c.want) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v; want %v, and the context's error", c.name, err, c.want)
		}
	}
	f.store.Down(nil)
	if _, err := New(Config{}); err == nil {
		t.Error("a lookup without a store was made")
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a")
	f.resolve(f.client, grain("alice"), driver.Fence{})
	f.store.Down(errors.New("down"))
	ended := make(chan error, 1)
	go func() { // ends with Close
		_, err := f.client.Resolve(context.Background(), grain("bob"), "", driver.Fence{})
		ended <- err
	}()
	f.until("a flight is under way", func() bool {
		f.client.mu.Lock()
		defer f.client.mu.Unlock()
		return f.client.flights.Under() == 1
	})
	for range 2 {
		if err := f.client.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := <-ended; !errors.Is(err, lookup.ErrClosed) {
		t.Errorf("a resolve under way ended with %v; want lookup.ErrClosed", err)
	}
	if _, err := f.client.Resolve(t.Context(), grain("bob"), "", driver.Fence{}); !errors.Is(err, lookup.ErrClosed) {
		t.Errorf("a resolve afterwards: %v; want lookup.ErrClosed", err)
	}
	f.seat("a").StopBegun(grain("alice"), driver.Fence{}) // does nothing
	f.seat("a").SetView(f.next("a"))
}

// A member whose actor has ended says so, once.
func TestActorEnds(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	go func() { _, _ = f.client.Resolve(ctx, grain("panics"), "", driver.Fence{}) }() // ends with the test
	select {
	case err := <-f.seat("a").failed:
		if !errors.Is(err, lookup.ErrFailed) || !strings.Contains(err.Error(), "no room on the stage") {
			t.Errorf("told %v; want lookup.ErrFailed with the panic", err)
		}
	case <-ctx.Done():
		t.Fatal("nobody was told")
	}
}

// A greeting counts only if it comes from where its member is.
func TestForgedGreeting(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a")
	f.resolve(f.client, grain("first"), driver.Fence{})
	f.client.cfg.System.Root.RequestFuture(pidOf(f.seat("a").member), &pb.GreetingSeen{From: "a", Epoch: 99}, time.Second)
	f.until("the forgery is told of", func() bool { return f.seat("a").log.count("greeting refused") == 1 })
}

func TestExplain(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "a", "b")
	found := f.resolve(f.client, grain("alice"), driver.Fence{})
	x, err := f.client.Explain(t.Context(), grain("alice"))
	if err != nil || x.Entry == nil || x.Entry.Member != found.Member.ID || x.Entry.Verdict != "live" || x.Host != "running" || x.HostToken != found.Fence.String() {
		t.Errorf("%+v %+v, %v", x, x.Entry, err)
	}
	other := driver.MemberID("a")
	if found.Member.ID == "a" {
		other = "b"
	}
	view := f.next(other)
	f.client.SetView(view) // alone: nobody removes the entry
	if x, err := f.client.Explain(t.Context(), grain("alice")); err != nil || x.Entry == nil || x.Entry.Verdict != "void" {
		t.Errorf("of a member that is gone: %+v %+v, %v", x, x.Entry, err)
	}
}

func TestConvert(t *testing.T) {
	t.Parallel()
	e := driver.Entry{
		Identity: grain("x"), Member: "m", Address: "a:1", Epoch: 1 << 63, Era: driver.EraID{Number: 1 << 62, Founder: "f-1"}, Token: driver.Fence{Term: 3, Seq: 4},
	}
	if got := entry(e.Identity, wireEntry(e)); got != e {
		t.Errorf("got %+v; want %+v", got, e)
	}
	if got := entry(e.Identity, wireEntry(driver.Entry{})); !got.IsZero() || machine.Judge(driver.View{}, got, 0) != machine.Absent {
		t.Errorf("got %+v; want none", got)
	}
}
