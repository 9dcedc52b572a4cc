package redis

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/redis/redistest"
	"github.com/granary-go/granary/internal/lookuptest"
)

// counted counts the operations of lookups in the store.
type counted struct {
	driver.EntryStores
	operations *atomic.Int64
}

func (c counted) OpenEntries(ctx context.Context, name string) (driver.EntryStore, error) {
	s, err := c.EntryStores.OpenEntries(ctx, name)
	return countedStore{s, c.operations}, err
}

type countedStore struct {
	driver.EntryStore
	operations *atomic.Int64
}

func (c countedStore) Read(ctx context.Context, id driver.Identity) (driver.Entry, error) {
	c.operations.Add(1)
	return c.EntryStore.Read(ctx, id)
}

func (c countedStore) Claim(ctx context.Context, e driver.Entry, over driver.Fence) (driver.Entry, error) {
	c.operations.Add(1)
	return c.EntryStore.Claim(ctx, e, over)
}

// lookupsToCompare make a fleet with the default lookup, of the members, and with
// the one in Redis, whose operations are counted; of that they give the options, too.
func lookupsToCompare(b *testing.B) map[string]func(*atomic.Int64) (*lookuptest.Fleet, *redis.UniversalOptions) {
	return map[string]func(*atomic.Int64) (*lookuptest.Fleet, *redis.UniversalOptions){
		"members": func(*atomic.Int64) (*lookuptest.Fleet, *redis.UniversalOptions) {
			f := lookuptest.New(b, nil)
			f.Lookup = nil
			return f, nil
		},
		"redis": func(n *atomic.Int64) (*lookuptest.Fleet, *redis.UniversalOptions) {
			options := redistest.Start(b).Options()
			return lookuptest.New(b, counted{New(options), n}), options
		},
	}
}

// BenchmarkColdCalls lets 64 callers on three members call grains that are not
// active, two callers on different members each of them at about the same time.
// It tells the median and the 99th percentile of the first call, and the
// operations in the store for each activation. With -benchtime=10000x it is the
// measurement of docs/guides/identity-lookups.md.
func BenchmarkColdCalls(b *testing.B) {
	for name, lookup := range lookupsToCompare(b) {
		b.Run(name, func(b *testing.B) {
			var operations atomic.Int64
			f, options := lookup(&operations)
			members := []*cluster.Cluster{f.Member(), f.Member(), f.Member()}
			for _, m := range members {
				if _, err := lookuptest.Add(b.Context(), m, "warm"); err != nil {
					b.Fatal(err)
				}
			}
			operations.Store(0)
			took := make([]time.Duration, 2*b.N)
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range 64 {
				wg.Go(func() {
					for i := next.Add(1) - 1; i < int64(2*b.N); i = next.Add(1) - 1 {
						began := time.Now()
						if _, err := lookuptest.Add(b.Context(), members[i%3], fmt.Sprint("cold-", i/2)); err != nil {
							b.Errorf("call %d: %v", i, err)
						}
						took[i] = time.Since(began)
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
			b.ReportMetric(float64(operations.Load())/float64(b.N), "store-operations/grain")
			if f.Starts() != int64(b.N)+1 {
				b.Errorf("%d activations of %d grains", f.Starts(), b.N+1)
			}
			if options == nil {
				return
			}
			if n := tokens(b, options); n != b.N+1 {
				b.Errorf("%d tokens were given out for %d grains", n, b.N+1)
			}
		})
	}
}

// BenchmarkTakeover removes one of three members from the view, by which a third of
// b.N grains lose their place, and calls all of them by 16 callers: ms-all is when
// each has answered. With -benchtime=10000x it is that of docs/guides/identity-lookups.md.
func BenchmarkTakeover(b *testing.B) {
	for name, lookup := range lookupsToCompare(b) {
		b.Run(name, func(b *testing.B) {
			f, _ := lookup(new(atomic.Int64))
			a, c, gone := f.Member(), f.Member(), f.Member()
			f.AddEach(a, b.N)
			f.AddEach(c, b.N)
			b.ResetTimer()
			began := time.Now()
			f.Remove(gone)
			f.AddEach(c, b.N)
			b.StopTimer()
			b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms-all")
		})
	}
}

// BenchmarkEmptied empties Redis below b.N grains that are called by two members
// meanwhile: ms-cold is when the next cold call has answered, which needs that all
// members have written back what they host. Calls that fail are errors.
func BenchmarkEmptied(b *testing.B) {
	server := redistest.Start(b)
	f := lookuptest.New(b, New(server.Options()))
	a, c := f.Member(), f.Member()
	f.AddEach(a, b.N)
	load := f.Load(b.N, a, c)
	load.More(b, 200)
	b.ResetTimer()
	server.Empty(b)
	began := time.Now()
	if _, err := lookuptest.Add(b.Context(), c, "cold"); err != nil {
		b.Error(err)
	}
	b.StopTimer()
	b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms-cold")
	load.End()
	f.Whole(b.N + 1)
	if f.Starts() != int64(b.N)+1 {
		b.Errorf("%d activations of %d grains", f.Starts(), b.N+1)
	}
}

// BenchmarkOutage stops Redis for ten seconds under calls of cached grains, and of
// cold ones, which have 30 seconds: it tells how many were answered meanwhile, and how
// long after the end the cold ones were. Calls that fail are errors.
func BenchmarkOutage(b *testing.B) {
	const cached, cold = 100, 100
	server := redistest.Start(b)
	f := lookuptest.New(b, New(server.Options()))
	a, c := f.Member(), f.Member()
	f.AddEach(a, cached)
	f.AddEach(c, cached)
	load := f.Load(cached, a, c)
	load.More(b, 100)
	server.Stop()
	before := load.Calls()
	var wg sync.WaitGroup
	for i := range cold {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
			defer cancel()
			if _, err := lookuptest.Add(ctx, a, fmt.Sprint("cold-", i)); err != nil {
				b.Error(err)
			}
		})
	}
	timer := time.NewTimer(10 * time.Second) // the outage itself
	defer timer.Stop()
	<-timer.C
	b.ReportMetric(float64(load.Calls()-before), "cached-calls")
	server.Restart(b)
	began := time.Now()
	wg.Wait()
	b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms-cold")
	load.End()
}
