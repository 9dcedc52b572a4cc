package cluster_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
)

// suspended is a kind whose actor answers when a future completes that the test
// knows, "fail" makes it fail, and everything else is answered at once.
func suspended(futures chan *actor.Future, opts ...cluster.KindOption) *cluster.Kind {
	return cluster.NewKind(ledgerKind, actor.PropsFromFunc(func(ctx actor.Context) {
		m, ok := ctx.Message().(*wrapperspb.Int64Value)
		switch {
		case !ok:
		case m.Value == 1:
			f := actor.NewFuture(ctx.ActorSystem(), 0)
			ctx.ReenterAfter(f, func(any, error) { ctx.Respond(m) })
			futures <- f
		case m.Value == 2:
			panic("fail")
		default:
			ctx.Respond(m)
		}
	}), opts...)
}

// payLater calls and gives the outcome when it is there.
func payLater(c *cluster.Cluster, amount int64) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := pay(c, amount, cluster.WithTimeout(time.Hour))
		done <- err
	}()
	return done
}

// Whoever waits for a continuation when the grain ends or fails learns at once that
// the outcome is unknown.
func TestGrainThatEndsBeforeItsContinuation(t *testing.T) {
	for name, end := range map[string]func(b *bubble, host, client *cluster.Cluster, pid *actor.PID){
		"stopped":  func(_ *bubble, host, _ *cluster.Cluster, pid *actor.PID) { host.ActorSystem().Root.Stop(pid) },
		"poisoned": func(_ *bubble, host, _ *cluster.Cluster, pid *actor.PID) { host.ActorSystem().Root.Poison(pid) },
		"failed": func(_ *bubble, _, client *cluster.Cluster, _ *actor.PID) {
			_, _ = pay(client, 2, cluster.WithTimeout(time.Millisecond))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				futures := make(chan *actor.Future, 1)
				host := b.process(suspended(futures))
				client := b.process()
				done := payLater(client, 1)
				f := <-futures
				pid, err := client.GetContext(t.Context(), ledgerID.Name, ledgerKind)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				end(b, host, client, pid)
				err = <-done
				if errors.Is(err, cluster.ErrTimeout) || err == nil || time.Since(start) > time.Second {
					t.Errorf("%v after %v", err, time.Since(start))
				}
				f.Cancel() // too late
				synctest.Wait()
			})
		})
	}
}

// A grain in the middle of a continuation is not taken for idle.
func TestContinuingGrainIsNotEvicted(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		futures := make(chan *actor.Future, 1)
		b.process(suspended(futures, cluster.WithMaxActivations(1)))
		client := b.process()
		done := payLater(client, 1)
		f := <-futures
		time.Sleep(time.Minute)
		if _, err := client.CallContext(t.Context(), "another", ledgerKind, wrapperspb.Int64(7)); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		f.Cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
