package partition

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup"
	"github.com/granary-go/granary/internal/placement"
)

// stage starts plain actors as activations and counts them.
type stage struct {
	system *actor.ActorSystem
	starts atomic.Int64
}

func (s *stage) Activate(driver.Identity, driver.Fence, actor.MessageHeader) *actor.PID {
	s.starts.Add(1)
	return s.system.Root.Spawn(actor.PropsFromFunc(func(actor.Context) {}))
}

func newLookup(t *testing.T) (*Lookup, *stage, driver.View) {
	t.Helper()
	return newLeasedLookup(t, nil)
}

func newLeasedLookup(t *testing.T, lease driver.Lease) (*Lookup, *stage, driver.View) {
	t.Helper()
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	s := &stage{system: system}
	l, err := New(Config{Config: lookup.Config{System: system, Self: "a", Activator: s, Lease: lease, Logger: system.Logger()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
		system.Shutdown()
	})
	return l, s, driver.View{Epoch: 5, Members: []driver.Member{
		{ID: "a", Address: system.Address(), Kinds: []driver.Kind{{Name: "k"}}},
	}}
}

func short(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestResolveWaitsForAView(t *testing.T) {
	l, _, view := newLookup(t)
	if _, err := l.Resolve(short(t), alice, "", driver.Fence{}); !errors.Is(err, lookup.ErrNoView) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a view: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := l.Resolve(t.Context(), alice, "", driver.Fence{})
		done <- err
	}()
	l.SetView(view)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestResolveSaysThatNobodyHostsTheKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, view := newLookup(t)
		l.SetView(view)
		_, err := l.Resolve(short(t), driver.Identity{Kind: "other", Name: "x"}, "", driver.Fence{})
		if !errors.Is(err, lookup.ErrNoHost) {
			t.Errorf("%v; want lookup.ErrNoHost", err)
		}
	})
}

func TestResolvesOfOneIdentityAreJoined(t *testing.T) {
	l, s, view := newLookup(t)
	l.SetView(view)
	var wg sync.WaitGroup
	found := make(chan lookup.Activation, 100)
	for range cap(found) {
		wg.Go(func() {
			a, err := l.Resolve(t.Context(), alice, "", driver.Fence{})
			if err != nil {
				t.Error(err)
			}
			found <- a
		})
	}
	wg.Wait()
	close(found)
	first := <-found
	for a := range found {
		if a.Fence != first.Fence {
			t.Errorf("two answers: %v and %v", a.Fence, first.Fence)
		}
	}
	if n := s.starts.Load(); n != 1 {
		t.Errorf("%d activations", n)
	}
	owners, err := l.SurveyOwner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := l.SurveyHost(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	entry := placement.Entry{Identity: alice, Fence: first.Fence}
	if _, hosted := hosts.Stopping[entry]; owners.Hosts[entry] != "a" || !hosted || len(owners.Hosts)+len(hosts.Stopping) != 2 {
		t.Errorf("owner %v, host %v; want %v in both", owners, hosts, entry)
	}
}

func TestViewsThatAreNotNewerAreIgnored(t *testing.T) {
	l, _, view := newLookup(t)
	l.SetView(view)
	older := view
	older.Epoch, older.Members = 4, nil
	l.SetView(older)
	l.SetView(view)
	if got := l.View(); got.Epoch != 5 || len(got.Members) != 1 {
		t.Errorf("view %+v", got)
	}
}

func TestCloseEndsResolves(t *testing.T) {
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	defer system.Shutdown()
	l, err := New(Config{Config: lookup.Config{System: system, Logger: system.Logger()}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := l.Resolve(t.Context(), alice, "", driver.Fence{})
		done <- err
	}()
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, lookup.ErrClosed) {
		t.Errorf("%v; want lookup.ErrClosed", err)
	}
}

// Placement messages are taken only from the address of the member they name.
func TestStrangersAreNotBelieved(t *testing.T) {
	l, s, view := newLookup(t)
	view.Members = append(view.Members, driver.Member{ID: "b", Address: "elsewhere:1"})
	l.SetView(view)
	root := l.cfg.System.Root
	spawn := &packet{From: "b", Message: &placement.Spawn{Identity: alice, Fence: driver.Fence{Term: 5, Seq: 1}}}
	root.Send(l.host, spawn)
	root.RequestWithCustomSender(l.host, spawn, root.Spawn(actor.PropsFromFunc(func(actor.Context) {})))
	if hosts, err := l.SurveyHost(t.Context()); err != nil || len(hosts.Stopping) != 0 || s.starts.Load() != 0 {
		t.Errorf("hosts %v, %v: a stranger's spawn was believed", hosts, err)
	}
}

// An owner whose question to a host is never answered forgets who asked: they
// ask again.
func TestAbandonedResolvesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, view := newLookup(t)
		view.Members[0].Kinds = nil
		view.Members = append(view.Members, driver.Member{ID: "b", Address: "elsewhere:1", Kinds: []driver.Kind{{Name: "k"}}})
		l.SetView(view)
		id := alice
		for i := 0; !l.state.Load().table.OwnedBy(placement.SlotOf(id), "a"); i++ {
			id.Name = string(rune('a' + i))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := l.Resolve(ctx, id, "", driver.Fence{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		time.Sleep(2*ownerWait + time.Second)
		if s, err := l.SurveyOwner(t.Context()); err != nil || s.Waiting != 0 {
			t.Errorf("%d askers wait, %v", s.Waiting, err)
		}
	})
}

// A stranger that speaks before the view that has the member it names is not
// believed either when that view comes.
func TestStrangersAreNotBelievedLater(t *testing.T) {
	l, s, view := newLookup(t)
	l.SetView(view)
	root := l.cfg.System.Root
	spawn := &packet{From: "b", Message: &placement.Spawn{Identity: alice, Fence: driver.Fence{Term: 6, Seq: 1}}}
	root.RequestWithCustomSender(l.host, spawn, root.Spawn(actor.PropsFromFunc(func(actor.Context) {})))
	view.Epoch, view.Previous = 6, 5
	view.Members = append(view.Members[:1:1], driver.Member{ID: "b", Address: "elsewhere:1"})
	l.SetView(view)
	if hosts, err := l.SurveyHost(t.Context()); err != nil || len(hosts.Stopping) != 0 || s.starts.Load() != 0 {
		t.Errorf("hosts %v, %v: a stranger's spawn was believed", hosts, err)
	}
}

// The audit counts what it finds.
func TestSurveyCountsViolations(t *testing.T) {
	l, _, view := newLookup(t)
	l.SetView(view)
	found, err := l.Resolve(t.Context(), alice, "", driver.Fence{})
	if err != nil {
		t.Fatal(err)
	}
	order := &packet{From: "a", Message: &placement.StopOrder{Identity: alice, Fence: found.Fence}}
	l.cfg.System.Root.RequestWithCustomSender(l.host, order, l.owner)
	if s, err := l.SurveyHost(t.Context()); err != nil || s.Violations != 1 {
		t.Errorf("%d violations, %v; want 1", s.Violations, err)
	}
}
