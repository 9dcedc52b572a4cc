package placement

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	simRuns   = flag.Int("sim.runs", 300, "seeded runs of the placement simulation")
	worldRuns = flag.Int("world.runs", 200, "seeded runs of the simulation with leases, clocks and splits")
	simSeed   = flag.Uint64("sim.seed", 0, "run only this seed, and print its trace")
)

// runSeeds runs many seeds, some at a time. Of the first that fails it prints
// the end of the trace.
func runSeeds(t *testing.T, runs int, run func(seed uint64, traced bool) *engine) {
	t.Helper()
	if *simSeed != 0 {
		e := run(*simSeed, true)
		t.Logf("seed %d:\n%s", *simSeed, strings.Join(e.trace, "\n"))
		if e.failure != "" {
			t.Error(e.failure)
		}
		return
	}
	var next atomic.Uint64
	var wg sync.WaitGroup
	began := time.Now()
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := next.Add(1); seed <= uint64(runs) && !t.Failed(); seed = next.Add(1) {
				if e := run(seed, false); e.failure != "" {
					trace := run(seed, true).trace
					t.Errorf("seed %d: %s\nreplay with -run='^%s$' -args -sim.seed=%d; the end of its trace:\n%s",
						seed, e.failure, t.Name(), seed, strings.Join(trace[max(0, len(trace)-60):], "\n"))
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d runs, %.0f runs a minute", runs, float64(runs)/time.Since(began).Minutes())
}

// engine is what a simulation runs on: a heap of events, chance from a seed, a
// trace, and the first thing that went wrong.
type engine struct {
	rng     *rand.Rand
	now     Time
	queue   simQueue
	count   int
	tracing bool
	trace   []string
	failure string
}

func newEngine(seed uint64) engine {
	return engine{rng: rand.New(rand.NewPCG(seed, 0x6772616e617279))}
}

func (e *engine) logf(format string, args ...any) {
	if e.tracing {
		e.trace = append(e.trace, fmt.Sprintf("%6d ms  ", e.now/simMillisecond)+fmt.Sprintf(format, args...))
	}
}

func (e *engine) failf(format string, args ...any) {
	if e.failure == "" {
		e.failure = fmt.Sprintf(format, args...)
		e.logf("VIOLATION %s", e.failure)
	}
}

func (e *engine) after(d Time, do func()) {
	e.count++
	e.queue.push(simEvent{e.now + max(d, 0), e.count, do})
}

// ms draws from one to most milliseconds.
func (e *engine) ms(most int) Time { return Time(e.rng.IntN(most)+1) * simMillisecond }

// chance is true so many times in a thousand.
func (e *engine) chance(in1000 int) bool { return e.rng.IntN(1000) < in1000 }

// runUntil runs events until there are none, the time is over, or something has
// gone wrong.
func (e *engine) runUntil(end Time) {
	for e.failure == "" && len(e.queue) > 0 {
		ev := e.queue.pop()
		if ev.at > end {
			return
		}
		e.now = ev.at
		ev.do()
	}
}

type simEvent struct {
	at Time
	n  int
	do func()
}

// simQueue is a heap. Package container/heap would allocate for each event,
// which is a fifth of the time that a run takes.
type simQueue []simEvent

func (e simEvent) before(o simEvent) bool { return e.at < o.at || e.at == o.at && e.n < o.n }

func (q *simQueue) push(ev simEvent) {
	*q = append(*q, ev)
	h, i := *q, len(*q)-1
	for up := (i - 1) / 2; i > 0 && ev.before(h[up]); up = (i - 1) / 2 {
		h[i], i = h[up], up
	}
	h[i] = ev
}

func (q *simQueue) pop() simEvent {
	h, n := *q, len(*q)-1
	first, last := h[0], h[n]
	h[n] = simEvent{}
	*q = h[:n]
	i := 0
	for down := 1; down < n; down = 2*i + 1 {
		if down+1 < n && h[down+1].before(h[down]) {
			down++
		}
		if !h[down].before(last) {
			break
		}
		h[i], i = h[down], down
	}
	if n > 0 {
		h[i] = last
	}
	return first
}
