package granaryotel_test

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	granaryotel "github.com/granary-go/granary/contrib/otel"
)

// A trace goes from a client to the method of a grain and on to what that calls, in
// other processes, too.
func TestTraceOfACall(t *testing.T) {
	w := newWorld(t)
	w.start(tellers(nil))
	client := w.start()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(w.spans)).Tracer("test")
	ctx, span := tracer.Start(t.Context(), "the caller's")
	if _, err := callTeller(ctx, client.Cluster, "a", "Tell", "call b hello"); err != nil {
		t.Fatal(err)
	}
	span.End()
	all := w.spans.wantTree(t, `
internal the caller's
  client Teller/Tell
    internal resolve
      server place
        internal activate
    server Teller/Tell
      client Teller/Tell
        internal resolve
          server place
            internal activate
        server Teller/Tell
`)
	for _, s := range all {
		if s.SpanContext().TraceID() != span.SpanContext().TraceID() {
			t.Errorf("%s is not of the trace", s.Name())
		}
	}
	if _, err := callTeller(t.Context(), client.Cluster, "a", "TellReenterably", "hello"); err != nil {
		t.Fatal(err)
	}
	w.spans.wantTree(t, "client Teller/TellReenterably\n  server Teller/TellReenterably\n")
}

// What the method sees is its own span, below the caller's; baggage reaches it.
func TestContextOfAMethod(t *testing.T) {
	w := newWorld(t)
	var inside trace.SpanContext
	var user string
	look := func(_ *teller, ctx cluster.GrainContext, _ string) (string, error) {
		inside, user = trace.SpanContextFromContext(ctx), baggage.FromContext(ctx).Member("user").Value()
		return "", nil
	}
	member := w.start(tellers(words{"look": look}))
	one, err := baggage.NewMember("user", "ada")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := callTeller(baggage.ContextWithBaggage(t.Context(), bag), member.Cluster, "a", "Tell", "look"); err != nil {
		t.Fatal(err)
	}
	for _, s := range w.spans.take(t) {
		if s.Name() == "Teller/Tell" && s.SpanKind() == trace.SpanKindServer && s.SpanContext().SpanID() != inside.SpanID() {
			t.Error("the context of the method has another span than the method's")
		}
	}
	if user != "ada" {
		t.Errorf("the baggage says %q", user)
	}
}

// A propagator of the program's takes the place of the usual ones: what only they carry does not arrive.
func TestPropagator(t *testing.T) {
	w := newWorld(t)
	w.options = []granaryotel.Option{granaryotel.WithPropagator(propagation.Baggage{})}
	w.start(tellers(nil))
	client := w.start()
	if _, err := callTeller(t.Context(), client.Cluster, "a", "Tell", "hello"); err != nil {
		t.Fatal(err)
	}
	traces := make(map[trace.TraceID]bool)
	for _, s := range w.spans.take(t) {
		if s.Name() == "Teller/Tell" {
			traces[s.SpanContext().TraceID()] = true
		}
	}
	if len(traces) != 2 {
		t.Errorf("the spans of caller and grain are of %d traces, want 2, as nothing carries the trace", len(traces))
	}
}

// What OnActivate calls belongs to the trace that had the grain activated.
func TestTraceOfOnActivate(t *testing.T) {
	w := newWorld(t)
	member := w.start(tellers(words{"activate": func(g *teller, ctx cluster.GrainContext, _ string) (string, error) {
		if g.ID() != "a" {
			return "", nil
		}
		return callTeller(ctx, ctx.Cluster(), "b", "Tell", "hello")
	}}))
	if _, err := callTeller(t.Context(), member.Cluster, "a", "Tell", "hello"); err != nil {
		t.Fatal(err)
	}
	w.spans.wantTree(t, `
client Teller/Tell
  internal resolve
    server place
      internal activate
        client Teller/Tell
          internal resolve
            server place
              internal activate
          server Teller/Tell
  server Teller/Tell
`)
}

