package remote

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
)

// Two systems of one process, over a real loopback connection.

func BenchmarkTell(b *testing.B) {
	for _, size := range []int{16, 1 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			from, to := startProcess(b, Configure("127.0.0.1", 0)), startProcess(b, Configure("127.0.0.1", 0))
			var got atomic.Int64
			arrived := make(chan struct{}, 1)
			sink := to.spawn("sink", func(ctx actor.Context) {
				if _, ok := ctx.Message().(*wrapperspb.StringValue); ok && got.Add(1)%1024 == 0 {
					select {
					case arrived <- struct{}{}:
					default:
					}
				}
			})
			from.mustAsk(to.echo("echo"), "connects")
			message := wrapperspb.String(strings.Repeat("x", size))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			sent := int64(0)
			for b.Loop() {
				from.system.Root.Send(sink, message)
				// At most 16,384 are under way: nothing is refused.
				for sent++; sent%1024 == 0 && sent-got.Load() > 16<<10; {
					<-arrived
				}
			}
			b.StopTimer()
			from.mustAsk(to.at("echo"), "after the last")
			if dead := len(from.dead.list()); dead > 0 {
				b.Errorf("%d dead letters", dead)
			}
		})
	}
}

func BenchmarkAsk(b *testing.B) {
	for _, clients := range []int{1, 64, 256} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			from, to := startProcess(b, Configure("127.0.0.1", 0)), startProcess(b, Configure("127.0.0.1", 0))
			echo := to.echo("echo")
			from.mustAsk(echo, "connects")
			message := wrapperspb.String("0123456789abcdef")
			ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
			defer cancel()
			b.ReportAllocs()
			b.SetParallelism((clients + 1) / 2)
			if clients == 1 {
				for b.Loop() {
					askOnce(ctx, b, from, echo, message)
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					askOnce(ctx, b, from, echo, message)
				}
			})
		})
	}
}

func askOnce(ctx context.Context, b *testing.B, from *process, pid *actor.PID, message *wrapperspb.StringValue) {
	if _, err := actor.Ask[*wrapperspb.StringValue](ctx, from.system.Root, pid, message); err != nil {
		b.Error(err)
	}
}

func BenchmarkBatch(b *testing.B) {
	o := encoded(b, "target", actor.MessageEnvelope{Message: wrapperspb.String("0123456789abcdef"), Sender: actor.NewPID("here:1", "sender")})
	e := newBatchEncoder(testSerial)
	b.ReportAllocs()
	for b.Loop() {
		e.reset()
		for range 1000 {
			e.add(&o)
		}
	}
}
