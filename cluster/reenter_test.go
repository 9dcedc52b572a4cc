package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
)

// withAwait teaches relays to await what the rest of their words says.
func (o *orders) withAwait() *orders {
	o.words["await"] = func(r *relay, ctx cluster.GrainContext, rest []string) (said string, err error) {
		o.tell(r.ID(), " begins")
		c := ctx.Cluster()
		err = ctx.Await(func(ctx context.Context) (err error) {
			said, err = callRelay(ctx, c, rest[0], rest[1:]...)
			return err
		})
		o.tell(r.ID(), " goes on")
		return said, err
	}
	o.words["sleep"] = func(_ *relay, ctx cluster.GrainContext, rest []string) (string, error) {
		seconds, _ := strconv.Atoi(rest[0])
		select {
		case <-time.After(time.Duration(seconds) * time.Second):
			return "slept", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return o
}

// later tells a relay what to do, and what came of it.
func later(ctx context.Context, c *cluster.Cluster, id string, words ...string) <-chan string {
	done := make(chan string, 1)
	go func() {
		said, err := callRelayReenterably(ctx, c, id, words...)
		if err != nil {
			said = err.Error()
		}
		done <- said
	}()
	return done
}

// A grain goes on while a reenterable method awaits, and is called back by whom
// it awaits; the method's caller gets its answer.
func TestReenterableMethod(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders().withAwait()
		_, client := b.pair(orders)
		b.process(orders.kind())
		began := time.Now()
		first := later(t.Context(), client, "a", "await", "b", "sleep", "3")
		second := later(t.Context(), client, "a", "await", "c", "call", "a")
		if got := <-second; got != "a" {
			t.Errorf("a cycle through a reenterable method: %s", got)
		}
		if _, err := callRelay(t.Context(), client, "a"); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v: the grain did not go on", err, time.Since(began))
		}
		if got := <-first; got != "slept" || time.Since(began) != 3*time.Second {
			t.Errorf("%q after %v", got, time.Since(began))
		}
		b.hearsOf(orders, "a begins", "a goes on", "a begins", "a goes on")
		// The same by a method that is not reenterable.
		if _, err := callRelay(t.Context(), client, "a", "await", "c", "call", "a"); !errors.Is(err, cluster.ErrCallCycle) {
			t.Errorf("%v; want ErrCallCycle", err)
		}
	})
}

// No two goroutines run the grain's code at a time, also where many methods await:
// they add to a sum without a lock, under the race detector.
func TestReenterableMethodsTakeTurns(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders().withAwait()
		sum, inside := 0, 0
		orders.words["add"] = func(_ *relay, ctx cluster.GrainContext, rest []string) (string, error) {
			c := ctx.Cluster()
			for range 5 {
				if inside++; inside != 1 {
					t.Error("two methods run at a time")
				}
				sum++
				inside--
				err := ctx.Await(func(ctx context.Context) error {
					_, err := callRelay(ctx, c, rest[0])
					return err
				})
				if err != nil {
					return "", err
				}
			}
			return "", nil
		}
		_, client := b.pair(orders)
		var all []<-chan string
		for i := range 50 {
			all = append(all, later(t.Context(), client, "a", "add", fmt.Sprint("x", i%7)))
		}
		for _, done := range all {
			if got := <-done; got != "" {
				t.Error(got)
			}
		}
		if sum != 250 {
			t.Errorf("the sum is %d; want 250", sum)
		}
	})
}

// A recursion through a reenterable method is stopped by the limit.
func TestReenterableRecursion(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders().withAwait()
		orders.words["again"] = func(_ *relay, ctx cluster.GrainContext, _ []string) (string, error) {
			c := ctx.Cluster()
			return "", ctx.Await(func(ctx context.Context) error {
				_, err := callRelayReenterably(ctx, c, "a", "again")
				return err
			})
		}
		_, client := b.pair(orders)
		if got := <-later(t.Context(), client, "a", "again"); !strings.Contains(got, cluster.ErrCallDepth.Error()) {
			t.Errorf("%s; want ErrCallDepth", got)
		}
		if n := orders.runs("a"); n != cluster.MaxCallDepth {
			t.Errorf("%d runs", n)
		}
	})
}

