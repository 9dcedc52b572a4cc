package partition

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

var handoverIdentities = flag.String("handover.identities", "100000",
	"comma-separated numbers of identities of BenchmarkHandover; 1000000 takes two minutes and 4 GB")

// BenchmarkHandover is what it costs when three members become four and three
// again: each iteration is a join and a leave.
//
// Real are the machines, the actors that drive them, the lookups of members and
// client, the codec, the remotes and the sockets, and an actor for each
// identity. Not real: the four members and the client share one process, its
// two or how many cores and its garbage collector; the network has no delay;
// the views come to all at once; the actors do nothing.
//
// From the moment when the new view is given out, one identity of each moved
// slot is resolved by the client. The longest of these waits is the pause of
// the moved, and the time until all moved slots are open. Meanwhile, and for
// a while before, two resolvers go on asking for retained identities.
func BenchmarkHandover(b *testing.B) {
	for word := range strings.SplitSeq(*handoverIdentities, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n <= 0 {
			b.Fatalf("-handover.identities: %q is no positive number", word)
		}
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchmarkHandover(b, n) })
	}
}

func benchmarkHandover(b *testing.B, n int) {
	f := newFleet(b, "a", "b", "c", "d")
	f.show(f.next("a", "b", "c"))
	f.fill(n)
	runtime.GC() // what fill has left is no part of a handover
	var join, leave legs
	for b.Loop() {
		join.add(f.handover(f.next("a", "b", "c", "d")))
		leave.add(f.handover(f.next("a", "b", "c")))
	}
	f.audit(n)
	join.report(b, "join")
	leave.report(b, "leave")
}

// leg is the measure of one change of view.
type leg struct {
	moved           int
	messages, bytes int64
	pauses          []time.Duration // of moved identities, sorted
	before, during  []time.Duration // what resolves of retained ones took, sorted
}

// handover changes the view and measures until all moved slots are open.
func (f *fleet) handover(to driver.View) leg {
	moved, retained := f.moves(f.view, to)
	before := f.resolveUntil(retained, func() { <-time.After(200 * time.Millisecond) })
	messages, bytes := f.meter.messages.Load(), f.meter.bytes.Load()
	var pauses []time.Duration
	during := f.resolveUntil(retained, func() {
		began := time.Now()
		f.show(to)
		pauses = f.resolveEach(moved, began)
	})
	return leg{
		f.entries(moved), f.meter.messages.Load() - messages, f.meter.bytes.Load() - bytes,
		pauses, before, during,
	}
}

// resolveEach resolves one identity of each slot, all at once, and gives the
// sorted times from began until each was found.
func (f *fleet) resolveEach(slots []placement.Slot, began time.Time) []time.Duration {
	waits := make([]time.Duration, len(slots))
	var wg sync.WaitGroup
	for i, s := range slots {
		wg.Go(func() {
			f.resolve(f.ids[s][0])
			waits[i] = time.Since(began)
		})
	}
	wg.Wait()
	slices.Sort(waits)
	return waits
}

// resolveUntil has two resolvers ask for identities of slots while f runs, and
// gives the sorted times it took.
func (f *fleet) resolveUntil(slots []placement.Slot, do func()) []time.Duration {
	var took [2][]time.Duration
	var done atomic.Bool
	var wg sync.WaitGroup
	for i := range took {
		wg.Go(func() {
			for !done.Load() {
				ids := f.ids[slots[rand.N(len(slots))]]
				began := time.Now()
				f.resolve(ids[rand.N(len(ids))])
				took[i] = append(took[i], time.Since(began))
			}
		})
	}
	do()
	done.Store(true)
	wg.Wait()
	all := slices.Concat(took[:]...)
	slices.Sort(all)
	return all
}

func (f *fleet) resolve(id driver.Identity) {
	if _, err := f.client.lookup.Resolve(f.tb.Context(), id, "", driver.Fence{}); err != nil {
		f.tb.Errorf("resolve %s: %v", id, err)
	}
}

// legs are the joins or the leaves of a run.
type legs []leg

func (l *legs) add(one leg) { *l = append(*l, one) }

// report gives the median of what each change took, and the worst pauses of
// all changes.
func (l legs) report(b *testing.B, what string) {
	var open, retained, idle []time.Duration
	for _, one := range l {
		open = append(open, quantile(one.pauses, 1))
		retained = append(retained, one.during...)
		idle = append(idle, one.before...)
	}
	slices.Sort(open)
	slices.Sort(retained)
	slices.Sort(idle)
	metric := func(v float64, unit string) { b.ReportMetric(v, fmt.Sprintf("%s-%s", what, unit)) }
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	for _, one := range l {
		b.Logf("%s: %d messages, %d B, pause %v, %d resolves of retained identities, the longest %v",
			what, one.messages, one.bytes, quantile(one.pauses, 1), len(one.during), quantile(one.during, 1))
	}
	metric(float64(l[0].moved), "moved")
	metric(float64(l[0].messages), "messages")
	metric(float64(l[0].bytes), "B")
	metric(ms(quantile(open, 0.5)), "pause-median-ms")
	metric(ms(quantile(open, 1)), "pause-max-ms")
	metric(ms(quantile(idle, 0.99)), "idle-p99-ms")
	metric(ms(quantile(retained, 0.5)), "retained-p50-ms")
	metric(ms(quantile(retained, 0.99)), "retained-p99-ms")
	metric(ms(quantile(retained, 1)), "retained-max-ms")
}

// quantile gives a quantile of sorted times.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1))]
}
