package granaryotel_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	granaryotel "github.com/granary-go/granary/contrib/otel"
	"github.com/granary-go/granary/remote"
)

// teller is a grain that does what its request says: "call x" calls the teller x with
// the rest of the words; other words are the test's.
type teller struct {
	cluster.Grain
	words words
}

type words map[string]func(g *teller, ctx cluster.GrainContext, rest string) (string, error)

func (*teller) Terminate()                   {}
func (*teller) ReceiveDefault(actor.Context) {}

// OnActivate runs the word "activate", if the test has one.
func (g *teller) OnActivate(ctx cluster.GrainContext) error {
	if do, has := g.words["activate"]; has {
		_, err := do(g, ctx, "")
		return err
	}
	return nil
}

var tellerDesc = &cluster.GrainDesc[*teller]{
	Kind: "Teller", GoName: "Teller",
	Methods: []cluster.GrainMethod[*teller]{
		{Name: "Tell", Request: newString, Call: tell},
		{Name: "TellReenterably", Reenterable: true, Request: newString, Call: tell},
	},
}

func newString() proto.Message { return new(wrapperspb.StringValue) }

func tell(g *teller, req proto.Message, ctx cluster.GrainContext) (proto.Message, error) {
	word, rest, _ := strings.Cut(req.(*wrapperspb.StringValue).Value, " ")
	if word == "call" {
		other, rest, _ := strings.Cut(rest, " ")
		said, err := callTeller(ctx, ctx.Cluster(), other, "Tell", rest)
		return wrapperspb.String(said), err
	}
	if do, has := g.words[word]; has {
		said, err := do(g, ctx, rest)
		return wrapperspb.String(said), err
	}
	return req, nil
}

type tellerActor struct {
	host  cluster.GrainHost[*teller]
	words words
}

func (a *tellerActor) Receive(ctx actor.Context) {
	a.host.Receive(ctx, tellerDesc, func() *teller { return &teller{words: a.words} }, 0)
}

func tellers(w words, opts ...cluster.KindOption) *cluster.Kind {
	return cluster.NewGrainKind("Teller", func() actor.Actor { return &tellerActor{words: w} }, opts...)
}

func callTeller(ctx context.Context, c *cluster.Cluster, id, method, text string, opts ...cluster.GrainCallOption) (string, error) {
	reply, err := cluster.CallGrain[*wrapperspb.StringValue](ctx, c, "Teller", id, method, wrapperspb.String(text), opts...)
	return reply.GetValue(), err
}

// world is a cluster within the test's process, over real loopback sockets, each
// member and client with its own providers.
type world struct {
	t        testing.TB
	provider func() driver.Provider // of the next process
	options  []granaryotel.Option   // of all
	spans    *spans                 // of all
	secret   bool                   // no identities in spans
}

func newWorld(t testing.TB) *world {
	return &world{t: t, provider: clustertest.NewRegistry().Provider, spans: &spans{}}
}

type process struct {
	*cluster.Cluster
	reader   *sdkmetric.ManualReader
	registry *prometheus.Registry // of the same metrics
}

// start starts a member, or a client if it has no options.
func (w *world) start(opts ...cluster.Option) *process {
	w.t.Helper()
	p := &process{reader: sdkmetric.NewManualReader(), registry: prometheus.NewRegistry()}
	exporter, err := promexporter.New(promexporter.WithRegisterer(p.registry))
	if err != nil {
		w.t.Fatal(err)
	}
	o := w.instrumentation(w.t, granaryotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(p.reader), sdkmetric.WithReader(exporter))))
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)), o.System())
	p.Cluster = cluster.New(system, cluster.Configure("test", w.provider(), remote.Configure("127.0.0.1", 0), append(opts, o.Cluster())...))
	stop, err := o.Watch(p.Cluster)
	if err != nil {
		w.t.Fatal(err)
	}
	start := p.StartContext
	if len(opts) == 0 {
		start = p.StartClientContext
	}
	if err := start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		stop()
		if err := p.Shutdown(false); err != nil {
			w.t.Error(err)
		}
		p.ActorSystem().Shutdown()
	})
	return p
}

func (w *world) instrumentation(t testing.TB, opts ...granaryotel.Option) *granaryotel.Instrumentation {
	t.Helper()
	opts = append(append(opts, w.options...), granaryotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(w.spans))))
	if w.secret {
		opts = append(opts, granaryotel.WithoutIdentities())
	}
	o, err := granaryotel.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// eventually waits until f holds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !f() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("after 20 s: %s", what)
		}
	}
}
