package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
)

// diary lets relays tell when they begin and end.
func (o *orders) diary() *orders {
	o.activate = func(r *relay, _ cluster.GrainContext) error { o.tell("+", r.ID()); return nil }
	o.deactivate = func(r *relay, ctx cluster.GrainContext, why cluster.DeactivationReason) error {
		left := ""
		if deadline, has := ctx.Deadline(); !has || ctx.Err() != nil || time.Until(deadline) > cluster.DefaultRequestTimeout {
			left = fmt.Sprint(", ", ctx.Err())
		}
		o.tell("-", r.ID(), " ", why, left)
		return nil
	}
	o.terminate = func(r *relay) { o.tell("end ", r.ID()) }
	return o
}

// hears compares what relays have told.
func (b *bubble) hears(o *orders, want ...string) {
	b.t.Helper()
	synctest.Wait()
	if got := o.heard(); !slices.Equal(got, want) {
		b.t.Errorf("heard %q; want %q", got, want)
	}
}

// hearsOf is hears in any order.
func (b *bubble) hearsOf(o *orders, want ...string) {
	b.t.Helper()
	synctest.Wait()
	got := o.heard()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		b.t.Errorf("heard %q; want %q", got, want)
	}
}

func (b *bubble) calls(c *cluster.Cluster, ids ...string) {
	b.t.Helper()
	for _, id := range ids {
		time.Sleep(time.Millisecond)
		if _, err := callRelay(b.t.Context(), c, id); err != nil {
			b.t.Errorf("call %s: %v", id, err)
		}
	}
}

// A grain hears why it ends, before Terminate, with a context that has a deadline.
func TestReasonsOfDeactivation(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders().diary()
		first, client := b.pair(orders, cluster.WithPassivation(time.Minute))
		b.calls(client, "a")
		b.hears(orders, "+a")
		time.Sleep(2 * time.Minute)
		b.hears(orders, "-a idle", "end a")
		b.calls(client, "a")
		pid, err := client.GetContext(t.Context(), "a", relayKind)
		if err != nil {
			t.Fatal(err)
		}
		client.ActorSystem().Root.Poison(pid)
		b.hears(orders, "+a", "-a stopped", "end a")
		b.calls(client, "a")
		if err := first.Shutdown(true); err != nil {
			t.Error(err)
		}
		b.hears(orders, "+a", "-a its member leaves", "end a")
	})
}

func TestShutdownThatIsNotGracefulCancelsOnDeactivate(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders().diary()
		member, client := b.pair(orders)
		b.calls(client, "a")
		if err := member.Shutdown(false); err != nil {
			t.Error(err)
		}
		b.hears(orders, "+a", "-a its member leaves, context canceled", "end a")
	})
}

// An activation that fails is the answer of the calls that wait for it. Later
// ones try again, with pauses, and then the grain is there.
func TestOnActivateThatFails(t *testing.T) {
	for what, fail := range map[string]func() error{
		"error": func() error { return errors.New("no state to load") },
		"panic": func() error { panic("no state to load") },
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				orders := newOrders().diary()
				tries := 0
				orders.activate = func(*relay, cluster.GrainContext) error {
					if tries++; tries < 5 {
						return fail()
					}
					return nil
				}
				_, client := b.pair(orders)
				began, calls := time.Now(), 0
				for ; tries < 5; calls++ {
					time.Sleep(time.Millisecond)
					_, err := callRelay(t.Context(), client, "a")
					ge, ok := errors.AsType[*cluster.GrainError](err)
					if tries < 5 && (!ok || ge.Code != cluster.CodeActivation || !strings.Contains(ge.Message, "no state to load")) {
						t.Fatalf("%v; want CodeActivation", err)
					}
				}
				if took := time.Since(began); took < 50*time.Millisecond || took > time.Second || calls < 20 {
					t.Errorf("the fifth try came after %v and %d calls", took, calls)
				}
				b.hears(orders)
			})
		})
	}
}

// OnActivate is a turn of the grain: its calls carry that it waits.
func TestOnActivateThatCallsItself(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders()
		orders.activate = func(r *relay, ctx cluster.GrainContext) error {
			if r.ID() != "a" {
				return nil
			}
			_, err := callRelay(ctx, ctx.Cluster(), "b", "call", "a")
			return err
		}
		_, client := b.pair(orders)
		began := time.Now()
		if _, err := callRelay(t.Context(), client, "a"); err == nil || !strings.Contains(err.Error(), cluster.ErrCallCycle.Error()) {
			t.Errorf("%v; want ErrCallCycle", err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
	})
}

// A panic in OnDeactivate does not keep a grain from its end.
func TestOnDeactivateThatPanics(t *testing.T) {
	inBubble(t, func(_ *testing.T, b *bubble) {
		orders := newOrders().diary()
		orders.deactivate = func(*relay, cluster.GrainContext, cluster.DeactivationReason) error { panic("cannot save") }
		_, client := b.pair(orders, cluster.WithPassivation(time.Minute))
		b.calls(client, "a")
		time.Sleep(2 * time.Minute)
		b.calls(client, "a")
		b.hears(orders, "+a", "end a", "+a")
	})
}

