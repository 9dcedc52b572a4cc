package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
)

// pair starts a member with relays and a client.
func (b *bubble) pair(o *orders, opts ...cluster.KindOption) (member, client *cluster.Cluster) {
	return b.process(o.kind(opts...)), b.process()
}

// Headers reach the grain, go on to the grains it calls, and do not come back.
func TestHeaders(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders()
		orders.words["headers"] = func(_ *relay, ctx cluster.GrainContext, _ []string) (string, error) {
			return fmt.Sprint(map[string]string(cluster.HeaderFrom(ctx))), nil
		}
		orders.words["more"] = func(r *relay, ctx cluster.GrainContext, rest []string) (string, error) {
			return callRelay(cluster.WithHeader(ctx, "tenant", r.ID()), ctx.Cluster(), rest[0], rest[1:]...)
		}
		member, client := b.pair(orders)
		b.process(orders.kind())
		for _, c := range []*cluster.Cluster{member, client} {
			ctx := cluster.WithHeader(cluster.WithHeader(t.Context(), "trace", "7"), "tenant", "acme")
			for words, want := range map[string]string{
				"headers":               "map[tenant:acme trace:7]",
				"call b call c headers": "map[tenant:acme trace:7]",
				"more b headers":        "map[tenant:a trace:7]",
				"more b more c headers": "map[tenant:b trace:7]",
			} {
				if got, err := callRelay(ctx, c, "a", words); err != nil || got != want {
					t.Errorf("%s: %s, %v; want %s", words, got, err, want)
				}
			}
			if got := cluster.HeaderFrom(ctx); !maps.Equal(got, actor.MessageHeader{"tenant": "acme", "trace": "7"}) {
				t.Errorf("the caller's headers are %v", got)
			}
			if got, err := callRelay(t.Context(), c, "a", "headers"); err != nil || got != "map[]" {
				t.Errorf("a call without: %s, %v", got, err)
			}
		}
	})
}

// Plain actors find the headers, beside those of an envelope of one's own.
func TestHeadersOfPlainActors(t *testing.T) {
	w := newWorld(t)
	w.member(cluster.NewKind("Plain", actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
			ctx.Respond(wrapperspb.String(fmt.Sprint(map[string]string(ctx.MessageHeader()))))
		}
	})))
	c, ctx := w.client(), cluster.WithHeader(t.Context(), "a", "1")
	one := wrapperspb.Int64(1)
	for _, message := range []any{one, &actor.MessageEnvelope{Message: one}} {
		if got, err := c.CallContext(ctx, "x", "Plain", message); err != nil || got.(*wrapperspb.StringValue).Value != "map[a:1]" {
			t.Errorf("%v, %v", got, err)
		}
	}
	own := &actor.MessageEnvelope{Message: one, Header: actor.MessageHeader{"a": "2", "b": "3"}}
	if got, err := c.CallContext(ctx, "x", "Plain", own); err != nil || got.(*wrapperspb.StringValue).Value != "map[a:2 b:3]" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestHeadersThatCannotBeSent(t *testing.T) {
	w := newWorld(t)
	c := w.member()
	many := t.Context()
	for i := range cluster.MaxHeaders + 1 {
		many = cluster.WithHeader(many, strconv.Itoa(i), "x") //nolint:fatcontext // as many as one likes
	}
	for what, ctx := range map[string]context.Context{
		"too many": many, "no name": cluster.WithHeader(t.Context(), "", "x"), "no UTF-8": cluster.WithHeader(t.Context(), "x", "\xff"),
		"too large": cluster.WithHeader(t.Context(), "x", strings.Repeat("x", cluster.MaxHeaderBytes)),
	} {
		if _, err := c.CallContext(ctx, "x", counterKind, wrapperspb.Int64(1)); !errors.Is(err, cluster.ErrInvalidMessage) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A caller that gives up is noticed by the method, also in another process, and
// along a chain of grains. What waits behind does not run.
func TestCancelledCallerReachesTheGrain(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders()
		entered, noticed := make(chan struct{}, 1), make(chan time.Duration, 1)
		orders.words["wait"] = func(_ *relay, ctx cluster.GrainContext, _ []string) (string, error) {
			entered <- struct{}{}
			began := time.Now()
			<-ctx.Done()
			noticed <- time.Since(began)
			return "", ctx.Err()
		}
		member, client := b.pair(orders)
		b.process(orders.kind())
		for _, c := range []*cluster.Cluster{member, client} {
			for _, words := range []string{"wait", "call b wait", "call b call c wait"} {
				ran := orders.runs("a")
				stopFirst, first := giveUpLater(t, c, words)
				<-entered
				stopBehind, behind := giveUpLater(t, c, "")
				synctest.Wait()
				stopBehind()
				synctest.Wait()
				stopFirst()
				for _, done := range []<-chan error{first, behind} {
					if err := <-done; !errors.Is(err, context.Canceled) {
						t.Errorf("%s: %v", words, err)
					}
				}
				if took := <-noticed; took != 0 {
					t.Errorf("%s: the method waited for %v", words, took)
				}
				if _, err := callRelay(t.Context(), c, "a"); err != nil {
					t.Error(err)
				}
				if n := orders.runs("a") - ran; n != 2 {
					t.Errorf("%s: %d runs; want that of the call and the one behind it all", words, n)
				}
			}
		}
	})
}

