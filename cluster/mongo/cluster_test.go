package mongo

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/mongo/mongotest"
	"github.com/granary-go/granary/remote"
)

const (
	kind   = "Counter"
	grains = 40 // the stand-in reads all documents for each claim
)

// fleet is several members of one cluster in this process. Its grains count what
// they are sent.
type fleet struct {
	t        testing.TB
	registry *clustertest.Registry
	options  *options.ClientOptions
	lookup   []cluster.Option
	starts   atomic.Int64

	mu      sync.Mutex // guards live and removed
	live    map[string]map[string]bool
	removed map[driver.MemberID]bool // these may go on until they learn it
}

func newFleet(t testing.TB, opts *options.ClientOptions) *fleet {
	return &fleet{
		t: t, registry: clustertest.NewRegistry(), options: opts, lookup: []cluster.Option{cluster.WithIdentityLookup(New(opts))},
		live: make(map[string]map[string]bool), removed: make(map[driver.MemberID]bool),
	}
}

type counter struct {
	fleet *fleet
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

func (f *fleet) began(identity, activation string) {
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

func (f *fleet) ended(identity, activation string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.live[identity], activation)
}

func (f *fleet) make(opts ...cluster.Option) *cluster.Cluster {
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	config := cluster.Configure("shop", f.registry.Provider(), remote.Configure("127.0.0.1", 0),
		append(opts, f.lookup...)...)
	c := cluster.New(system, config)
	f.t.Cleanup(func() {
		if err := c.Shutdown(false); err != nil {
			f.t.Error(err)
		}
	})
	return c
}

func (f *fleet) member() *cluster.Cluster {
	f.t.Helper()
	c := f.make(cluster.NewKind(kind, actor.PropsFromProducer(func() actor.Actor { return &counter{fleet: f} })))
	if err := c.Start(); err != nil {
		f.t.Fatal(err)
	}
	return c
}

func (f *fleet) client() *cluster.Cluster {
	f.t.Helper()
	c := f.make()
	if err := c.StartClient(); err != nil {
		f.t.Fatal(err)
	}
	return c
}

func add(ctx context.Context, c *cluster.Cluster, identity string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	reply, err := c.CallContext(ctx, identity, kind, wrapperspb.Int64(1))
	if err != nil {
		return 0, err
	}
	return reply.(*wrapperspb.Int64Value).Value, nil
}

// addEach calls n grains, some at a time.
func (f *fleet) addEach(c *cluster.Cluster, n int) {
	f.t.Helper()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 16 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if _, err := add(f.t.Context(), c, fmt.Sprint("counter-", i)); err != nil {
					f.t.Errorf("counter-%d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}

// entries gives what the store has.
func (f *fleet) entries() []driver.Entry {
	f.t.Helper()
	s, err := New(f.options).OpenEntries(f.t.Context(), "shop")
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

func (f *fleet) whole(n int) {
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

// load calls grains from everywhere until it is ended; of those that fail it
// keeps the errors.
type load struct {
	calls  atomic.Int64
	failed atomic.Int64
	end    func()
}

func (f *fleet) load(n int, from ...*cluster.Cluster) *load {
	l := new(load)
	ctx, cancel := context.WithCancel(f.t.Context())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := i; ctx.Err() == nil; j += 7 {
				_, err := add(ctx, from[j%len(from)], fmt.Sprint("counter-", j%n+1))
				if err != nil && ctx.Err() == nil {
					l.failed.Add(1)
					f.t.Errorf("under load: %v", err)
				}
				l.calls.Add(1)
			}
		})
	}
	l.end = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	f.t.Cleanup(l.end)
	return l
}

// more waits until so many more calls have ended.
func (l *load) more(t testing.TB, n int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for until := l.calls.Load() + n; l.calls.Load() < until; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("only %d calls; want %d", l.calls.Load(), until)
		}
	}
}

func TestClusterComesAndGoes(t *testing.T) {
	t.Parallel()
	f := newFleet(t, mongotest.Start(t).Options())
	a, b, c := f.member(), f.member(), f.member()
	client := f.client()
	f.addEach(client, grains)
	f.whole(grains)
	load := f.load(grains, a, client)
	load.more(t, 200)
	if err := c.Shutdown(true); err != nil { // leaves
		t.Error(err)
	}
	load.more(t, 200)
	f.member() // joins
	load.more(t, 200)
	gone := b.MemberID()
	f.mu.Lock()
	f.removed[gone] = true
	f.mu.Unlock()
	f.registry.Remove(gone) // is taken for dead
	load.more(t, 500)
	load.end()
	f.addEach(client, grains)
	f.whole(grains)
	if f.starts.Load() <= grains {
		t.Errorf("%d activations; want more than %d, as members went", f.starts.Load(), grains)
	}
}

// A server that is emptied or restarts under load doubles no grain and fails no
// call.
func TestStoreLosesItsContentUnderLoad(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	f := newFleet(t, server.Options())
	a, b, c := f.member(), f.member(), f.member()
	f.addEach(a, grains/2)
	load := f.load(grains, a, b, c)
	for range 2 {
		server.Empty(t, DefaultDatabase)
		load.more(t, 200)
		server.Restart(t)
		load.more(t, 200)
	}
	server.Empty(t, DefaultDatabase)
	load.end()
	f.addEach(c, 2*grains) // the new ones find out that it was emptied
	f.whole(2 * grains)
	if f.starts.Load() != 2*grains {
		t.Errorf("%d activations; want %d: nobody went", f.starts.Load(), 2*grains)
	}
}

// While the server is stopped cached calls go on, and cold ones wait within their
// deadlines; afterwards all is well.
func TestStoreIsOutOfReach(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	f := newFleet(t, server.Options())
	a, b := f.member(), f.member()
	f.addEach(a, grains)
	f.addEach(b, grains)
	load := f.load(grains, a, b)
	server.Stop()
	load.more(t, 2000)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if _, err := a.CallContext(ctx, "cold", kind, wrapperspb.Int64(1)); err == nil || !strings.Contains(err.Error(), server.Address) {
		t.Errorf("a cold call: %v; want an error that names %s", err, server.Address)
	}
	server.Restart(t)
	if _, err := add(t.Context(), a, "cold"); err != nil {
		t.Errorf("a cold call afterwards: %v", err)
	}
	load.end()
	if load.failed.Load() > 0 {
		t.Errorf("%d of %d cached calls failed", load.failed.Load(), load.calls.Load())
	}
}

// Many callers of cold grains, eight of them of the same one at a time, make one
// activation each.
func TestColdRace(t *testing.T) {
	t.Parallel()
	f := newFleet(t, mongotest.Start(t).Options())
	members := []*cluster.Cluster{f.member(), f.member(), f.member()}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range grains {
				if _, err := add(t.Context(), members[i%3], fmt.Sprint("counter-", (j+i/8*grains/8)%grains)); err != nil {
					t.Errorf("call %d: %v", j, err)
				}
			}
		})
	}
	wg.Wait()
	if f.starts.Load() != grains {
		t.Errorf("%d activations of %d grains", f.starts.Load(), grains)
	}
	f.whole(grains)
}

