package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/remote"
)

// count is a strict grain's method that runs once for each call, whatever happens:
// the ids of the last calls are saved with the sum, in one write.
func count(_ *relay, ctx cluster.GrainContext, _ []string) (string, error) {
	value, err := ctx.State().Load(ctx)
	if err != nil {
		return "", err
	}
	sum, ids := 0, strings.Fields(string(value))
	if len(ids) > 0 {
		if sum, err = strconv.Atoi(ids[0]); err != nil {
			return "", err
		}
		ids = ids[1:]
	}
	id := cluster.CallIDFrom(ctx)
	if id == "" {
		return "", errors.New("the call has no id")
	}
	if slices.Contains(ids, id) {
		return strconv.Itoa(sum), nil // it has run before
	}
	sum, ids = sum+1, append(ids, id)
	if len(ids) > 4 {
		ids = ids[1:]
	}
	return strconv.Itoa(sum), ctx.State().Save(ctx, []byte(fmt.Sprint(sum, " ", strings.Join(ids, " "))))
}

// Calls that are tried again are counted once each, though members are killed,
// connections break and writes fail, at random.
func TestCallsAreCountedOnce(t *testing.T) {
	killed := 0
	for seed := range uint64(killSeeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				random := rand.New(rand.NewPCG(seed, 1))
				orders, store := newOrders(), clustertest.NewFencedStore()
				orders.words["count"] = func(r *relay, ctx cluster.GrainContext, rest []string) (string, error) {
					time.Sleep(time.Duration(rand.N(10)) * time.Millisecond)
					return count(r, ctx, rest)
				}
				start := func() *cluster.Cluster { return b.leasedProcess(orders.kind(cluster.WithStrict(store))) }
				members := []*cluster.Cluster{start(), start()}
				client := b.process()
				stop, done := make(chan struct{}), make(chan int)
				go func() {
					kills := 0
					defer func() { done <- kills }()
					for {
						select {
						case <-stop:
							return
						case <-time.After(time.Duration(random.IntN(30)) * time.Millisecond):
						}
						switch victim := random.IntN(len(members)); random.IntN(4) {
						case 0:
							if err := members[victim].Shutdown(false); err != nil {
								t.Error(err)
							}
							members[victim] = start()
							kills++
						case 1:
							store.FailWrites(1)
						default:
							b.network.cut(members[victim].ActorSystem().Address())
							b.network.cut(client.ActorSystem().Address())
						}
					}
				}()
				for i := range 50 {
					got, err := b.persistently(client, fmt.Sprint("call-", i))
					if err != nil || got != strconv.Itoa(i+1) {
						t.Errorf("call %d: %q, %v", i+1, got, err)
						break
					}
				}
				close(stop)
				killed += <-done
			})
		})
	}
	if killed < killSeeds {
		t.Errorf("only %d members were killed in all", killed)
	}
}

// persistently makes one call until it is answered, under one name.
func (b *bubble) persistently(c *cluster.Cluster, name string) (got string, err error) {
	id := cluster.WithCallID(name)
	for range 1000 {
		got, err = callRelayWith(b.t.Context(), c, "a", "count", id, cluster.WithRetry(1000), cluster.WithTimeout(time.Minute))
		if err == nil {
			break
		}
	}
	return got, err
}

// leasedProcess starts a member whose lease holds as long as it lives.
func (b *bubble) leasedProcess(opts ...cluster.Option) *cluster.Cluster {
	b.t.Helper()
	c := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())), cluster.Configure("test", b.registry.LeasedProvider(clustertest.NewLease()),
		remote.Configure("127.0.0.1", 0, remote.WithListener(b.network.listen), remote.WithDialer(b.network.dial)), opts...))
	if err := c.StartContext(context.WithoutCancel(b.t.Context())); err != nil {
		b.t.Fatal(err)
	}
	b.made = append(b.made, c)
	return c
}
