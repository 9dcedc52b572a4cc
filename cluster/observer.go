package cluster

import (
	"context"
	"errors"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
)

// Observer is told what this process does for grain calls, so that traces and
// metrics can be made of it; package contrib/otel does. Each field may be nil, and
// is then not asked. What has no hook here is an event on the event stream of the
// actor system ([ClusterTopology], [MemberLease], [actor.DeadLetterEvent]), or read
// when it is wanted ([Cluster.Counters], [Cluster.ActiveGrains],
// [Cluster.LeaseMargin], [remote.Remote.Peers]).
//
// The functions are called by the goroutine that does the work, several at a time:
// they must not block, and must not call the cluster. A panic in one is a panic of
// its caller. What they return may be nil: the context is then the one that was
// given, and nobody is told of the end. An end is told exactly once, but for that
// of a process.
//
// The headers that they return travel with a message, beside those of [WithHeader],
// whose place they take where both have a name. They do not count against
// [MaxHeaders].
type Observer struct {
	// Call is told of a call by [Cluster.CallContext], as generated clients make
	// them, and of its end. ctx is the caller's; that of all the tries is the one
	// returned, or one derived of it.
	Call func(ctx context.Context, c ObservedCall) (context.Context, func(err error))
	// Try is told each time that a call's message is about to be sent, and what
	// became of it; number counts from 0, and last is why the try before it
	// failed. The header goes with the message.
	Try func(ctx context.Context, c ObservedCall, number int, last error) (actor.MessageHeader, func(err error))
	// Resolve is told when a location is not in the cache, and where it was found.
	// again says that a location was known, and did not answer. The header goes
	// with the question; callers of one cold identity share that of the first.
	Resolve func(ctx context.Context, id driver.Identity, again bool) (actor.MessageHeader, func(at driver.MemberID, err error))
	// Place is told, on the owner of an identity, of a question, with its header or
	// nil, and how it was answered. Its own header goes to the member that activates the
	// grain, if one is asked to. There are no owners above [WithIdentityLookup].
	Place func(header actor.MessageHeader, id driver.Identity) (actor.MessageHeader, func(outcome string, at driver.MemberID))
	// Activate is told when an activation begins to start, with the header of the
	// question that caused it, if it is known, and when the grain is ready for its
	// first message or has failed. ctx is the activation's; OnActivate gets one
	// derived of what is returned.
	Activate func(ctx context.Context, header actor.MessageHeader, id driver.Identity) (context.Context, func(err error))
	// Serve is told of each method of a generated grain that runs, with the header
	// that came with the call. The method's context is derived of what is
	// returned. An error that the method gave to its caller is a [*GrainError].
	Serve func(ctx context.Context, header actor.MessageHeader, id driver.Identity, method string) (context.Context, func(err error))
	// Deactivated is told when an activation has stopped.
	Deactivated func(id driver.Identity, reason DeactivationReason)
}

// ObservedCall is what an [Observer] is told of a call.
type ObservedCall struct {
	Identity driver.Identity
	// Method is the rpc's name; of a message that is no *GrainRequest it is empty.
	Method string
}

// WithObserver has an [Observer] told what this process does. There is one: of
// several the last counts. It must not be changed afterwards.
func WithObserver(o *Observer) Option {
	return option(func(c *Config) { c.observer = o })
}

// observed is a call's part in the observation.
type observed struct {
	by    *Observer
	call  ObservedCall
	tries int
	last  error // of the last try
}

// errUnfinished is what is told of a method that has not returned: it panicked, or
// its goroutine was ended.
var errUnfinished = errors.New("cluster: the method panicked")

//go:noinline
func (c *Cluster) observe(id driver.Identity, message any) *observed {
	o := &observed{by: c.config.observer, call: ObservedCall{Identity: id}}
	if r, ok := message.(*GrainRequest); ok {
		o.call.Method = r.Method
	}
	return o
}

// refused tells of a call that was not begun.
//
//go:noinline
func (c *Cluster) refused(ctx context.Context, identity, kind string, message any, why error) {
	if begin := c.config.observer.Call; begin != nil {
		call := c.observe(driver.Identity{Kind: kind, Name: identity}, message).call
		if _, done := begin(ctx, call); done != nil {
			done(why)
		}
	}
}

// runObserved is run, with the observer told.
//
//go:noinline
func (k *call) runObserved(ctx context.Context) (any, error) {
	call := k.observed.by.Call
	if call == nil {
		return k.run(ctx)
	}
	within, done := call(ctx, k.observed.call)
	if within == nil {
		within = ctx
	}
	reply, err := k.run(within)
	if done != nil {
		done(err)
	}
	return reply, err
}

