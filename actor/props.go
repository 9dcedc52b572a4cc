package actor

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

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

// ProducerWithActorSystem is a [Producer] that is told the system the actor will
// live in.
type ProducerWithActorSystem func(system *ActorSystem) Actor

// Props say how an actor is made. They do not change once they are made and may
// be shared, also by systems.
type Props struct {
	propsConfig
	// merged are these props under the defaults of the system that last
	// spawned with them.
	merged atomic.Pointer[mergedProps]
}

type mergedProps struct {
	system *ActorSystem
	props  *Props
}

type propsConfig struct {
	producer   ProducerWithActorSystem
	outermost  []ReceiverMiddleware
	receivers  []ReceiverMiddleware
	senders    []SenderMiddleware
	spawners   []SpawnMiddleware
	decorators []ContextDecorator
	supervisor SupervisorStrategy
	guardian   SupervisorStrategy
	mailbox    Mailbox
	dispatcher Dispatcher
	// Whether the two were chosen, be it what they are by default.
	ownMailbox, ownDispatcher bool
	stash                     int  // 0: the default; less: none
	alone                     bool // without the system's defaults
	errs                      []error

	// The middleware, folded; nil without any.
	receive  ReceiverFunc
	send     SenderFunc
	spawn    SpawnFunc
	decorate ContextDecoratorFunc
}

// PropsOption changes props while they are made.
type PropsOption func(*Props)

// PropsFromProducer returns props for actors made by p.
func PropsFromProducer(p Producer, opts ...PropsOption) *Props {
	return (&Props{}).Configure(slices.Concat([]PropsOption{WithProducer(p)}, opts)...)
}

// PropsFromProducerWithActorSystem returns props for actors made by p.
func PropsFromProducerWithActorSystem(p ProducerWithActorSystem, opts ...PropsOption) *Props {
	return (&Props{propsConfig: propsConfig{producer: p}}).Configure(opts...)
}

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

// ProducerIn returns what makes the actors in the given system, nil if there is
// nothing.
func (p *Props) ProducerIn(system *ActorSystem) Producer {
	if p == nil || p.producer == nil {
		return nil
	}
	return func() Actor { return p.producer(system) }
}

// Err returns what is wrong with the options that the props were made with, as an
// [ErrInvalidProps], or nil. No actor can be spawned with such props.
func (p *Props) Err() error {
	if p == nil || len(p.errs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalidProps, errors.Join(p.errs...))
}

// Configure returns a copy with opts applied; the receiver is unchanged. A nil
// option is ignored.
func (p *Props) Configure(opts ...PropsOption) *Props {
	c := &Props{propsConfig: p.propsConfig}
	c.outermost = slices.Clone(p.outermost)
	c.receivers, c.senders = slices.Clone(p.receivers), slices.Clone(p.senders)
	c.spawners, c.decorators = slices.Clone(p.spawners), slices.Clone(p.decorators)
	c.errs = slices.Clone(p.errs)
	for _, opt := range opts {
		if opt != nil {
			opt(c)
		}
	}
	c.fold()
	return c
}

func (p *propsConfig) fold() {
	p.receive = fold(p, slices.Concat(p.outermost, p.receivers), receiveHere)
	p.send = fold(p, p.senders, deliverFrom)
	p.spawn = fold(p, p.spawners, spawnFor)
	p.decorate = fold(p, p.decorators, func(ctx Context) Context { return ctx })
}

func (p *propsConfig) refuse(err error) { p.errs = append(p.errs, err) }

// stashLimit is how many messages an actor may stash.
func (p *propsConfig) stashLimit() int {
	if p.stash == 0 {
		return DefaultStashCapacity
	}
	return max(p.stash, 0)
}

// under returns p with the system's defaults: what p leaves open is theirs, and
// their middleware is outside of p's, but for what is outermost.
func (p *Props) under(system *ActorSystem) *Props {
	if system.defaults == nil || p.alone {
		return p
	}
	if m := p.merged.Load(); m != nil && m.system == system {
		return m.props
	}
	d, m := system.defaults, &Props{propsConfig: p.propsConfig}
	m.outermost = slices.Concat(p.outermost, d.outermost)
	m.receivers = slices.Concat(d.receivers, p.receivers)
	m.senders = slices.Concat(d.senders, p.senders)
	m.spawners = slices.Concat(d.spawners, p.spawners)
	m.decorators = slices.Concat(d.decorators, p.decorators)
	if m.producer == nil {
		m.producer = d.producer
	}
	if m.supervisor == nil {
		m.supervisor = d.supervisor
	}
	if m.guardian == nil {
		m.guardian = d.guardian
	}
	if !m.ownMailbox {
		m.mailbox = d.mailbox
	}
	if !m.ownDispatcher {
		m.dispatcher = d.dispatcher
	}
	if m.stash == 0 {
		m.stash = d.stash
	}
	m.errs = slices.Concat(d.errs, p.errs)
	m.fold()
	p.merged.Store(&mergedProps{system, m})
	return m
}

