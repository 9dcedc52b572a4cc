package cluster_test

import (
	"context"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/remote"
)

// BenchmarkObserver is what an observer costs who wants to know nothing: calls by a
// member that has one and by one that has none take turns. The ratio is the median
// over all pairs. Here and Nested are as in BenchmarkCall, Remote is between two
// members of the same sort. What an observer costs that makes traces and metrics,
// the benchmark of contrib/otel tells.
func BenchmarkObserver(b *testing.B) {
	var members, clients [2]*cluster.Cluster
	for i, opts := range [][]cluster.Option{{cluster.WithObserver(&cluster.Observer{})}, nil} {
		registry := clustertest.NewRegistry()
		process := func(start func(*cluster.Cluster) error, more ...cluster.Option) *cluster.Cluster {
			c := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())),
				cluster.Configure("bench", registry.Provider(), remote.Configure("127.0.0.1", 0), append(more, opts...)...))
			if err := start(c); err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() {
				if err := c.Shutdown(true); err != nil {
					b.Error(err)
				}
			})
			return c
		}
		members[i] = process((*cluster.Cluster).Start, cluster.NewGrainKind("Echo", func() actor.Actor { return new(echoActor) }))
		clients[i] = process((*cluster.Cluster).StartClient)
	}
	one := wrapperspb.Int64(1)
	for _, bench := range []struct {
		name, method string
		from         *[2]*cluster.Cluster
	}{{"Here", "Say", &members}, {"Remote", "Say", &clients}, {"Nested", "Ask", &members}} {
		b.Run(bench.name, func(b *testing.B) {
			compare(b, "off/none", func(i, n int) error {
				for range n {
					if _, err := cluster.CallGrain[*wrapperspb.Int64Value](context.Background(), bench.from[i], "Echo", "one", bench.method, one); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}
