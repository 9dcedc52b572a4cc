package redis

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/redis/redistest"
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

// BenchmarkColdCalls lets 64 callers on three members call grains that are not
// active, two callers on different members each of them at about the same time.
// It tells the median and the 99th percentile of the first call, and the
// operations in the store for each activation. With -benchtime=10000x it is the
// measurement of docs/identity-lookups.md.
func BenchmarkColdCalls(b *testing.B) {
	for name, lookup := range map[string]func(*atomic.Int64) []cluster.Option{
		"members": func(*atomic.Int64) []cluster.Option { return nil },
		"redis": func(n *atomic.Int64) []cluster.Option {
			return []cluster.Option{cluster.WithIdentityLookup(counted{New(redistest.Start(b).Options()), n})}
		},
	} {
		b.Run(name, func(b *testing.B) {
			var operations atomic.Int64
			f := newFleet(b, nil)
			f.lookup = lookup(&operations)
			members := []*cluster.Cluster{f.member(), f.member(), f.member()}
			for _, m := range members {
				if _, err := add(b.Context(), m, "warm"); err != nil {
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
						if _, err := add(b.Context(), members[i%3], fmt.Sprint("cold-", i/2)); err != nil {
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
			if f.starts.Load() != int64(b.N)+1 {
				b.Errorf("%d activations of %d grains", f.starts.Load(), b.N+1)
			}
		})
	}
}