// WithProducer replaces the producer.
func WithProducer(p Producer) PropsOption {
	return func(props *Props) {
		props.producer = nil
		if p != nil {
			props.producer = func(*ActorSystem) Actor { return p() }
		}
	}
}

// addTo appends middleware, and refuses nil.
func addTo[M any](p *Props, to *[]M, middleware []M, isNil func(M) bool, what string) {
	for i, m := range middleware {
		if isNil(m) {
			p.refuse(fmt.Errorf("%s %d is nil", what, i))
			return
		}
	}
	*to = append(*to, middleware...)
}

// WithReceiverMiddleware adds middleware; the first given is the outermost.
func WithReceiverMiddleware(middleware ...ReceiverMiddleware) PropsOption {
	return func(p *Props) {
		addTo(p, &p.receivers, middleware, func(m ReceiverMiddleware) bool { return m == nil }, "receiver middleware")
	}
}

// WithOutermostMiddleware adds middleware outside of all that the props have: it
// sees a message before everybody else, also before the middleware of the system's
// defaults, and may keep it from them. The first given is the outermost.
func WithOutermostMiddleware(middleware ...ReceiverMiddleware) PropsOption {
	return func(p *Props) {
		inner := p.outermost
		p.outermost = nil
		addTo(p, &p.outermost, middleware, func(m ReceiverMiddleware) bool { return m == nil }, "outermost middleware")
		p.outermost = append(p.outermost, inner...)
	}
}

// WithSenderMiddleware adds middleware; the first given is the outermost.
func WithSenderMiddleware(middleware ...SenderMiddleware) PropsOption {
	return func(p *Props) {
		addTo(p, &p.senders, middleware, func(m SenderMiddleware) bool { return m == nil }, "sender middleware")
	}
}

// WithSpawnMiddleware adds middleware for the children of the actor; the first
// given is the outermost.
func WithSpawnMiddleware(middleware ...SpawnMiddleware) PropsOption {
	return func(p *Props) {
		addTo(p, &p.spawners, middleware, func(m SpawnMiddleware) bool { return m == nil }, "spawn middleware")
	}
}

// WithContextDecorator adds decorators; the first given is the outermost.
func WithContextDecorator(decorators ...ContextDecorator) PropsOption {
	return func(p *Props) {
		addTo(p, &p.decorators, decorators, func(m ContextDecorator) bool { return m == nil }, "context decorator")
	}
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

// WithInvalid makes the props invalid, for the reason that err gives, unless that
// is nil. It is for packages that make props of arguments of their own.
func WithInvalid(err error) PropsOption {
	return func(p *Props) {
		if err != nil {
			p.refuse(err)
		}
	}
}

// WithoutDefaults keeps the system's defaults ([WithDefaults]) from the actor: for
// actors that belong to a library, and that the program does not know.
func WithoutDefaults() PropsOption {
	return func(p *Props) { p.alone = true }
}

// WithMailbox sets where the actor's messages wait. Defaults to [Unbounded].
func WithMailbox(mailbox Mailbox) PropsOption {
	return func(p *Props) {
		p.mailbox = mailbox
		p.ownMailbox = true
		if mailbox.err != nil {
			p.refuse(mailbox.err)
		}
	}
}

// WithDispatcher sets who runs the actor. Defaults to [DispatcherDefault].
func WithDispatcher(dispatcher Dispatcher) PropsOption {
	return func(p *Props) {
		p.dispatcher, p.ownDispatcher = dispatcher, true
		if err := dispatcher.check(); err != nil {
			p.refuse(err)
		}
	}
}

// WithStashCapacity sets how many messages [Context.Stash] keeps. Defaults to
// [DefaultStashCapacity]; with 0 there is no stash.
func WithStashCapacity(n int) PropsOption {
	return func(p *Props) {
		switch {
		case n < 0:
			p.refuse(fmt.Errorf("a stash for %d messages", n))
		case n == 0:
			p.stash = -1
		default:
			p.stash = n
		}
	}
}
