package actor

import "slices"

// Actor handles messages, one at a time.
type Actor interface {
	// Receive handles ctx.Message(). It may block; nobody but this actor and
	// those who wait for it are held up.
	Receive(ctx Context)
}

// ReceiveFunc is a function as an [Actor].
type ReceiveFunc func(ctx Context)

// Receive calls f.
func (f ReceiveFunc) Receive(ctx Context) { f(ctx) }

// Producer makes an instance of an actor, at its spawn and at each restart. It
// must not return the same instance twice unless that has no state.
type Producer func() Actor

// ReceiverFunc handles one envelope. env is valid until the call returns.
type ReceiverFunc func(ctx Context, env *MessageEnvelope)

// ReceiverMiddleware wraps the handling of every message of an actor, lifecycle
// messages included. It may change *env, hand on another envelope, or not call
// next at all. A panic in it is a failure of the actor.
type ReceiverMiddleware func(next ReceiverFunc) ReceiverFunc

// Props say how an actor is made. They do not change once they are made and may
// be shared.
type Props struct {
	producer   Producer
	middleware []ReceiverMiddleware
	receive    ReceiverFunc // the middleware, folded; nil without any
	supervisor SupervisorStrategy
	guardian   SupervisorStrategy
}

// PropsOption changes props while they are made.
type PropsOption func(*Props)

// PropsFromProducer returns props for actors made by p.
func PropsFromProducer(p Producer, opts ...PropsOption) *Props {
	return (&Props{producer: p}).Configure(opts...)
}

// Producer returns what makes the actors, nil if there is nothing.
func (p *Props) Producer() Producer { return p.producer }

// PropsFromFunc returns props for actors that are one function. State that f
// closes over is shared by all of them and survives restarts.
func PropsFromFunc(f ReceiveFunc, opts ...PropsOption) *Props {
	return PropsFromProducer(func() Actor {
		if f == nil {
			return nil
		}
		return f
	}, opts...)
}

// Configure returns a copy with opts applied; the receiver is unchanged.
func (p *Props) Configure(opts ...PropsOption) *Props {
	c := *p
	c.middleware = slices.Clone(p.middleware)
	for _, opt := range opts {
		opt(&c)
	}
	c.receive = foldMiddleware(c.middleware)
	return &c
}

// WithProducer replaces the producer.
func WithProducer(p Producer) PropsOption {
	return func(props *Props) { props.producer = p }
}

// WithReceiverMiddleware adds middleware; the first given is the outermost.
func WithReceiverMiddleware(middleware ...ReceiverMiddleware) PropsOption {
	return func(p *Props) { p.middleware = append(p.middleware, middleware...) }
}

// WithOutermostMiddleware adds middleware outside of all that the props have: it
// sees a message before everybody else, and may keep it from them. The first
// given is the outermost.
func WithOutermostMiddleware(middleware ...ReceiverMiddleware) PropsOption {
	return func(p *Props) { p.middleware = slices.Concat(middleware, p.middleware) }
}

// WithSupervisor sets what happens when a child of the actor fails. Defaults to
// restarting it, at most 10 times in 10 seconds, then stopping it.
func WithSupervisor(strategy SupervisorStrategy) PropsOption {
	return func(p *Props) { p.supervisor = strategy }
}

// WithGuardian sets what happens when the actor itself fails and it has no
// parent, as one that was spawned by a [RootContext]. Defaults as
// [WithSupervisor]. Escalation stops the actor.
func WithGuardian(strategy SupervisorStrategy) PropsOption {
	return func(p *Props) { p.guardian = strategy }
}

func foldMiddleware(middleware []ReceiverMiddleware) ReceiverFunc {
	if len(middleware) == 0 {
		return nil
	}
	receive := ReceiverFunc(func(ctx Context, env *MessageEnvelope) { ctx.cell().receive(ctx, env) })
	for _, m := range slices.Backward(middleware) {
		receive = m(receive)
	}
	return receive
}