// giveUpLater calls the relay a until stop is called.
func giveUpLater(t *testing.T, c *cluster.Cluster, words string) (stop func(), done <-chan error) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := callRelay(ctx, c, "a", words)
		ended <- err
	}()
	return stop, ended
}

// The answer to an earlier try ends the call when it comes, though a later try
// waits. If that one runs all the same, it is told at once that nobody waits.
func TestLateReply(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders()
		orders.words["slow"] = func(r *relay, ctx cluster.GrainContext, _ []string) (string, error) {
			select {
			case <-time.After(cluster.DefaultTryTimeout + time.Second):
				return strconv.Itoa(orders.runs(r.ID())), nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		member, client := b.pair(orders)
		for i, c := range []*cluster.Cluster{member, client} {
			id := strconv.Itoa(i)
			began := time.Now()
			got, err := callRelayWith(t.Context(), c, id, "slow", cluster.WithRetry(5), cluster.WithTimeout(time.Minute))
			if took := time.Since(began); err != nil || got != "1" || took != cluster.DefaultTryTimeout+time.Second {
				t.Errorf("%q, %v after %v; want the first run's answer when it came", got, err, took)
			}
			began = time.Now()
			if _, err := callRelay(t.Context(), c, id); err != nil || time.Since(began) != 0 {
				t.Errorf("%v after %v: the second try went on", err, time.Since(began))
			}
		}
	})
}

// A kind that remembers its answers runs a call once, however often it is tried;
// connections break at random while calls and their answers are under way.
func TestDeduplication(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				random := rand.New(rand.NewPCG(seed, 0))
				orders := newOrders()
				orders.words["pause"] = func(r *relay, _ cluster.GrainContext, _ []string) (string, error) {
					time.Sleep(time.Duration(rand.N(20)) * time.Millisecond)
					return strconv.Itoa(orders.runs(r.ID())), nil
				}
				member, client := b.pair(orders, cluster.WithDeduplication(8))
				stop, done := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(done)
					for {
						select {
						case <-stop:
							return
						case <-time.After(time.Duration(random.IntN(40)) * time.Millisecond):
							b.network.cut(member.ActorSystem().Address())
							b.network.cut(client.ActorSystem().Address())
						}
					}
				}()
				const calls = 50
				for i := range calls {
					got, err := callRelayWith(t.Context(), client, "a", "pause", cluster.WithRetry(1000), cluster.WithTimeout(time.Minute))
					if err != nil || got != strconv.Itoa(i+1) {
						t.Errorf("call %d: %q, %v", i+1, got, err)
						break
					}
				}
				close(stop)
				<-done
			})
		})
	}
}

// Calls that name themselves alike are one call, within the window.
func TestCallIDs(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders()
		orders.words["id"] = func(r *relay, ctx cluster.GrainContext, _ []string) (string, error) {
			return fmt.Sprint(cluster.CallIDFrom(ctx), " ", orders.runs(r.ID())), nil
		}
		orders.words["fail"] = func(r *relay, _ cluster.GrainContext, _ []string) (string, error) {
			return "", &cluster.GrainError{Code: cluster.CodeApplication + 1, Message: strconv.Itoa(orders.runs(r.ID()))}
		}
		member, client := b.pair(orders, cluster.WithDeduplication(2))
		for i, c := range []*cluster.Cluster{member, client} {
			for _, step := range [][2]string{{"x", "x 1"}, {"x", "x 1"}, {"y", "y 2"}, {"z", "z 3"}, {"y", "y 2"}, {"x", "x 4"}, {"", " 5"}, {"", " 6"}} {
				got, err := callRelayWith(t.Context(), c, strconv.Itoa(i), "id", cluster.WithCallID(step[0]))
				if err != nil || got != step[1] {
					t.Errorf("%q gave %q, %v; want %q", step[0], got, err, step[1])
				}
			}
			for range 2 {
				_, err := callRelayWith(t.Context(), c, fmt.Sprint("f", i), "fail", cluster.WithCallID("f"))
				if ge, ok := errors.AsType[*cluster.GrainError](err); !ok || ge.Code != cluster.CodeApplication+1 || ge.Message != "1" {
					t.Errorf("%v; want the first answer, which is an error", err)
				}
			}
			for _, bad := range []string{"\xff", strings.Repeat("x", cluster.MaxCallIDLength+1)} {
				if _, err := callRelayWith(t.Context(), c, "a", "id", cluster.WithCallID(bad)); !errors.Is(err, cluster.ErrInvalidMessage) {
					t.Errorf("id %.5q: %v", bad, err)
				}
			}
		}
	})
}

// A grain that gives up at its caller's deadline may be quicker than the caller's own
// timer: that is a time-out all the same.
func TestDeadlineThatTheGrainSeesFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders()
		orders.words["wait"] = func(_ *relay, ctx cluster.GrainContext, _ []string) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}
		member, client := b.pair(orders)
		for _, c := range []*cluster.Cluster{member, client} {
			for range 200 {
				_, err := callRelayWith(t.Context(), c, "a", "wait", cluster.WithTimeout(time.Second))
				if !errors.Is(err, cluster.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("%v; want ErrTimeout", err)
				}
			}
		}
	})
}
