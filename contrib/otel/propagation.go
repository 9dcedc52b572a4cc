package granaryotel

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"go.opentelemetry.io/otel/attribute"

	"github.com/granary-go/granary/actor"
)

// header writes the trace of a context into a header, nil if there is none.
func (i *Instrumentation) header(ctx context.Context) actor.MessageHeader {
	var c carrier
	i.propagator.Inject(ctx, &c)
	return c.header
}

// carrier is a header that a propagator writes, and that is made when it does.
type carrier struct{ header actor.MessageHeader }

// Get implements propagation.TextMapCarrier.
func (c *carrier) Get(key string) string { return c.header[key] }

// Keys implements propagation.TextMapCarrier.
func (c *carrier) Keys() []string { return c.header.Keys() }

// Set implements propagation.TextMapCarrier.
func (c *carrier) Set(key, value string) {
	if c.header == nil {
		c.header = make(actor.MessageHeader, 2)
	}
	c.header[key] = value
}

// remote gives a context with the trace of a header.
func (i *Instrumentation) remote(ctx context.Context, h actor.MessageHeader) context.Context {
	if len(h) == 0 {
		return ctx
	}
	return i.propagator.Extract(ctx, propagation.MapCarrier(h))
}

// traced reports whether a header has a trace.
func (i *Instrumentation) traced(h actor.MessageHeader) bool {
	if len(h) == 0 {
		return false
	}
	for _, field := range i.propagator.Fields() {
		if _, has := h[field]; has {
			return true
		}
	}
	return false
}

// Context gives a context with the trace of the message that an actor handles, for
// spans and calls of its own. A grain's method has it in its GrainContext.
func (i *Instrumentation) Context(parent context.Context, ctx actor.Context) context.Context {
	return i.remote(parent, ctx.MessageHeader())
}

// finish ends a span, and says what went wrong.
func finish(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		span.SetStatus(codes.Error, err.Error())
		span.SetAttributes(attribute.String(attrErrorType, errorType(err)))
	}
	span.End()
}
