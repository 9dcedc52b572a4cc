package bubble_test

import (
	"context"
	"encoding/binary"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/clustertest/bubble"
)

// account adds what it is sent to its balance, and answers with it.
func account(store *clustertest.FencedStore) *cluster.Kind {
	return cluster.NewKind("Account", actor.PropsFromFunc(func(ctx actor.Context) {
		m, ok := ctx.Message().(*wrapperspb.Int64Value)
		if !ok {
			return
		}
		state := cluster.StateOf(ctx)
		value, err := state.Load(context.Background())
		if err != nil {
			return
		}
		balance := m.Value
		if len(value) == 8 {
			balance += int64(binary.BigEndian.Uint64(value))
		}
		if m.Value != 0 && state.Save(context.Background(), binary.BigEndian.AppendUint64(nil, uint64(balance))) != nil {
			return
		}
		ctx.Respond(wrapperspb.Int64(balance))
	}), cluster.WithStrict(store))
}

// forgetful has the planted bug: its balance is nowhere but in memory.
func forgetful() *cluster.Kind {
	return cluster.NewKind("Account", actor.PropsFromProducer(func() actor.Actor {
		var balance int64
		return actor.ReceiveFunc(func(ctx actor.Context) {
			if m, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
				balance += m.Value
				ctx.Respond(wrapperspb.Int64(balance))
			}
		})
	}), cluster.WithLease())
}

func bank() bubble.Options {
	store := clustertest.NewFencedStore()
	return bubble.Options{Members: 3, Member: func(int) []cluster.Option { return []cluster.Option{account(store)} }}
}

func pay(ctx context.Context, c *cluster.Cluster, number int, n int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	reply, err := c.CallContext(ctx, strconv.Itoa(number), "Account", wrapperspb.Int64(n))
	if err != nil {
		return 0, err
	}
	return reply.(*wrapperspb.Int64Value).Value, nil
}

func TestFaultsOfACluster(t *testing.T) {
	faults := map[string]func(*bubble.Cluster){
		"none":    func(*bubble.Cluster) {},
		"kill":    func(c *bubble.Cluster) { c.Kill(0) },
		"isolate": func(c *bubble.Cluster) { c.Isolate(1) },
		"store":   func(c *bubble.Cluster) { c.CutStore(2) },
		"one way": func(c *bubble.Cluster) { c.Cut(0, 1) },
		"add":     func(c *bubble.Cluster) { c.Add() },
		"pause":   func(c *bubble.Cluster) { c.Pause(0) },
		"slow":    func(c *bubble.Cluster) { c.Slow(0, 1, 300*time.Millisecond) },
		"paused and killed": func(c *bubble.Cluster) {
			c.Pause(0)
			c.Kill(0)
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			bubble.Run(t, bank(), func(t *testing.T, c *bubble.Cluster) {
				if sum, err := pay(t.Context(), c.Client(), 0, 5); err != nil || sum != 5 {
					t.Fatalf("%d, %v; want 5", sum, err)
				}
				fault(c)
				timer := time.NewTimer(5 * time.Second)
				<-timer.C
				c.Heal()
				if err := c.Settle(time.Minute); err != nil {
					t.Fatal(err)
				}
				if sum, err := pay(t.Context(), c.Client(), 0, 1); err != nil || sum != 6 {
					t.Errorf("%d, %v; want 6", sum, err)
				}
			})
		})
	}
}
