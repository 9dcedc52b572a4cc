package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
)

// A call that comes back to a grain that waits for it is refused at once: in the
// bubble no time passes. That holds for grains of one member and of several.
func TestCallCycles(t *testing.T) {
	for _, members := range []int{1, 3} {
		for _, path := range []string{"a a", "a b a", "a b b", "a b c d e a", "a b c d e c"} {
			t.Run(fmt.Sprintf("%s, members %d", path, members), func(t *testing.T) {
				inBubble(t, func(t *testing.T, b *bubble) {
					orders := newOrders()
					var at *cluster.Cluster
					for range members {
						at = b.process(orders.kind())
					}
					b.warm(at, path)
					ran := orders.runs("a")
					began := time.Now()
					words := strings.Fields(path)
					_, err := callRelay(t.Context(), at, words[0], strings.Fields("call "+strings.Join(words[1:], " call "))...)
					if !errors.Is(err, cluster.ErrCallCycle) || !strings.Contains(err.Error(), strings.Join(words, " → Relay/")) {
						t.Errorf("%v; want ErrCallCycle that names the path", err)
					}
					if ge, ok := errors.AsType[*cluster.GrainError](err); !ok || ge.Code != cluster.CodeCallCycle {
						t.Errorf("%v; want CodeCallCycle", err)
					}
					if took := time.Since(began); took != 0 {
						t.Errorf("%v passed", took)
					}
					if n := orders.runs("a") - ran; n != 1 {
						t.Errorf("a ran %d times", n)
					}
				})
			})
		}
	}
}

// warm calls each of the relays once, and lets the members connect.
func (b *bubble) warm(c *cluster.Cluster, path string) {
	b.t.Helper()
	for _, from := range b.made {
		for id := range strings.FieldsSeq(path) {
			if _, err := callRelay(b.t.Context(), from, id); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	for id := range strings.FieldsSeq(path) {
		for other := range strings.FieldsSeq(path) {
			if other != id {
				if _, err := callRelay(b.t.Context(), c, id, "call", other); err != nil {
					b.t.Fatal(err)
				}
			}
		}
	}
}

// What looks like a cycle and is none: two grains of one kind, a grain called
// twice, and a turn that has returned.
func TestCallsThatAreNoCycles(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders()
		left := make(chan error, 1)
		orders.words["twice"] = func(_ *relay, ctx cluster.GrainContext, rest []string) (string, error) {
			if _, err := callRelay(ctx, ctx.Cluster(), rest[0]); err != nil {
				return "", err
			}
			return callRelay(ctx, ctx.Cluster(), rest[0])
		}
		// The call goes on after the method has returned, and so has nobody who
		// waits for it.
		orders.words["leave"] = func(_ *relay, ctx cluster.GrainContext, rest []string) (string, error) {
			background, c := context.WithoutCancel(ctx), ctx.Cluster()
			returned := make(chan struct{})
			time.AfterFunc(time.Second, func() { close(returned) })
			go func() {
				<-returned
				_, err := callRelay(background, c, rest[0], rest[1:]...)
				left <- err
			}()
			return "", nil
		}
		c := b.process(orders.kind())
		b.process(orders.kind())
		for _, words := range []string{"a call a2 call a3", "a twice b", "a call b twice c"} {
			if _, err := callRelay(t.Context(), c, "x", append([]string{"call"}, strings.Fields(words)...)...); err != nil {
				t.Errorf("%s: %v", words, err)
			}
		}
		for _, words := range []string{"a", "b call a"} {
			if _, err := callRelay(t.Context(), c, "a", append([]string{"leave"}, strings.Fields(words)...)...); err != nil {
				t.Fatal(err)
			}
			if err := <-left; err != nil {
				t.Errorf("a call of %q behind the turn: %v", words, err)
			}
		}
	})
}

