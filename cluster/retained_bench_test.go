package cluster_test

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
	"github.com/granary-go/granary/remote"
)

const (
	retainedGrains = 2000
	// changesApart is how long a view lasts. What a member's start costs the
	// processor is to stay below the hundredth of the time that a 99th
	// percentile looks at.
	changesApart   = 500 * time.Millisecond
	changesPerPair = 20
	retainedPairs  = 5
)

// BenchmarkRetained compares calls while the view changes with calls while it
// does not, in turn, five times: 100 changes in all, a quarter of them a fifth
// member that joins, a quarter its leave, the rest views that differ in nothing
// but their number. It reports the median of the five ratios of the 99th
// percentiles, for identities whose owner stays the same; and, for those whose
// owner changes, how long a call took.
//
// Cached has every location cached by the caller; Resolved has next to none, so
// that each call asks the owner first. It takes two and a half minutes for each of
// them, so it wants -benchtime=1x, and is left out with -short.
func BenchmarkRetained(b *testing.B) {
	if testing.Short() {
		b.Skip("takes five minutes")
	}
	b.Run("Cached", func(b *testing.B) { benchmarkRetained(b, cluster.DefaultCacheSize) })
	b.Run("Resolved", func(b *testing.B) { benchmarkRetained(b, 1) })
}

func benchmarkRetained(b *testing.B, cache int) {
	r := newRetained(b, cache)
	for b.Loop() {
		var ratios, still, moved []float64
		for range retainedPairs {
			r.calls(b, nil) // warm
			quiet, _ := r.calls(b, nil)
			kept, others := r.calls(b, r.change)
			ratios = append(ratios, percentile(kept, 99)/percentile(quiet, 99))
			still, moved = append(still, percentile(quiet, 99)), append(moved, others...)
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], "p99-ratio")
		b.ReportMetric(ratios[len(ratios)-1], "p99-ratio-worst")
		b.ReportMetric(percentile(still, 50)*1e6, "p99-still-µs")
		b.ReportMetric(percentile(moved, 50)*1e6, "moved-p50-µs")
		b.ReportMetric(percentile(moved, 99)*1e6, "moved-p99-µs")
		b.ReportMetric(percentile(moved, 100)*1e6, "moved-max-µs")
		b.ReportMetric(float64(len(moved)), "moved-calls")
	}
}

// percentile gives one of the values, 0 if there are none.
func percentile(values []float64, p int) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(len(values)*p/100, len(values)-1)]
}

// retained is four members, a client, and a fifth member that comes and goes.
type retained struct {
	b        *testing.B
	registry *clustertest.Registry
	client   *cluster.Cluster
	fifth    *cluster.Cluster
	turn     int

	mu    sync.Mutex // guards views
	views map[uint64]*placement.Table
}

func newRetained(b *testing.B, cache int) *retained {
	r := &retained{b: b, registry: clustertest.NewRegistry(), views: make(map[uint64]*placement.Table)}
	for range 4 {
		r.start(true)
	}
	r.client = r.start(false, cluster.WithCacheSize(cache))
	actor.SubscribeTo(r.client.ActorSystem().EventStream, func(e *cluster.ClusterTopology) { r.note(e.View) })
	r.note(r.client.View())
	each(identities(retainedGrains), func(id string) {
		if _, err := r.client.Call(id, counterKind, wrapperspb.Int64(1)); err != nil {
			b.Error(err)
		}
	})
	return r
}

func (r *retained) note(v driver.View) {
	table := placement.NewTable(v)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.views[v.Epoch] = table
}

func (r *retained) start(member bool, opts ...cluster.Option) *cluster.Cluster {
	kind := cluster.NewKind(counterKind, actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
			ctx.Respond(ctx.Message())
		}
	}))
	if member {
		opts = append(opts, kind)
	}
	c := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())),
		cluster.Configure("bench", r.registry.Provider(), remote.Configure("127.0.0.1", 0), opts...))
	begin := c.Start
	if !member {
		begin = c.StartClient
	}
	if err := begin(); err != nil {
		r.b.Fatal(err)
	}
	r.b.Cleanup(func() { _ = c.Shutdown(false) })
	return c
}

// change makes the next view.
func (r *retained) change() {
	switch r.turn++; r.turn % 4 {
	case 0:
		if err := r.fifth.Shutdown(true); err != nil {
			r.b.Error(err)
		}
	case 2:
		r.fifth = r.start(true)
	default:
		r.registry.Publish()
	}
}

// calls makes calls for as long as twenty views last, and gives the times in
// seconds of those whose owner stayed and of those whose did not.
func (r *retained) calls(b *testing.B, change func()) (kept, moved []float64) {
	type call struct {
		identity    string
		began, done uint64 // the epochs
		took        time.Duration
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	all := make([][]call, 2)
	ids := identities(retainedGrains)
	for caller := range all {
		wg.Go(func() {
			for i := caller; !stop.Load(); i += len(all) {
				c := call{identity: ids[i%len(ids)], began: r.client.View().Epoch}
				began := time.Now()
				_, err := r.client.Call(c.identity, counterKind, wrapperspb.Int64(1))
				if c.took = time.Since(began); err != nil {
					b.Error(err)
				}
				c.done = r.client.View().Epoch
				all[caller] = append(all[caller], c)
			}
		})
	}
	pace := time.NewTicker(changesApart)
	defer pace.Stop()
	for range changesPerPair {
		<-pace.C
		if change != nil {
			change()
		}
	}
	stop.Store(true)
	wg.Wait()
	for _, c := range slices.Concat(all...) {
		if r.stayed(c.identity, c.began, c.done) {
			kept = append(kept, c.took.Seconds())
		} else {
			moved = append(moved, c.took.Seconds())
		}
	}
	return kept, moved
}

// stayed reports whether an identity had one owner from the view before a call
// to the one that came during it. What a view has moved is still on its way
// for a moment after it; a call in the next view is none of that.
func (r *retained) stayed(identity string, began, done uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	slot := placement.SlotOf(driver.Identity{Kind: counterKind, Name: identity})
	var owner driver.MemberID
	for epoch := began - 1; epoch <= done; epoch++ {
		table := r.views[epoch]
		if table == nil {
			continue
		}
		m, _ := table.Owner(slot)
		if owner = cmp.Or(owner, m.ID); owner != m.ID {
			return false
		}
	}
	return true
}
