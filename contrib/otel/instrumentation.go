package granaryotel

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
)

// scope is the name of the tracer and of the meter.
const scope = "github.com/granary-go/granary/contrib/otel"

// Instrumentation makes traces and metrics of actor systems and clusters. One may
// serve several, whose metrics then cannot be told apart. Its methods may be called from several
// goroutines.
type Instrumentation struct {
	tracer     trace.Tracer
	meter      metric.Meter
	propagator propagation.TextMapPropagator
	identities bool
	recorders  *recorders
	starts     kept[spanStart]

	calls, resolves, places, activations, deactivated, methods, handled, actors, failures, dead, phases, retries *sets
}

// Option changes an Instrumentation while it is made.
type Option func(*config)

type config struct {
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	propagator propagation.TextMapPropagator
	identities bool
}

// WithTracerProvider sets where spans go. Defaults to otel.GetTracerProvider().
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(c *config) { c.tracers = p }
}

// WithMeterProvider sets where metrics go. Defaults to otel.GetMeterProvider().
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(c *config) { c.meters = p }
}

// WithPropagator sets how a trace is written into the headers of messages. All
// processes of a cluster need the same. Defaults to W3C trace context and baggage.
func WithPropagator(p propagation.TextMapPropagator) Option {
	return func(c *config) { c.propagator = p }
}

// WithoutIdentities leaves the identities of grains out of spans, where they are
// nobody's business.
func WithoutIdentities() Option { return func(c *config) { c.identities = false } }

// New makes an Instrumentation. It fails if an instrument cannot be made.
func New(opts ...Option) (*Instrumentation, error) {
	c := config{
		tracers: otel.GetTracerProvider(), meters: otel.GetMeterProvider(), identities: true,
		propagator: propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}),
	}
	for _, opt := range opts {
		opt(&c)
	}
	if c.tracers == nil || c.meters == nil || c.propagator == nil {
		return nil, fmt.Errorf("otel: a provider or the propagator is nil: %T, %T, %T", c.tracers, c.meters, c.propagator)
	}
	i := &Instrumentation{
		tracer: c.tracers.Tracer(scope), meter: c.meters.Meter(scope), propagator: c.propagator, identities: c.identities,
		calls: newSets(callDuration.attributes...), retries: newSets(callRetries.attributes...),
		resolves: newSets(resolveDuration.attributes...), places: newSets(placeDuration.attributes...),
		activations: newSets(activationDuration.attributes...), deactivated: newSets(deactivations.attributes...),
		methods: newSets(methodDuration.attributes...), handled: newSets(handlerDuration.attributes...),
		actors: newSets(mailboxLength.attributes...), failures: newSets(actorFailures.attributes...),
		dead: newSets(deadLetters.attributes...), phases: newSets(leaseChanges.attributes...),
	}
	var err error
	i.recorders, err = newRecorders(i.meter)
	return i, err
}

// System has all actors of a system observed, but for the library's own: how long
// they handle messages, how many wait, and what traces the messages belong to. It
// is an option of [actor.NewActorSystem].
func (i *Instrumentation) System() actor.SystemOption {
	return actor.WithDefaults(actor.WithReceiverMiddleware(i.receive), actor.WithSenderMiddleware(i.send))
}

// Cluster has a cluster's calls observed, and what the process does for those of
// others. It is an option of [cluster.Configure], and takes the place of another
// [cluster.WithObserver].
func (i *Instrumentation) Cluster() cluster.Option {
	return cluster.WithObserver(&cluster.Observer{
		Call: i.call, Try: i.try, Resolve: i.resolve, Place: i.place, Activate: i.activate, Serve: i.serve, Deactivated: i.stopped,
	})
}

// spanStart is how spans of a sort begin.
type spanStart struct {
	name string
	opts []trace.SpanStartOption
}

// start begins a span that is about a grain. One without a name of its own has
// that of the method.
func (i *Instrumentation) start(ctx context.Context, name string, kind trace.SpanKind, id driver.Identity, method string) (context.Context, trace.Span) {
	sort := name
	if sort == "" {
		sort = kind.String()
	}
	key := [3]string{sort, id.Kind, method}
	how, has := i.starts.get(key)
	if !has {
		attrs := []attribute.KeyValue{attribute.String(attrKind, id.Kind)}
		if method != "" {
			attrs = append(attrs, attribute.String(attrMethod, method))
		}
		how = spanStart{name, []trace.SpanStartOption{trace.WithSpanKind(kind), trace.WithAttributes(attrs...)}}
		if name == "" {
			how.name = spanOf(id.Kind, method)
		}
		i.starts.put(key, how)
	}
	ctx, span := i.tracer.Start(ctx, how.name, how.opts...)
	if i.identities && span.IsRecording() {
		span.SetAttributes(attribute.String(attrIdentity, id.Name))
	}
	return ctx, span
}