// A grain goes on after its caller has given up, which is no longer in its way.
func TestNoCycleOfACallerThatHasGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders()
		done := make(chan error, 1)
		orders.words["patient"] = func(_ *relay, ctx cluster.GrainContext, rest []string) (string, error) {
			<-ctx.Done()
			_, err := callRelay(context.WithoutCancel(ctx), ctx.Cluster(), rest[0])
			done <- err
			return "", err
		}
		orders.words["hasty"] = func(_ *relay, ctx cluster.GrainContext, rest []string) (string, error) {
			return callRelayWith(ctx, ctx.Cluster(), rest[0], strings.Join(rest[1:], " "), cluster.WithTimeout(time.Second))
		}
		c := b.process(orders.kind())
		b.process(orders.kind())
		if _, err := callRelay(t.Context(), c, "a", "hasty", "b", "patient", "a"); err == nil {
			t.Error("a call that had ended was answered")
		}
		if err := <-done; err != nil {
			t.Errorf("the call of the first caller: %v", err)
		}
	})
}

// Grains that call ever new grains are stopped by a limit.
func TestCallsNestedTooDeeply(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders()
		orders.words["down"] = func(r *relay, ctx cluster.GrainContext, _ []string) (string, error) {
			return callRelay(ctx, ctx.Cluster(), r.ID()+"x", "down")
		}
		c := b.process(orders.kind())
		b.process(orders.kind())
		began := time.Now()
		_, err := callRelay(t.Context(), c, "x", "down")
		if ge, ok := errors.AsType[*cluster.GrainError](err); !ok || ge.Code != cluster.CodeCallDepth || !errors.Is(err, cluster.ErrCallDepth) {
			t.Errorf("%v; want ErrCallDepth", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
		if deepest := strings.Repeat("x", cluster.MaxCallDepth); orders.runs(deepest) != 1 || orders.runs(deepest+"x") != 0 {
			t.Error("the limit is another one")
		}
	})
}

// What is a cycle is told by the cluster, too: a grain calls the one of the same name elsewhere, and not itself by way of another
// cluster. The clusters give the same tokens, so that these do not tell the two apart.
func TestCallsAcrossClusters(t *testing.T) {
	for _, members := range []int{1, 3} {
		inBubble(t, func(t *testing.T, b *bubble) {
			orders := newOrders()
			clusters := make(map[string]*cluster.Cluster)
			for _, name := range []string{"here", "there"} {
				registry := clustertest.NewRegistry()
				for range members {
					c := b.start(b.named(name, registry.Provider(), orders.kind()), false)
					clusters[name] = c
					orders.words[name] = func(_ *relay, ctx cluster.GrainContext, rest []string) (string, error) {
						return callRelay(ctx, clusters[name], rest[0], rest[1:]...)
					}
				}
			}
			for path, cycle := range map[string]string{
				"there a":                        "",
				"there b there a":                "",
				"here b there a":                 "",
				"there a here b there c":         "",
				"here b there a there b":         "",
				"there b here a":                 `Relay/a → Relay/b (of cluster "there") → Relay/a`,
				"there a here a":                 `Relay/a → Relay/a (of cluster "there") → Relay/a`,
				"there b here c there d here a":  "→ Relay/a",
				"there b here c there b":         `Relay/a (of cluster "here") → Relay/b → Relay/c (of cluster "here") → Relay/b`,
				"here b there c there d here b ": "→ Relay/b",
			} {
				began := time.Now()
				_, err := callRelay(t.Context(), clusters["here"], "a", path)
				switch {
				case cycle == "" && err != nil:
					t.Errorf("%s, members %d: %v", path, members, err)
				case cycle != "" && (!errors.Is(err, cluster.ErrCallCycle) || !strings.Contains(err.Error(), cycle)):
					t.Errorf("%s, members %d: %v; want ErrCallCycle of %s", path, members, err, cycle)
				}
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("%s took %v", path, took)
				}
			}
		})
	}
}
