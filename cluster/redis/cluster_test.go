package redis

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/redis/redistest"
	"github.com/granary-go/granary/internal/lookuptest"
)

// tokens gives how many tokens were given out, of a single server.
func tokens(t testing.TB, options *redis.UniversalOptions) (n int) {
	t.Helper()
	c := redis.NewUniversalClient(options)
	defer c.Close()
	keys := c.Scan(t.Context(), 0, "granary:{shop:*}:counter", 1000).Iterator()
	for keys.Next(t.Context()) {
		given, err := c.Get(t.Context(), keys.Val()).Int()
		if err != nil {
			t.Fatal(err)
		}
		n += given
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestClusterComesAndGoes(t *testing.T) {
	t.Parallel()
	f := lookuptest.New(t, New(redistest.Start(t).Options()))
	a, b, c := f.Member(), f.Member(), f.Member()
	client := f.Client()
	const n = 300
	f.AddEach(client, n)
	f.Whole(n)
	load := f.Load(n, a, client)
	load.More(t, 200)
	if err := c.Shutdown(true); err != nil { // leaves
		t.Error(err)
	}
	load.More(t, 500)
	f.Member() // joins
	load.More(t, 500)
	f.Remove(b) // is taken for dead
	load.More(t, 1000)
	load.End()
	f.AddEach(client, n)
	f.Whole(n)
	if f.Starts() <= n {
		t.Errorf("%d activations; want more than %d, as members went", f.Starts(), n)
	}
}

// An emptied, restarted or paused server under load doubles no grain and fails no
// call.
func TestStoreLosesItsContentUnderLoad(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	f := lookuptest.New(t, New(server.Options()))
	a, b, c := f.Member(), f.Member(), f.Member()
	const n = 300
	f.AddEach(a, n/2)
	load := f.Load(n, a, b, c)
	for range 3 {
		server.Empty(t)
		load.More(t, 300)
		server.Restart(t)
		load.More(t, 300)
	}
	server.Empty(t)
	load.End()
	f.AddEach(c, 2*n) // the new ones find out that it was emptied
	f.Whole(2 * n)
	if f.Starts() != 2*n {
		t.Errorf("%d activations; want %d: nobody went", f.Starts(), 2*n)
	}
}

func TestOneServerOfARedisClusterRestarts(t *testing.T) {
	t.Parallel()
	servers := redistest.StartCluster(t)
	f := lookuptest.New(t, New(servers.Options()))
	a, b, c := f.Member(), f.Member(), f.Member()
	const n = 300
	f.AddEach(a, n)
	load := f.Load(n, a, b, c)
	load.More(t, 200)
	servers.Servers[1].Restart(t) // it has lost its third
	load.More(t, 200)
	load.End()
	f.AddEach(b, 2*n)
	f.Whole(2 * n)
	if f.Starts() != 2*n {
		t.Errorf("%d activations; want %d: nobody went", f.Starts(), 2*n)
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
			f := lookuptest.New(t, New(server.Options()))
			a, b := f.Member(), f.Member()
			const n = 100
			f.AddEach(a, n)
			f.AddEach(b, n)
			load := f.Load(n, a, b)
			out.begin(server)
			load.More(t, 2000)
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			_, err := a.CallContext(ctx, "cold", lookuptest.Kind, wrapperspb.Int64(1))
			if err == nil || !strings.Contains(err.Error(), server.Address) {
				t.Errorf("a cold call: %v; want an error that names %s", err, server.Address)
			}
			out.end(server)
			if _, err := lookuptest.Add(t.Context(), a, "cold"); err != nil {
				t.Errorf("a cold call afterwards: %v", err)
			}
			load.End()
			if load.Failed() > 0 {
				t.Errorf("%d of %d cached calls failed", load.Failed(), load.Calls())
			}
		})
	}
}

// Many callers of cold grains, eight of them of the same one at a time, make one
// activation each.
func TestColdRace(t *testing.T) {
	t.Parallel()
	options := redistest.Start(t).Options()
	f := lookuptest.New(t, New(options))
	members := []*cluster.Cluster{f.Member(), f.Member(), f.Member()}
	const n = 400
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range n {
				if _, err := lookuptest.Add(t.Context(), members[i%3], fmt.Sprint("counter-", (j+i/8*n/8)%n)); err != nil {
					t.Errorf("call %d: %v", j, err)
				}
			}
		})
	}
	wg.Wait()
	if f.Starts() != n {
		t.Errorf("%d activations of %d grains", f.Starts(), n)
	}
	if got := tokens(t, options); got != n {
		t.Errorf("%d tokens were given out for %d grains", got, n)
	}
	f.Whole(n)
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
	id := driver.Identity{Kind: lookuptest.Kind, Name: "alice"}
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
