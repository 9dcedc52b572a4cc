package partition

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// unwatched is a lease of whose end nobody is told, as in a process that has been
// paused and whose first event is something else.
type unwatched struct{ over atomic.Bool }

func (l *unwatched) Valid() bool { return !l.over.Load() }

func (l *unwatched) Phase() driver.LeasePhase {
	if l.over.Load() {
		return driver.LeaseFenced
	}
	return driver.LeaseValid
}

func (l *unwatched) Watch(ctx context.Context, last driver.LeasePhase) (driver.LeasePhase, error) {
	<-ctx.Done()
	return last, ctx.Err()
}

// A host looks at its lease before it acts on anything (rule 11): a Spawn that
// waited while the process was paused starts nothing.
func TestHostLooksAtTheLeaseBeforeItActs(t *testing.T) {
	lease := new(unwatched)
	l, s, view := newLeasedLookup(t, lease)
	view.Members[0].Kinds = []driver.Kind{{Name: "k", Guarantee: driver.Leased}}
	l.SetView(view)
	from := l.cfg.System.Root.Spawn(actor.PropsFromFunc(func(actor.Context) {}))
	spawn := func(name string, seq uint64) {
		l.cfg.System.Root.RequestWithCustomSender(l.host, &packet{From: "a", Message: &placement.Spawn{
			Identity: driver.Identity{Kind: "k", Name: name}, Fence: driver.Fence{Term: 5, Seq: seq},
		}}, from)
		if err := l.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	spawn("before", 1)
	if n := s.starts.Load(); n != 1 {
		t.Fatalf("%d activations with a good lease; want 1", n)
	}
	lease.over.Store(true)
	spawn("after", 1<<20)
	if n := s.starts.Load(); n != 1 {
		t.Errorf("%d activations began after the lease had ended", n-1)
	}
}
