package granaryotel_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	noopmetric "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	granaryotel "github.com/granary-go/granary/contrib/otel"
	"github.com/granary-go/granary/remote"
)

// dropped takes spans and forgets them, so that no exporter is measured.
type dropped struct{ sdktrace.SpanProcessor }

func (dropped) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (dropped) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (dropped) Shutdown(context.Context) error                  { return nil }
func (dropped) ForceFlush(context.Context) error                { return nil }

// BenchmarkInstrumentation is what traces and metrics cost a grain call whose
// location is cached, within one process (Here) and from a client over loopback
// (Remote), and a message to a plain actor with its answer (Ask). A cluster that has
// them and one that has nothing take turns; the ratio is the median over all pairs.
//
// metrics: no spans. sampled: metrics, and one trace in a hundred. all: metrics, and
// every trace. noop: everything is asked for, and the providers do nothing.
func BenchmarkInstrumentation(b *testing.B) {
	sampled := func(share float64) granaryotel.Option {
		return granaryotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(dropped{}),
			sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(share)))))
	}
	measured := func() granaryotel.Option {
		return granaryotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())))
	}
	noTraces, noMetrics := granaryotel.WithTracerProvider(nooptrace.NewTracerProvider()), granaryotel.WithMeterProvider(noopmetric.NewMeterProvider())
	for _, bench := range []struct {
		name string
		opts []granaryotel.Option
	}{
		{"noop", []granaryotel.Option{noTraces, noMetrics}},
		{"metrics", []granaryotel.Option{noTraces, measured()}},
		{"sampled", []granaryotel.Option{sampled(0.01), measured()}},
		{"all", []granaryotel.Option{sampled(1), measured()}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			o, err := granaryotel.New(bench.opts...)
			if err != nil {
				b.Fatal(err)
			}
			member, client := benched(b, o)
			plainMember, plainClient := benched(b, nil)
			call := func(c *cluster.Cluster) func() error {
				return func() error {
					_, err := callTeller(context.Background(), c, "a", "Tell", "hello")
					return err
				}
			}
			b.Run("Here", func(b *testing.B) { compare(b, call(member), call(plainMember)) })
			b.Run("Remote", func(b *testing.B) { compare(b, call(client), call(plainClient)) })
			b.Run("Ask", func(b *testing.B) { compare(b, ask(member.ActorSystem()), ask(plainMember.ActorSystem())) })
		})
	}
}

// benched starts a member and a client.
func benched(b *testing.B, o *granaryotel.Instrumentation) (member, client *cluster.Cluster) {
	b.Helper()
	registry := clustertest.NewRegistry()
	process := func(start func(*cluster.Cluster) error, opts ...cluster.Option) *cluster.Cluster {
		system := []actor.SystemOption{actor.WithLogger(slog.New(slog.DiscardHandler))}
		if o != nil {
			system, opts = append(system, o.System()), append(opts, o.Cluster())
		}
		c := cluster.New(actor.NewActorSystem(system...),
			cluster.Configure("bench", registry.Provider(), remote.Configure("127.0.0.1", 0), opts...))
		if err := start(c); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := c.Shutdown(true); err != nil {
				b.Error(err)
			}
			c.ActorSystem().Shutdown()
		})
		return c
	}
	return process((*cluster.Cluster).Start, tellers(nil)), process((*cluster.Cluster).StartClient)
}

// ask is a message to an actor that is no grain, and its answer.
func ask(system *actor.ActorSystem) func() error {
	var hello any = "hello"
	pid := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(string); ok {
			ctx.Respond(m)
		}
	}))
	return func() error {
		_, err := system.Root.RequestFuture(pid, hello, 0).Result()
		return err
	}
}

// compare times two things in turn.
func compare(b *testing.B, on, none func() error) {
	const lot = 200
	var ratios []float64
	var total [2]time.Duration
	for b.Loop() {
		var took [2]time.Duration
		for turn := range took {
			i := (turn + len(ratios)) % 2 // who comes first has a small disadvantage
			run := []func() error{on, none}[i]
			began := time.Now()
			for range lot {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
			took[i] = time.Since(began)
			total[i] += took[i]
		}
		ratios = append(ratios, float64(took[0])/float64(took[1]))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "on/none")
	b.ReportMetric(float64(total[0].Nanoseconds())/float64(b.N*lot), "ns/on")
	b.ReportMetric(float64(total[1].Nanoseconds())/float64(b.N*lot), "ns/none")
	b.ReportMetric(0, "ns/op")
}
