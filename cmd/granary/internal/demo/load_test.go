package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// counters are grains within the test: each counts its calls.
type counters struct {
	mu     sync.Mutex
	counts map[string]uint64
	hold   map[string]chan struct{} // calls of these wait
}

func (c *counters) call(ctx context.Context, name string) (reply, error) {
	if hold := c.hold[name]; hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return reply{}, ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[name]++
	return reply{1, "a", c.counts[name]}, nil
}

func TestLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := make(chan struct{})
		grains := &counters{counts: map[string]uint64{}, hold: map[string]chan struct{}{}}
		ledger := newLedger()
		l := newLoad(t.Context(), ledger, 100, grains.call)
		if err := l.add(t.Context(), ledger.open(10)); err != nil || l.stats.take().calls != 10 {
			t.Fatalf("the first calls: %v", err)
		}
		grains.hold["counter-3"] = held
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { l.run(ctx) })

		time.Sleep(10 * time.Second)
		synctest.Wait()
		s := l.stats.take()
		if s.waiting != 1 || s.calls < 990 || s.calls > 1000 {
			t.Errorf("in ten seconds %+v, want 100 calls a second though one grain does not answer", s)
		}
		if grains.counts["counter-3"] != 1 {
			t.Errorf("the held grain was called %d times", grains.counts["counter-3"])
		}
		for name, n := range grains.counts {
			if name != "counter-3" && (n < 100 || n > 125) {
				t.Errorf("%s was called %d times, want about 110", name, n)
			}
		}
		close(held)
		cancel()
		wg.Wait()
		if broken, _ := ledger.breached(); broken.count > 0 || l.stats.all().errors > 0 {
			t.Errorf("%q, %+v", broken.texts, l.stats.all())
		}
	})
}

// A call that has no answer at the end of the load is an error.
func TestLoadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := newLedger()
		grains := &counters{counts: map[string]uint64{}, hold: map[string]chan struct{}{"counter-1": make(chan struct{})}}
		l := newLoad(t.Context(), ledger, 100, grains.call)
		l.all = ledger.open(1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		l.run(ctx)
		if took := time.Since(start); took != time.Second+lastWait {
			t.Errorf("it took %v", took)
		}
		if all := l.stats.all(); all.errors != 1 || all.calls != 0 || all.causes[0] != context.Canceled.Error() {
			t.Errorf("%+v", all)
		}
	})
}

func TestLoadFirstError(t *testing.T) {
	ledger := newLedger()
	broken := errors.New("broken")
	l := newLoad(t.Context(), ledger, 100, func(_ context.Context, name string) (reply, error) {
		if name == "counter-7" {
			return reply{}, broken
		}
		return reply{1, "a", 1}, nil
	})
	if err := l.add(t.Context(), ledger.open(20)); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if all := l.stats.all(); all.calls != 19 || all.errors != 1 {
		t.Errorf("%+v", all)
	}
}

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for _, c := range []struct {
		of   []time.Duration
		p    int
		want time.Duration
	}{{nil, 50, 0}, {hundred[:1], 99, 1}, {hundred, 50, 50}, {hundred, 99, 99}, {hundred[:3], 50, 2}} {
		if got := percentile(c.of, c.p); got != c.want {
			t.Errorf("p%d of %d is %d, want %d", c.p, len(c.of), got, c.want)
		}
	}
}

func TestStatsKeepLittle(t *testing.T) {
	var s stats
	for i := range 2 * keptCauses {
		s.end(s.begin(), fmt.Errorf("cause %d", i))
	}
	if all := s.all(); all.errors != 2*keptCauses || len(all.causes) != keptCauses {
		t.Errorf("%+v", all)
	}
}