func TestNonsense(t *testing.T) {
	t.Parallel()
	for want, l := range map[string]*Lookup{
		"there are no addresses":      New(nil),
		"use options.Client()":        New(options.Client()),
		"the client's options":        New(options.Client().ApplyURI("mongo://user:sesame@127.0.0.1:1")),
		"the client is nil":           NewWithClient(nil),
		`"a b" is no name`:            New(options.Client().ApplyURI("mongodb://127.0.0.1:1"), WithDatabase("a b")),
		`"" is no name of a database`: New(options.Client().ApplyURI("mongodb://127.0.0.1:1"), WithDatabase("")),
	} {
		_, err := l.OpenEntries(t.Context(), "shop")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("OpenEntries: %v; want %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "sesame") {
			t.Errorf("%v: it holds the password", err)
		}
	}
	if _, err := New(options.Client().ApplyURI("mongodb://127.0.0.1:1")).OpenEntries(t.Context(), strings.Repeat("é", 100)); err == nil {
		t.Error("a name that is too long was taken")
	}
}

// Errors say where, why and what to do.
func TestErrors(t *testing.T) {
	t.Parallel()
	nobody, err := New(options.Client().ApplyURI("mongodb://user:sesame@127.0.0.1:1")).OpenEntries(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = nobody.Read(ctx, driver.Identity{Kind: kind, Name: "alice"})
	for _, part := range []string{"127.0.0.1:1", "nothing listens there"} {
		if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%v; want %q, and no password", err, part)
		}
	}
	if err := nobody.Close(); err != nil {
		t.Error(err)
	}
}

// Documents that are none of ours are told with what to do.
func TestMalformed(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	client := server.Client(t)
	s, err := NewWithClient(client).OpenEntries(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, d := range []document{{ID: "Counter/alice/gibberish"}, {ID: "Counter/bob/0000000000000005.0000000000000001", Epoch: "1"}, {ID: recordPrefix + "gibberish"}} {
		if _, err := client.Database(DefaultDatabase).Collection("entries.shop").InsertOne(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	_, alice := s.Read(t.Context(), driver.Identity{Kind: "Counter", Name: "alice"})
	_, bob := s.Read(t.Context(), driver.Identity{Kind: "Counter", Name: "bob"})
	_, era := s.ReadEra(t.Context())
	for want, err := range map[string]error{"gibberish": alice, "no token or no member": bob, "the era record": era} {
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "malformed; delete it") {
			t.Errorf("%v; want %q and what to do", err, want)
		}
	}
}