// A strict grain saves in OnDeactivate, and its next activation finds that in
// OnActivate.
func TestStrictGrainSavesWhenItEnds(t *testing.T) {
	w, store := newWorld(t), clustertest.NewFencedStore()
	orders := newOrders()
	orders.activate = func(_ *relay, ctx cluster.GrainContext) error {
		value, err := ctx.State().Load(ctx)
		orders.tell("+", string(value))
		return err
	}
	orders.deactivate = func(_ *relay, ctx cluster.GrainContext, _ cluster.DeactivationReason) error {
		return ctx.State().Save(ctx, []byte(ctx.Fence().String()))
	}
	c := w.leased(clustertest.NewLease(), orders.kind(cluster.WithStrict(store)))
	var want []string
	for fence := (driver.Fence{}); len(want) < 3; {
		if _, err := callRelay(t.Context(), c, "a"); err != nil {
			t.Fatal(err)
		}
		if fence.IsZero() {
			want = append(want, "+")
		} else {
			want = append(want, "+"+fence.String())
		}
		fence = fenceOf(t, c)
		if _, err := c.ActorSystem().Root.PoisonFuture(c.Get("a", relayKind)).ResultContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := orders.heard(); !reflect.DeepEqual(got, want) {
		t.Errorf("activations found %q; want %q", got, want)
	}
}

// fenceOf reads the token of the relay a from its PID.
func fenceOf(t *testing.T, c *cluster.Cluster) (f driver.Fence) {
	t.Helper()
	id := c.Get("a", relayKind).Id
	if _, err := fmt.Sscanf(id[strings.LastIndexByte(id, ':')+1:], "%x.%x", &f.Term, &f.Seq); err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	return f
}

// Timers are turns of the grain; they end with the activation and keep nothing alive.
func TestTimers(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders().diary()
		orders.words["timers"] = func(r *relay, ctx cluster.GrainContext, _ []string) (string, error) {
			began := time.Now()
			count := 0
			_, err := ctx.After(5*time.Second, func(cluster.GrainContext) { orders.tell("after ", time.Since(began)) })
			var every *cluster.GrainTimer
			every, err2 := ctx.Every(10*time.Second, func(cluster.GrainContext) {
				if count++; count == 3 {
					every.Stop()
				}
				orders.tell("every ", time.Since(began))
				time.Sleep(time.Second)
			})
			_, err3 := ctx.Every(25*time.Second, func(ctx cluster.GrainContext) {
				_, err := callRelay(ctx, ctx.Cluster(), "b", "call", r.ID())
				orders.tell("cycle ", errors.Is(err, cluster.ErrCallCycle), " ", time.Since(began))
			})
			return "", errors.Join(err, err2, err3)
		}
		_, client := b.pair(orders, cluster.WithPassivation(time.Minute))
		b.calls(client, "b")
		orders.heard()
		if _, err := callRelay(t.Context(), client, "a", "timers"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		b.hears(orders, "+a", "after 5s", "every 10s", "every 21s", "cycle true 25s", "every 32s", "cycle true 50s")
		time.Sleep(time.Hour)
		b.hears(orders, "-a idle", "end a", "-b idle", "end b")
	})
}

func TestTimersThatCannotBe(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders()
		nothing := func(cluster.GrainContext) {}
		orders.words["bad"] = func(_ *relay, ctx cluster.GrainContext, _ []string) (string, error) {
			for what, start := range map[string]func() (*cluster.GrainTimer, error){
				"zero":     func() (*cluster.GrainTimer, error) { return ctx.After(0, nothing) },
				"negative": func() (*cluster.GrainTimer, error) { return ctx.Every(-1, nothing) },
				"nil":      func() (*cluster.GrainTimer, error) { return ctx.Every(time.Second, nil) },
			} {
				if timer, err := start(); !errors.Is(err, cluster.ErrTimer) || timer != nil {
					t.Errorf("%s: %v, %v", what, timer, err)
				}
			}
			for range cluster.MaxGrainTimers {
				if _, err := ctx.After(time.Hour, nothing); err != nil {
					return "", err
				}
			}
			_, err := ctx.After(time.Hour, nothing)
			if !errors.Is(err, cluster.ErrTimer) {
				t.Errorf("one too many: %v", err)
			}
			return "", nil
		}
		// A panic ends the grain's timers, as all else of it.
		orders.words["panic"] = func(_ *relay, ctx cluster.GrainContext, _ []string) (string, error) {
			_, err := ctx.Every(time.Second, func(cluster.GrainContext) { orders.tell("tick"); panic("boom") })
			return "", err
		}
		_, client := b.pair(orders)
		if _, err := callRelay(t.Context(), client, "a", "bad"); err != nil {
			t.Error(err)
		}
		if _, err := callRelay(t.Context(), client, "a", "panic"); err == nil {
			t.Error("timer 1,025 was started")
		}
		if _, err := callRelay(t.Context(), client, "b", "panic"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		b.calls(client, "b")
		b.hears(orders, "tick")
	})
}

// No timer begins once the lease has ended.
func TestTimersOfAGrainWhoseLeaseHasEnded(t *testing.T) {
	w, lease := newWorld(t), clustertest.NewLease()
	orders := newOrders()
	ticks := make(chan struct{}, 1000)
	orders.words["start"] = func(_ *relay, ctx cluster.GrainContext, _ []string) (string, error) {
		_, err := ctx.Every(time.Millisecond, func(cluster.GrainContext) { ticks <- struct{}{} })
		return "", err
	}
	c := w.leased(lease, orders.kind())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := callRelay(ctx, c, "a", "start"); err != nil {
		t.Fatal(err)
	}
	<-ticks
	lease.Set(driver.LeaseFenced)
	for n := len(ticks); n > 0; n-- {
		<-ticks
	}
	// At most the turn that was on when the lease ended.
	if err := c.Shutdown(false); err != nil {
		t.Error(err)
	}
	if n := len(ticks); n > 1 {
		t.Errorf("%d ticks behind the lease", n)
	}
}
