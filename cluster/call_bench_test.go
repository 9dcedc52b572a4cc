package cluster_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/remote"
)

type echo struct{ cluster.Grain }

func (*echo) Terminate()                   {}
func (*echo) ReceiveDefault(actor.Context) {}

var echoDesc = &cluster.GrainDesc[*echo]{
	Kind: "Echo", GoName: "Echo",
	Methods: []cluster.GrainMethod[*echo]{{
		Name: "Say", Request: newInt,
		Call: func(_ *echo, req proto.Message, _ cluster.GrainContext) (proto.Message, error) { return req, nil },
	}, {
		Name: "Ask", Request: newInt,
		Call: func(_ *echo, req proto.Message, ctx cluster.GrainContext) (proto.Message, error) {
			return cluster.CallGrain[*wrapperspb.Int64Value](ctx, ctx.Cluster(), "Echo", "two", "Say", req)
		},
	}},
}

type echoActor struct{ host cluster.GrainHost[*echo] }

func (a *echoActor) Receive(ctx actor.Context) {
	a.host.Receive(ctx, echoDesc, func() *echo { return &echo{} }, 0)
}

// BenchmarkCall is a call of a grain whose location is cached. Here: within one
// process. Remote: of a grain on another member, over loopback. Nested: a grain
// within the process calls another there.
func BenchmarkCall(b *testing.B) {
	process := benchProcesses(b)
	member := process((*cluster.Cluster).Start, cluster.NewGrainKind("Echo", func() actor.Actor { return new(echoActor) }))
	client := process((*cluster.Cluster).StartClient)
	for _, bench := range []struct {
		name, method string
		from         *cluster.Cluster
	}{{"Here", "Say", member}, {"Remote", "Say", client}, {"Nested", "Ask", member}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			one := wrapperspb.Int64(1)
			for b.Loop() {
				if _, err := cluster.CallGrain[*wrapperspb.Int64Value](context.Background(), bench.from, "Echo", "one", bench.method, one); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFirstCall is a call of a grain that nobody has called before, by a client,
// of one of two members; all over loopback, in one process.
func BenchmarkFirstCall(b *testing.B) {
	process := benchProcesses(b)
	for range 2 {
		process((*cluster.Cluster).Start, cluster.NewGrainKind("Echo", func() actor.Actor { return new(echoActor) }))
	}
	client := process((*cluster.Cluster).StartClient)
	var n atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		one := wrapperspb.Int64(1)
		for pb.Next() {
			if _, err := cluster.CallGrain[*wrapperspb.Int64Value](context.Background(), client, "Echo", strconv.FormatInt(n.Add(1), 10), "Say", one); err != nil {
				b.Error(err)
			}
		}
	})
}

// benchProcesses returns a function that starts the members and clients of a cluster.
func benchProcesses(b *testing.B) func(start func(*cluster.Cluster) error, opts ...cluster.Option) *cluster.Cluster {
	registry := clustertest.NewRegistry()
	return func(start func(*cluster.Cluster) error, opts ...cluster.Option) *cluster.Cluster {
		c := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())),
			cluster.Configure("bench", registry.Provider(), remote.Configure("127.0.0.1", 0), opts...))
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
}