// A try after the first has a span of its own, with a link to the one before it.
func TestTraceOfRetries(t *testing.T) {
	w := newWorld(t)
	w.start(tellers(words{"end": func(_ *teller, ctx cluster.GrainContext, _ string) (string, error) {
		ctx.Stop(ctx.Self())
		return "", nil
	}}))
	client := w.start()
	if _, err := callTeller(t.Context(), client.Cluster, "a", "Tell", "end"); err != nil {
		t.Fatal(err)
	}
	w.spans.take(t)
	if _, err := callTeller(t.Context(), client.Cluster, "a", "Tell", "hello"); err != nil {
		t.Fatal(err)
	}
	w.spans.wantTree(t, `
client Teller/Tell
  internal resolve
    server place
      internal activate
  client retry → Teller/Tell
    server Teller/Tell
`)
}

// Failures are the status of all spans that know of them.
func TestTraceOfFailures(t *testing.T) {
	w := newWorld(t)
	member := w.start(tellers(words{
		"fail":  func(*teller, cluster.GrainContext, string) (string, error) { return "", errors.New("no such book") },
		"panic": func(*teller, cluster.GrainContext, string) (string, error) { panic("no such book") },
	}))
	if _, err := callTeller(t.Context(), member.Cluster, "a", "Tell", ""); err != nil {
		t.Fatal(err)
	}
	w.spans.take(t)
	for _, word := range []string{"fail", "panic"} {
		if _, err := callTeller(t.Context(), member.Cluster, "a", "Tell", word); err == nil {
			t.Errorf("%s has no error", word)
		}
		w.spans.wantTree(t, "client Teller/Tell failed\n  server Teller/Tell failed\n")
	}
}

// Actors that are no grains go on with the trace of what they are sent.
func TestTraceOfPlainActors(t *testing.T) {
	w := newWorld(t)
	var last *actor.PID
	heard, answered := make(chan trace.SpanContext, 1), make(chan struct{}, 1)
	w.start(cluster.NewKind("Plain", actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *wrapperspb.StringValue:
			ctx.Request(last, m)
			ctx.Respond(m)
		case *wrapperspb.Int64Value: // an answer is not of the trace
			answered <- struct{}{}
		}
	})))
	client := w.start()
	last = client.ActorSystem().Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*wrapperspb.StringValue); ok {
			heard <- trace.SpanContextFromContext(w.instrumentation(t).Context(context.Background(), ctx))
			if ctx.Sender() != nil {
				ctx.Respond(wrapperspb.Int64(1))
			}
		}
	}))
	if _, err := client.CallContext(t.Context(), "a", "Plain", wrapperspb.String("hello")); err != nil {
		t.Fatal(err)
	}
	inside := <-heard
	<-answered
	all := w.spans.wantTree(t, `
client Plain
  internal resolve
    server place
      internal activate
  consumer receive Plain
    consumer receive actor.ReceiveFunc
`)
	if got := all[len(all)-1]; got.SpanContext().SpanID() != inside.SpanID() || inside.TraceID() != all[0].SpanContext().TraceID() {
		t.Errorf("the actor sees the span %v", inside)
	}
	client.ActorSystem().Root.Send(last, wrapperspb.String("out of the blue"))
	<-heard
	w.spans.wantTree(t, "")
}

// Identities are in spans, and may be left out.
func TestIdentitiesOfSpans(t *testing.T) {
	var w *world
	has := func() bool {
		for _, s := range w.spans.take(t) {
			for _, a := range s.Attributes() {
				if a == attribute.String("granary.identity", "ada") {
					return true
				}
			}
		}
		return false
	}
	for _, secret := range []bool{false, true} {
		w = newWorld(t)
		w.secret = secret
		if _, err := callTeller(t.Context(), w.start(tellers(nil)).Cluster, "ada", "Tell", ""); err != nil {
			t.Fatal(err)
		}
		if has() == secret {
			t.Errorf("identities are to be left out: %t, and are not what they should", secret)
		}
	}
}