// tryObserved is try, with the observer told, and with its header.
//
//go:noinline
func (k *call) tryObserved(ctx context.Context, loc *location) (any, error) {
	o := k.observed
	if o.by.Try == nil {
		return k.try(ctx, loc)
	}
	header, done := o.by.Try(ctx, o.call, o.tries, o.last)
	o.tries++
	message := k.message
	k.message = over(header, message)
	reply, err := k.try(ctx, loc)
	k.message = message
	if o.last = err; done != nil {
		done(err)
	}
	return reply, err
}

// over puts headers around a message, in place of those of the same name that it
// has.
func over(header actor.MessageHeader, message any) any {
	if len(header) == 0 {
		return message
	}
	env, ok := message.(*actor.MessageEnvelope)
	if !ok {
		return &actor.MessageEnvelope{Header: header, Message: message}
	}
	return under(env.Header, &actor.MessageEnvelope{Header: header, Message: env.Message, Sender: env.Sender})
}

// askedKey is where a resolve finds the header of its question.
type askedKey struct{}

// observeResolve tells the observer of a question to the lookup.
//
//go:noinline
func (c *Cluster) observeResolve(
	ctx context.Context, id driver.Identity, again bool,
) (context.Context, func(driver.MemberID, error)) {
	resolve := c.config.observer.Resolve
	if resolve == nil {
		return ctx, nil
	}
	header, done := resolve(ctx, id, again)
	if len(header) > 0 {
		ctx = context.WithValue(ctx, askedKey{}, header)
	}
	return ctx, done
}

// resolved tells the observer what the lookup has answered, as a caller hears it.
//
//go:noinline
func (c *Cluster) resolved(id driver.Identity, at driver.MemberID, err error, done func(driver.MemberID, error)) {
	if err != nil {
		err = c.explain(id, err)
	}
	done(at, err)
}

// askedWith is the header of a question; nil for the lookups of a cluster that
// nobody observes.
func (c *Cluster) askedWith() func(context.Context) actor.MessageHeader {
	if c.config.observer == nil || c.config.observer.Resolve == nil {
		return nil
	}
	return func(ctx context.Context) actor.MessageHeader {
		header, _ := ctx.Value(askedKey{}).(actor.MessageHeader)
		return header
	}
}

// placing is what the partition's owner tells; nil if nobody wants to know.
func (c *Cluster) placing() func(actor.MessageHeader, driver.Identity) (actor.MessageHeader, func(string, driver.MemberID)) {
	if c.config.observer == nil {
		return nil
	}
	return c.config.observer.Place
}

// observeStart tells the observer that the activation starts.
//
//go:noinline
func (a *activation) observeStart(o *Observer, asked actor.MessageHeader) {
	if o.Activate != nil {
		a.startCtx, a.ready = o.Activate(a.ctx, asked, a.identity)
	}
}

// started tells, once, that the activation is ready, or why it is not.
func (a *activation) started(err error) {
	if a != nil && a.ready != nil {
		ready := a.ready
		a.ready, a.startCtx = nil, nil
		ready(err)
	}
}

// hasStarted tells that the actor has handled a message, unless it was kept from it.
//
//go:noinline
func (a *activation) hasStarted() {
	if a.mayAct() {
		a.started(nil)
	} else {
		a.started(errFenced)
	}
}

// observedTurn is the context of a method whose end an observer wants to know.
type observedTurn struct {
	context.Context

	finished func(err error) // nil when it was told
}

// serveObserved is the rest of serve, with the observer told. It is a function of its
// own so that serve needs no more stack.
//
//go:noinline
func (h *GrainHost[G]) serveObserved(ctx actor.Context, desc *GrainDesc[G], req *GrainRequest, method *methodEntry[G], turn *grainContext, end func()) {
	within, done := h.cluster.config.observer.Serve(turn.Context, turn.header, turn.activation.identity, req.Method)
	if within != nil {
		turn.Context = within
	}
	if done != nil {
		turn.Context = &observedTurn{turn.Context, done}
	}
	if h.mayReenter(method) {
		h.reenter(ctx, desc, req, method.call, turn, func() {
			turn.finish(errUnfinished)
			end()
		})
		return
	}
	defer end()
	defer answerPanic(ctx, desc.Kind, req.Method)
	defer turn.finish(errUnfinished) // before who waits hears of the panic
	reply, err := method.call(h.grain, req.Message, turn)
	said := answer(desc.Kind, req.Method, reply, err)
	turn.finish(errorIn(said))
	h.say(ctx, req, said)
}

// finish tells an observer, once, that the method has returned.
func (g *grainContext) finish(err error) {
	if o, observed := g.Context.(*observedTurn); observed && o.finished != nil {
		finished := o.finished
		o.finished = nil
		finished(err)
	}
}

// errorIn is the error in the answer to a caller, nil if there is none.
func errorIn(answer any) error {
	if ge, ok := answer.(*GrainError); ok {
		return ge
	}
	return nil
}

// errEndedEarly is what is told of an activation that stopped before it was ready.
var errEndedEarly = errors.New("cluster: the activation was stopped before it had started")
