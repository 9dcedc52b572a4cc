package cluster_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/cluster"
)

// The grain that was not used for the longest time makes room.
func TestMaxActivations(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders().diary()
		member, client := b.pair(orders, cluster.WithMaxActivations(3))
		b.calls(client, "a", "b", "c", "a")
		b.hears(orders, "+a", "+b", "+c")
		b.calls(client, "d")
		b.hearsOf(orders, "+d", "-b to make room", "end b")
		b.calls(client, "c", "a", "e")
		b.hearsOf(orders, "+e", "-d to make room", "end d")
		b.calls(client, "b")
		b.hearsOf(orders, "+b", "-c to make room", "end c")
		if n := member.Counters().Evicted; n != 3 {
			t.Errorf("%d were evicted; want 3", n)
		}
	})
}

// Grains that are at work stay, also if there are too many then; one that is
// done goes.
func TestMaxActivationsWhenNoneIsIdle(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders().diary()
		orders.words["work"] = func(_ *relay, _ cluster.GrainContext, _ []string) (string, error) {
			time.Sleep(5 * time.Second)
			return "", nil
		}
		member, client := b.pair(orders, cluster.WithMaxActivations(2))
		var wg sync.WaitGroup
		for _, id := range []string{"a", "b", "c", "d"} {
			wg.Go(func() {
				if _, err := callRelay(t.Context(), client, id, "work"); err != nil {
					t.Errorf("%s: %v", id, err)
				}
			})
			time.Sleep(time.Second)
		}
		b.hears(orders, "+a", "+b", "+c", "+d")
		if n := member.Counters().Evicted; n != 0 {
			t.Errorf("%d were told to stop while they were at work", n)
		}
		wg.Wait()
		b.hearsOf(orders, "-a to make room", "end a", "-b to make room", "end b")
	})
}

// No call is lost to a grain that stops to make room, and there are never two of
// one identity.
func TestMaxActivationsUnderLoad(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders()
		var mu sync.Mutex
		live, most := make(map[string]bool), 0
		orders.activate = func(r *relay, _ cluster.GrainContext) error {
			mu.Lock()
			defer mu.Unlock()
			if live[r.ID()] {
				t.Errorf("%s is active twice", r.ID())
			}
			live[r.ID()] = true
			most = max(most, len(live))
			return nil
		}
		orders.terminate = func(r *relay) {
			mu.Lock()
			defer mu.Unlock()
			delete(live, r.ID())
		}
		const limit, callers, calls = 5, 8, 200
		member, client := b.pair(orders, cluster.WithMaxActivations(limit))
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				for j := range calls {
					if _, err := callRelay(t.Context(), client, fmt.Sprint((i*7+j*j)%40)); err != nil {
						t.Errorf("call %d of %d: %v", j, i, err)
					}
				}
			})
		}
		wg.Wait()
		time.Sleep(2 * time.Second)
		b.calls(client, "last")
		synctest.Wait()
		total := 0
		for i := range 40 {
			total += orders.runs(fmt.Sprint(i))
		}
		if total != callers*calls {
			t.Errorf("%d runs of %d calls", total, callers*calls)
		}
		if len(live) > limit || most > limit+2*callers || member.Counters().Evicted == 0 {
			t.Errorf("%d are active, there were up to %d, %d evicted; the limit is %d", len(live), most, member.Counters().Evicted, limit)
		}
	})
}
