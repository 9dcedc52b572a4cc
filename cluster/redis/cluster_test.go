package redis

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/redis/redistest"
	"github.com/granary-go/granary/remote"
)

const kind = "Counter"

// fleet is several members of one cluster in this process. Its grains count what
// they are sent.
type fleet struct {
	t        testing.TB
	registry *clustertest.Registry
	options  *redis.UniversalOptions
	lookup   []cluster.Option
	starts   atomic.Int64

	mu      sync.Mutex // guards live and removed
	live    map[string]map[string]bool
	removed map[driver.MemberID]bool // these may go on until they learn it
}

func newFleet(t testing.TB, options *redis.UniversalOptions) *fleet {
	return &fleet{
		t: t, registry: clustertest.NewRegistry(), options: options, lookup: []cluster.Option{cluster.WithIdentityLookup(New(options))},
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

// tokens gives how many tokens were given out, of a single server.
func (f *fleet) tokens() (n int) {
	f.t.Helper()
	c := redis.NewUniversalClient(f.options)
	defer c.Close()
	keys := c.Scan(f.t.Context(), 0, "granary:{shop:*}:counter", 1000).Iterator()
	for keys.Next(f.t.Context()) {
		given, err := c.Get(f.t.Context(), keys.Val()).Int()
		if err != nil {
			f.t.Fatal(err)
		}
		n += given
	}
	if err := keys.Err(); err != nil {
		f.t.Fatal(err)
	}
	return n
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
	f := newFleet(t, redistest.Start(t).Options())
	a, b, c := f.member(), f.member(), f.member()
	client := f.client()
	const n = 300
	f.addEach(client, n)
	f.whole(n)
	load := f.load(n, a, client)
	load.more(t, 200)
	if err := c.Shutdown(true); err != nil { // leaves
		t.Error(err)
	}
	load.more(t, 500)
	f.member() // joins
	load.more(t, 500)
	gone := b.MemberID()
	f.mu.Lock()
	f.removed[gone] = true
	f.mu.Unlock()
	f.registry.Remove(gone) // is taken for dead
	load.more(t, 1000)
	load.end()
	f.addEach(client, n)
	f.whole(n)
	if f.starts.Load() <= n {
		t.Errorf("%d activations; want more than %d, as members went", f.starts.Load(), n)
	}
}

// An emptied, restarted or paused server under load doubles no grain and fails no
// call.
func TestStoreLosesItsContentUnderLoad(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	f := newFleet(t, server.Options())
	a, b, c := f.member(), f.member(), f.member()
	const n = 300
	f.addEach(a, n/2)
	load := f.load(n, a, b, c)
	for range 3 {
		server.Empty(t)
		load.more(t, 300)
		server.Restart(t)
		load.more(t, 300)
	}
	server.Empty(t)
	load.end()
	f.addEach(c, 2*n) // the new ones find out that it was emptied
	f.whole(2 * n)
	if f.starts.Load() != 2*n {
		t.Errorf("%d activations; want %d: nobody went", f.starts.Load(), 2*n)
	}
}

func TestOneServerOfARedisClusterRestarts(t *testing.T) {
	t.Parallel()
	servers := redistest.StartCluster(t)
	f := newFleet(t, servers.Options())
	a, b, c := f.member(), f.member(), f.member()
	const n = 300
	f.addEach(a, n)
	load := f.load(n, a, b, c)
	load.more(t, 200)
	servers.Servers[1].Restart(t) // it has lost its third
	load.more(t, 200)
	load.end()
	f.addEach(b, 2*n)
	f.whole(2 * n)
	if f.starts.Load() != 2*n {
		t.Errorf("%d activations; want %d: nobody went", f.starts.Load(), 2*n)
	}
}

// While the server is stopped cached calls go on, and cold ones wait within their
// deadlines; afterwards all is well.
func TestStoreIsOutOfReach(t *testing.T) {
	t.Parallel()
	for name, out := range map[string]struct{ begin, end func(*redistest.Server) }{
		"stopped": {(*redistest.Server).Stop, func(s *redistest.Server) { s.Restart(t) }},
		"paused":  {func(s *redistest.Server) { s.Pause(t) }, func(s *redistest.Server) { s.Resume(t) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			f := newFleet(t, server.Options())
			a, b := f.member(), f.member()
			const n = 100
			f.addEach(a, n)
			f.addEach(b, n)
			load := f.load(n, a, b)
			out.begin(server)
			load.more(t, 2000)
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			_, err := a.CallContext(ctx, "cold", kind, wrapperspb.Int64(1))
			if err == nil || !strings.Contains(err.Error(), server.Address) {
				t.Errorf("a cold call: %v; want an error that names %s", err, server.Address)
			}
			out.end(server)
			if _, err := add(t.Context(), a, "cold"); err != nil {
				t.Errorf("a cold call afterwards: %v", err)
			}
			load.end()
			if load.failed.Load() > 0 {
				t.Errorf("%d of %d cached calls failed", load.failed.Load(), load.calls.Load())
			}
		})
	}
}

// Many callers of cold grains, eight of them of the same one at a time, make one
// activation each.
func TestColdRace(t *testing.T) {
	t.Parallel()
	f := newFleet(t, redistest.Start(t).Options())
	members := []*cluster.Cluster{f.member(), f.member(), f.member()}
	const n = 400
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range n {
				if _, err := add(t.Context(), members[i%3], fmt.Sprint("counter-", (j+i/8*n/8)%n)); err != nil {
					t.Errorf("call %d: %v", j, err)
				}
			}
		})
	}
	wg.Wait()
	if f.starts.Load() != n {
		t.Errorf("%d activations of %d grains", f.starts.Load(), n)
	}
	if got := f.tokens(); got != n {
		t.Errorf("%d tokens were given out for %d grains", got, n)
	}
	f.whole(n)
}