// A grain that stops lets its methods finish first; one that awaits is not idle.
func TestEndOfAGrainWhoseMethodAwaits(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders().diary().withAwait()
		first, client := b.pair(orders, cluster.WithPassivation(time.Second), cluster.WithMaxActivations(1))
		done := later(t.Context(), client, "a", "await", "b", "sleep", "5")
		time.Sleep(4 * time.Second)
		b.hears(orders, "+a", "a begins", "+b")
		if got := <-done; got != "slept" {
			t.Errorf("%s", got)
		}
		time.Sleep(10 * time.Second)
		orders.heard()
		done = later(t.Context(), client, "a", "await", "b", "sleep", "5")
		time.Sleep(time.Second)
		pid, err := client.GetContext(t.Context(), "a", relayKind)
		if err != nil {
			t.Fatal(err)
		}
		client.ActorSystem().Root.Poison(pid)
		if got := <-done; got != "slept" {
			t.Errorf("poison: %s", got)
		}
		synctest.Wait()
		ofB := regexp.MustCompile(`\bb\b`) // which makes room at the same moment
		heard := slices.DeleteFunc(orders.heard(), ofB.MatchString)
		if !strings.Contains(strings.Join(heard, " "), "a goes on -a stopped end a") {
			t.Errorf("poison: %q", heard)
		}
		b.process(orders.kind()) // hosts what is called meanwhile
		done = later(t.Context(), client, "a", "await", "a-b", "sleep", "5")
		time.Sleep(time.Second)
		if err := first.Shutdown(true); err != nil {
			t.Error(err)
		}
		if got := <-done; got != "slept" {
			t.Errorf("shutdown: %s", got)
		}
	})
}

// A panic of a method that has awaited is the answer of its call, and the grain's
// failure; others that await are told that it ends.
func TestPanicOfAReenterableMethod(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders().diary().withAwait()
		orders.words["boom"] = func(_ *relay, ctx cluster.GrainContext, _ []string) (string, error) {
			_ = ctx.Await(func(context.Context) error { return nil })
			panic("boom")
		}
		_, client := b.pair(orders)
		other := later(t.Context(), client, "a", "await", "b", "sleep", "5")
		synctest.Wait()
		began := time.Now()
		if got := <-later(t.Context(), client, "a", "boom"); !strings.Contains(got, "boom") || !strings.Contains(got, "panic") {
			t.Errorf("%s; want the panic", got)
		}
		if got := <-other; !strings.Contains(got, "context canceled") {
			t.Errorf("the other: %s", got)
		}
		if _, err := callRelay(t.Context(), client, "a"); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		b.hearsOf(orders, "+a", "a begins", "+b", "a goes on", "+a")
	})
}

// A method that awaits when the lease ends answers nothing, and its caller learns
// of it.
func TestLeaseThatEndsWhileAMethodAwaits(t *testing.T) {
	w, lease := newWorld(t), clustertest.NewLease()
	orders := newOrders().withAwait()
	entered := make(chan struct{})
	orders.words["hold"] = func(_ *relay, ctx cluster.GrainContext, _ []string) (string, error) {
		err := ctx.Await(func(ctx context.Context) error {
			close(entered)
			<-ctx.Done()
			return nil
		})
		return "secret", err
	}
	c := w.leased(lease, orders.kind())
	done := later(t.Context(), c, "a", "hold")
	<-entered
	lease.Set(driver.LeaseFenced)
	if got := <-done; strings.Contains(got, "secret") || !strings.Contains(got, cluster.ErrUnknownOutcome.Error()) || strings.Contains(got, cluster.ErrTimeout.Error()) {
		t.Errorf("%s; want ErrUnknownOutcome, and not because the time ran out", got)
	}
}
