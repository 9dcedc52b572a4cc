package lookuptest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
)

const (
	// Kind is that of the grains, and Cluster the name of the fleet's cluster.
	Kind    = "Counter"
	Cluster = "shop"
)

// Fleet is several members of one cluster in this process. Its grains count what they are sent, and it is an error of the
// test where one begins beside another of the same identity.
type Fleet struct {
	// Lookup are options of the members and clients that are made after it was changed.
	Lookup []cluster.Option

	t        testing.TB
	stores   driver.EntryStores
	registry *clustertest.Registry
	starts   atomic.Int64

	mu      sync.Mutex // guards live and removed
	live    map[string]map[string]bool
	removed map[driver.MemberID]bool // these may go on until they learn it
}

// New makes a fleet without members, whose grains' places are kept in a store. It ends with the test.
func New(t testing.TB, stores driver.EntryStores) *Fleet {
	return &Fleet{
		t: t, registry: clustertest.NewRegistry(), stores: stores, Lookup: []cluster.Option{cluster.WithIdentityLookup(stores)},
		live: make(map[string]map[string]bool), removed: make(map[driver.MemberID]bool),
	}
}

type counter struct {
	fleet *Fleet
	sum   int64
}

func (a *counter) Receive(ctx actor.Context) {
	identity, activation, _ := strings.Cut(ctx.Self().Id, "@")
	switch m := ctx.Message().(type) {
	case *actor.Started:
		a.fleet.began(identity, activation)
	case *actor.Stopped:
		a.fleet.ended(identity, activation)
	case *wrapperspb.Int64Value:
		a.sum += m.Value
		ctx.Respond(wrapperspb.Int64(a.sum))
	}
}

func (f *Fleet) began(identity, activation string) {
	f.starts.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.live[identity] == nil {
		f.live[identity] = make(map[string]bool)
	}
	for other := range f.live[identity] {
		if member, _, _ := strings.Cut(other, ":"); !f.removed[driver.MemberID(member)] {
			f.t.Errorf("%s begins as %s beside %s", identity, activation, other)
		}
	}
	f.live[identity][activation] = true
}

func (f *Fleet) ended(identity, activation string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.live[identity], activation)
}

// Starts counts the activations so far.
func (f *Fleet) Starts() int64 { return f.starts.Load() }

// Remove takes a member for dead. It may go on until it learns of it.
func (f *Fleet) Remove(c *cluster.Cluster) {
	gone := c.MemberID()
	f.mu.Lock()
	f.removed[gone] = true
	f.mu.Unlock()
	f.registry.Remove(gone)
}

func (f *Fleet) make(opts ...cluster.Option) *cluster.Cluster {
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	config := cluster.Configure(Cluster, f.registry.Provider(), remote.Configure("127.0.0.1", 0),
		append(opts, f.Lookup...)...)
	c := cluster.New(system, config)
	f.t.Cleanup(func() {
		if err := c.Shutdown(false); err != nil {
			f.t.Error(err)
		}
	})
	return c
}

// Member starts a member that hosts the grains.
func (f *Fleet) Member() *cluster.Cluster {
	f.t.Helper()
	c := f.make(cluster.NewKind(Kind, actor.PropsFromProducer(func() actor.Actor { return &counter{fleet: f} })))
	if err := c.Start(); err != nil {
		f.t.Fatal(err)
	}
	return c
}

// Client starts a client.
func (f *Fleet) Client() *cluster.Cluster {
	f.t.Helper()
	c := f.make()
	if err := c.StartClient(); err != nil {
		f.t.Fatal(err)
	}
	return c
}

// Add has a grain count one more, and gives its count.
func Add(ctx context.Context, c *cluster.Cluster, identity string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	reply, err := c.CallContext(ctx, identity, Kind, wrapperspb.Int64(1))
	if err != nil {
		return 0, err
	}
	count, ok := reply.(*wrapperspb.Int64Value)
	if !ok {
		return 0, fmt.Errorf("%s answered with %T", identity, reply)
	}
	return count.Value, nil
}

// AddEach calls the n grains counter-1 and so on, some at a time.
func (f *Fleet) AddEach(c *cluster.Cluster, n int) {
	f.t.Helper()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 16 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if _, err := Add(f.t.Context(), c, fmt.Sprint("counter-", i)); err != nil {
					f.t.Errorf("counter-%d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}

// entries gives what the store has.
func (f *Fleet) entries() []driver.Entry {
	f.t.Helper()
	s, err := f.stores.OpenEntries(f.t.Context(), Cluster)
	if err != nil {
		f.t.Fatal(err)
	}
	defer s.Close()
	all, _, err := s.List(f.t.Context(), "", 1<<30)
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

// Whole expects that the store has n entries, all of members.
func (f *Fleet) Whole(n int) {
	f.t.Helper()
	all := f.entries()
	if len(all) != n {
		f.t.Errorf("%d entries; want %d", len(all), n)
	}
	for _, e := range all {
		if _, in := f.registry.View().Member(e.Member); !in {
			f.t.Errorf("%s is that of %s, which is gone", e.Identity, e.Member)
		}
	}
}
