package granaryotel

import (
	"context"
	"maps"
	"reflect"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
)

// receive is the middleware around each message of an actor.
func (i *Instrumentation) receive(next actor.ReceiverFunc) actor.ReceiverFunc {
	return func(ctx actor.Context, env *actor.MessageEnvelope) {
		name, returned := actorWord(ctx), false
		i.recorders.mailboxLength.Record(context.Background(), int64(actor.MailboxLength(ctx)), i.actors.of([3]string{name}))
		began, trouble := time.Now(), "panic"
		var span trace.Span
		env, span = i.receiveTraced(name, env)
		defer func() { // also if the actor fails
			if returned {
				trouble = ""
			}
			i.recorders.handlerDuration.Record(context.Background(), time.Since(began).Seconds(), i.handled.of([3]string{name, trouble}))
			if span != nil {
				if trouble != "" {
					span.SetAttributes(attribute.String(attrErrorType, trouble))
				}
				span.End()
			}
		}()
		next(ctx, env)
		returned = true
	}
}

// receiveTraced makes a span of a message that belongs to a trace, but for calls of
// methods, which have one; what the actor sends meanwhile belongs to that span.
func (i *Instrumentation) receiveTraced(name string, env *actor.MessageEnvelope) (*actor.MessageEnvelope, trace.Span) {
	if _, call := env.Message.(*cluster.GrainRequest); call || !i.traced(env.Header) {
		return env, nil
	}
	//nolint:spancheck // whoever has the message handled ends it
	ctx, span := i.tracer.Start(i.remote(context.Background(), env.Header), spanReceive+" "+name, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.String(attrActor, name), attribute.String(attrMessage, typeWord(env.Message))))
	inner := *env
	inner.Header = maps.Clone(env.Header)
	maps.Copy(inner.Header, i.header(ctx))
	return &inner, span //nolint:spancheck // see above
}

// send is the middleware around each message that an actor sends: what it sends
// while it handles a message of a trace belongs to that trace, but for its answer.
func (i *Instrumentation) send(next actor.SenderFunc) actor.SenderFunc {
	return func(ctx actor.SenderContext, target *actor.PID, env *actor.MessageEnvelope) {
		if handling, ok := ctx.(actor.Context); ok && !i.traced(env.Header) {
			if header := handling.MessageHeader(); i.traced(header) && !target.Equal(handling.Sender()) {
				env.Header = i.withTrace(env.Header, header)
			}
		}
		next(ctx, target, env)
	}
}

// withTrace gives a header with the trace of another one.
func (i *Instrumentation) withTrace(header, from actor.MessageHeader) actor.MessageHeader {
	both := maps.Clone(header)
	if both == nil {
		both = make(actor.MessageHeader, 2)
	}
	for _, field := range i.propagator.Fields() {
		if value, has := from[field]; has {
			both[field] = value
		}
	}
	return both
}

// actorWord is a grain's kind, and of other actors the Go type.
func actorWord(ctx actor.Context) string {
	if kind := cluster.KindOf(ctx); kind != "" {
		return kind
	}
	return typeWord(ctx.Actor())
}

func typeWord(of any) string {
	if of == nil {
		return "nil"
	}
	return reflect.TypeOf(of).String()
}
