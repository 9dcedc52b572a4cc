package granaryotel

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
)

// Names of spans. Those of a call and of a method are the kind and the method.
const (
	spanRetry    = "retry"
	spanResolve  = "resolve"
	spanPlace    = "place"
	spanActivate = "activate"
	spanReceive  = "receive"
)

func spanOf(kind, method string) string {
	if method == "" {
		return kind
	}
	return kind + "/" + method
}

// tries is what a call knows of its last try, whose span the next one links to.
type tries struct{ last trace.SpanContext }

type triesKey struct{}

// call is told of a call; see [cluster.Observer].
func (i *Instrumentation) call(ctx context.Context, c cluster.ObservedCall) (context.Context, func(error)) {
	began := time.Now()
	ctx, span := i.start(ctx, "", trace.SpanKindClient, c.Identity, c.Method)
	return context.WithValue(ctx, triesKey{}, &tries{span.SpanContext()}), func(err error) {
		kind, method := c.Identity.Kind, c.Method
		if madeUp(err) {
			kind, method = otherWord, otherWord
		}
		i.recorders.callDuration.Record(ctx, time.Since(began).Seconds(), i.calls.of([3]string{kind, method, errorType(err)}))
		finish(span, err)
	}
}

// try is told of a try. The first belongs to the span of its call; later ones have
// spans of their own, with a link to the try before.
func (i *Instrumentation) try(ctx context.Context, c cluster.ObservedCall, number int, last error) (actor.MessageHeader, func(error)) {
	if number == 0 {
		return i.header(ctx), nil
	}
	i.recorders.callRetries.Add(ctx, 1, i.retries.of([3]string{c.Identity.Kind, c.Method}))
	ctx, span := i.start(ctx, spanRetry, trace.SpanKindClient, c.Identity, c.Method)
	span.SetAttributes(attribute.Int(attrTry, number), attribute.String(attrReason, errorType(last)))
	if known, ok := ctx.Value(triesKey{}).(*tries); ok {
		span.AddLink(trace.Link{SpanContext: known.last})
		known.last = span.SpanContext()
	}
	return i.header(ctx), func(err error) { finish(span, err) }
}

// resolve is told of a question where a grain is.
func (i *Instrumentation) resolve(ctx context.Context, id driver.Identity, again bool) (actor.MessageHeader, func(driver.MemberID, error)) {
	began := time.Now()
	word := "false"
	if again {
		word = "true"
	}
	ctx, span := i.start(ctx, spanResolve, trace.SpanKindInternal, id, "")
	span.SetAttributes(attribute.Bool(attrAgain, again))
	return i.header(ctx), func(at driver.MemberID, err error) {
		kind := id.Kind
		if madeUp(err) {
			kind = otherWord
		}
		i.recorders.resolveDuration.Record(ctx, time.Since(began).Seconds(), i.resolves.of([3]string{kind, word, errorType(err)}))
		if at != "" {
			span.SetAttributes(attribute.String(attrMember, string(at)))
		}
		finish(span, err)
	}
}

// place is told, on an owner, of such a question. One without a trace is measured, too,
// and begins none.
func (i *Instrumentation) place(h actor.MessageHeader, id driver.Identity) (actor.MessageHeader, func(string, driver.MemberID)) {
	began := time.Now()
	measure := func(ctx context.Context, outcome string) {
		i.recorders.placeDuration.Record(ctx, time.Since(began).Seconds(), i.places.of([3]string{strings.ReplaceAll(outcome, " ", "_")}))
	}
	if !i.traced(h) {
		return nil, func(outcome string, _ driver.MemberID) { measure(context.Background(), outcome) }
	}
	ctx, span := i.start(i.remote(context.Background(), h), spanPlace, trace.SpanKindServer, id, "")
	return i.header(ctx), func(outcome string, at driver.MemberID) {
		measure(ctx, outcome)
		span.SetAttributes(attribute.String(attrOutcome, outcome))
		if at != "" {
			span.SetAttributes(attribute.String(attrMember, string(at)))
		}
		span.End()
	}
}

// activate is told of an activation in this process.
func (i *Instrumentation) activate(ctx context.Context, h actor.MessageHeader, id driver.Identity) (context.Context, func(error)) {
	began := time.Now()
	ctx, span := i.start(i.remote(ctx, h), spanActivate, trace.SpanKindInternal, id, "")
	return ctx, func(err error) {
		i.recorders.activationDuration.Record(ctx, time.Since(began).Seconds(), i.activations.of([3]string{id.Kind, startType(err)}))
		finish(span, err)
	}
}

// startType is the word for the error of an activation.
func startType(err error) string {
	if word := errorType(err); word != otherWord {
		return word
	}
	return "not_activated"
}

// serve is told of a method in this process.
func (i *Instrumentation) serve(ctx context.Context, h actor.MessageHeader, id driver.Identity, method string) (context.Context, func(error)) {
	began := time.Now()
	ctx, span := i.start(i.remote(ctx, h), "", trace.SpanKindServer, id, method)
	return ctx, func(err error) {
		word := errorType(err)
		if word == otherWord {
			word = "panic"
		}
		i.recorders.methodDuration.Record(ctx, time.Since(began).Seconds(), i.methods.of([3]string{id.Kind, method, word}))
		finish(span, err)
	}
}

// stopped is told of the end of an activation in this process.
func (i *Instrumentation) stopped(id driver.Identity, reason cluster.DeactivationReason) {
	i.recorders.deactivations.Add(context.Background(), 1, i.deactivated.of([3]string{id.Kind, deactivationWord(reason)}))
}

func deactivationWord(reason cluster.DeactivationReason) string {
	switch reason {
	case cluster.DeactivatedStopped:
		return "stopped"
	case cluster.DeactivatedIdle:
		return "idle"
	case cluster.DeactivatedForRoom:
		return "room"
	case cluster.DeactivatedWithMember:
		return "member"
	default:
		return otherWord
	}
}