func TestNonsense(t *testing.T) {
	t.Parallel()
	for want, l := range map[string]*Lookup{
		"there are no addresses":             New(nil),
		"set Addrs":                          New(new(redis.UniversalOptions)),
		`"localhost" of UniversalOptions`:    New(&redis.UniversalOptions{Addrs: []string{"localhost"}}),
		"the client is nil":                  NewWithClient(nil),
		`the prefix "{x}" holds a brace`:     New(&redis.UniversalOptions{Addrs: []string{"127.0.0.1:1"}}, WithPrefix("{x}")),
		`":6379" of UniversalOptions is not`: New(&redis.UniversalOptions{Addrs: []string{":6379"}}),
	} {
		if _, err := l.OpenEntries(t.Context(), "shop"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("OpenEntries: %v; want %q", err, want)
		}
	}
}

// What a server answers that is no store of ours, or will not be one, is told with
// what to do.
func TestErrors(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--requirepass", "sesame")
	secret := server.Options()
	secret.Password = "open"
	right := server.Options()
	right.Password = "sesame"
	id := driver.Identity{Kind: kind, Name: "alice"}
	client := redis.NewUniversalClient(right)
	defer client.Close()
	s := store{prefix: DefaultPrefix, cluster: "shop"}
	for _, fill := range []error{
		client.HSet(t.Context(), s.key(tagOf(id), "entries"), field(id), "gibberish").Err(),
		client.HSet(t.Context(), s.eraKey(), "era", "gibberish").Err(),
	} {
		if fill != nil {
			t.Fatal(fill)
		}
	}
	for _, c := range []struct {
		options *redis.UniversalOptions
		read    string
		era     string
	}{
		{server.Options(), "wants a password", "wants a password"},
		{secret, "does not know this user and password", "does not know this user and password"},
		{&redis.UniversalOptions{Addrs: []string{"127.0.0.1:1"}}, "nothing listens there", "nothing listens there"},
		{right, "is malformed; delete that field", "is malformed; delete the key granary:{shop:era}:era"},
	} {
		s, err := New(c.options).OpenEntries(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		_, read := s.Read(t.Context(), id)
		_, era := s.ReadEra(t.Context())
		for want, err := range map[string]error{"Read: " + c.read: read, "ReadEra: " + c.era: era} {
			_, want, _ := strings.Cut(want, ": ")
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), c.options.Addrs[0]) {
				t.Errorf("%v; want %q and the address", err, want)
			}
			if err != nil && strings.Contains(err.Error(), "sesame") {
				t.Errorf("%v: it holds the password", err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A client of the caller's own is not closed, and its keys lie where it was told.
func TestOwnClientAndPrefix(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	s, err := NewWithClient(client, WithPrefix("mine")).OpenEntries(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.WriteEra(t.Context(), driver.Era{}, driver.Era{EraID: driver.EraID{Number: 1, Founder: "m-1"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 2*tags+1 || slices.ContainsFunc(keys, func(k string) bool { return !strings.HasPrefix(k, "mine:{shop:") }) {
		t.Errorf("%d keys, %v; want a mark and a counter for each of %d tags, and the era record", len(keys), err, tags)
	}
}
