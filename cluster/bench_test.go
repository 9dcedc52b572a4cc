package cluster_test

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/record"
	"github.com/granary-go/granary/remote"
)

// BenchmarkLeaseCheck is what the lease costs a grain within one process. A
// leased kind and one that is best effort take turns, some hundred messages at a
// time, so that whatever else the machine does meets both. The ratio is the
// median over all pairs.
//
// Ask is a message and its reply, one after the other. Call is the same as a
// grain call, with its location cached. Tell is a message without a reply; the
// grain answers the last of each lot.
func BenchmarkLeaseCheck(b *testing.B) {
	member := leasedMember(b)
	root := member.ActorSystem().Root
	pids := [2]*actor.PID{member.Get("one", "Leased"), member.Get("one", "BestEffort")}
	names := [2]string{"Leased", "BestEffort"}
	ask := func(i int) error {
		_, err := root.RequestFuture(pids[i], wrapperspb.Int64(1), 0).Result()
		return err
	}
	b.Run("Ask", func(b *testing.B) {
		compare(b, "leased/besteffort", func(i, n int) (err error) {
			for range n {
				err = ask(i)
			}
			return err
		})
	})
	b.Run("Call", func(b *testing.B) {
		compare(b, "leased/besteffort", func(i, n int) (err error) {
			for range n {
				_, err = member.Call("one", names[i], wrapperspb.Int64(1))
			}
			return err
		})
	})
	b.Run("Tell", func(b *testing.B) {
		m := wrapperspb.Int64(0)
		compare(b, "leased/besteffort", func(i, n int) error {
			for range n {
				root.Send(pids[i], m)
			}
			return ask(i)
		})
	})
}

// compare times two things in turn and reports the median of their ratios.
func compare(b *testing.B, what string, run func(i, n int) error) {
	const lot = 200
	var ratios []float64
	for b.Loop() {
		var took [2]time.Duration
		for turn := range took {
			i := (turn + len(ratios)) % 2 // who comes first has a small disadvantage
			began := time.Now()
			if err := run(i, lot); err != nil {
				b.Fatal(err)
			}
			took[i] = time.Since(began)
		}
		ratios = append(ratios, float64(took[0])/float64(took[1]))
	}
	slices.Sort(ratios)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*2*lot), "ns/message")
	b.ReportMetric(ratios[len(ratios)/2], what)
	b.ReportMetric(0, "ns/op")
}

// leasedMember is a member whose lease is a real one, on a store in the process.
func leasedMember(b *testing.B) *cluster.Cluster {
	props := actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.Int64Value); ok && m.Value != 0 {
			ctx.Respond(m)
		}
	})
	c := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())),
		cluster.Configure("bench", clustertest.NewRecordStore().Provider(record.WithTTL(2*time.Second)), remote.Configure("127.0.0.1", 0),
			cluster.NewKind("Leased", props, cluster.WithLease()), cluster.NewKind("BestEffort", props, cluster.WithBestEffort())))
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := c.Shutdown(true); err != nil {
			b.Error(err)
		}
	})
	return c
}
