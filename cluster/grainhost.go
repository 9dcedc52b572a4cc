package cluster

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/actor"
)

// The rest of this file is for generated code. When its form changes, a constant
// of the next version comes beside the one below.

// UpdateGranaryForGeneratedCodeVersion1 is named by generated code of version 1,
// and exists as long as this package runs such code. Where protoc-gen-go-grain is
// newer than this package, the compiler says "undefined" of a later version's
// name: go get github.com/granary-go/granary@latest mends it, or the plugin
// of this package's version.
const UpdateGranaryForGeneratedCodeVersion1 = true

// GrainInstance is what every generated grain interface includes.
type GrainInstance interface {
	Init(id string)
	Terminate()
	ReceiveDefault(ctx actor.Context)
}

// GrainMethod describes one rpc of a service.
type GrainMethod[G GrainInstance] struct {
	// Name is the rpc's name in the .proto.
	Name string
	// Reenterable lets the grain go on with other messages while the method is
	// in [GrainContext.Await].
	Reenterable bool
	// Call runs the method; req has the type that Request makes.
	Call    func(grain G, req proto.Message, ctx GrainContext) (proto.Message, error)
	Request func() proto.Message
}

// GrainDesc describes a service.
type GrainDesc[G GrainInstance] struct {
	// Kind is the service's name in the .proto, GoName its name in Go.
	Kind, GoName string
	Methods      []GrainMethod[G]

	once   sync.Once
	byName map[string]*methodEntry[G]
}

type callFunc[G GrainInstance] = func(grain G, req proto.Message, ctx GrainContext) (proto.Message, error)

type methodEntry[G GrainInstance] struct {
	call        callFunc[G]
	request     reflect.Type
	reenterable bool
}

func (d *GrainDesc[G]) method(name string) (*methodEntry[G], bool) {
	d.once.Do(func() {
		d.byName = make(map[string]*methodEntry[G], len(d.Methods))
		for _, m := range d.Methods {
			d.byName[m.Name] = &methodEntry[G]{m.Call, reflect.TypeOf(m.Request()), m.Reenterable}
		}
	})
	m, ok := d.byName[name]
	return m, ok
}

// GrainHost is the life of one grain within its generated actor. Its zero
// value is ready.
type GrainHost[G GrainInstance] struct {
	grain      G
	active     bool
	activation *activation
	cluster    *Cluster
	answers    answers
	timers     timers
	parked     []*reentry // methods that await something
	failure    failedStart
	// told is set when a caller knows of the failure, attempts counts them.
	told     bool
	attempts int
}

// Receive handles one message of the generated actor.
func (h *GrainHost[G]) Receive(ctx actor.Context, desc *GrainDesc[G], factory func() G, idle time.Duration) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		h.start(ctx, desc, factory, idle)
	case *actor.ReceiveTimeout:
		if h.activation == nil { // no cluster has spawned it
			ctx.Poison(ctx.Self())
			return
		}
		h.activation.passivate(ctx)
	case *actor.Stopping:
		h.stop(ctx)
	case *actor.Restarting:
		h.timers.stopAll()
		h.finish(ctx, true)
	case *actor.Stopped:
		h.finish(ctx, true) // of a leased grain, which was not told that it stops
	case *resumeTurn:
		h.resume(ctx, m.of)
	case *timerTick:
		h.tick(ctx, m.timer)
	case *GrainRequest:
		if !h.active && h.told && time.Since(h.failure.since) >= h.pause() {
			h.start(ctx, desc, factory, idle)
		}
		h.serve(ctx, desc, m)
	default:
		switch {
		case h.active:
			defer answerPanic(ctx, desc.Kind, "ReceiveDefault")
			h.grain.ReceiveDefault(ctx)
		case h.failure.cause != nil:
			respond(ctx, h.failure.cause)
		}
	}
}

// answerPanic is deferred around what a grain does for a caller. A panic is the
// caller's answer and goes on to be the actor's failure, so that its supervisor
// decides what becomes of the grain.
func answerPanic(ctx actor.Context, kind, method string) {
	if r := recover(); r != nil {
		respond(ctx, &GrainError{CodePanic, fmt.Sprintf("%s.%s: %v", kind, method, r)})
		panic(r)
	}
}

// serve runs one method, unless its caller no longer waits: then the request is
// a dead letter, for it has certainly not run.
func (h *GrainHost[G]) serve(ctx actor.Context, desc *GrainDesc[G], req *GrainRequest) {
	method, refusal := h.admit(desc, req)
	if method == nil {
		respond(ctx, refusal)
		return
	}
	turn, end := h.callContext(ctx, req)
	if turn == nil {
		respond(ctx, &actor.DeadLetterResponse{Target: ctx.Self(), Reason: "the call had ended before the grain came to it"})
		return
	}
	if h.cluster.observesMethods {
		h.serveObserved(ctx, desc, req, method, turn, end)
		return
	}
	if h.mayReenter(method) {
		h.reenter(ctx, desc, req, method.call, turn, end)
		return
	}
	defer end()
	defer answerPanic(ctx, desc.Kind, req.Method)
	reply, err := method.call(h.grain, req.Message, turn)
	h.say(ctx, req, answer(desc.Kind, req.Method, reply, err))
}

// say gives a method's answer to its caller, and remembers it for a call that is made
// again.
func (h *GrainHost[G]) say(ctx actor.Context, req *GrainRequest, said any) {
	if h.activation.state == nil || h.activation.state.settled() {
		h.answers.keep(callKey{req.Method, req.id}, said)
	}
	respond(ctx, said)
}

// mayReenter reports whether a method is run so that it can let others in.
func (h *GrainHost[G]) mayReenter(method *methodEntry[G]) bool {
	return method.reenterable && h.activation.state == nil && len(h.parked) < maxParked
}

// admit finds the method of a request, or the answer to one that does not run. It
// is not inlined: what it needs is not on the stack of the method.
//
//go:noinline
func (h *GrainHost[G]) admit(desc *GrainDesc[G], req *GrainRequest) (method *methodEntry[G], refusal any) {
	if !h.active {
		h.told = true
		return nil, h.failure.cause
	}
	method, ok := desc.method(req.Method)
	if !ok {
		return nil, &GrainError{CodeUnknownMethod, fmt.Sprintf("kind %q has no method %q here", desc.Kind, req.Method)}
	}
	if m, ok := req.Message.(*unlinkedMessage); ok {
		return nil, &GrainError{CodeInvalidRequest, fmt.Sprintf("%s.%s takes %v, not a %s, which this member does not know", desc.Kind, req.Method, method.request, m.name)}
	}
	if got := reflect.TypeOf(req.Message); got != method.request {
		return nil, &GrainError{CodeInvalidRequest, fmt.Sprintf("%s.%s takes %v, not %v", desc.Kind, req.Method, method.request, got)}
	}
	if had, ok := h.answers.find(callKey{req.Method, req.id}); ok {
		return nil, had
	}
	return method, nil
}

// callContext makes the context of a method: done when the activation stops, the
// caller's deadline has passed or the caller has given up. It is nil if that has
// been before; else its end has to be called.
//
//go:noinline
func (h *GrainHost[G]) callContext(ctx actor.Context, req *GrainRequest) (turn *grainContext, end func()) {
	if req.expired() {
		return nil, nil
	}
	turn = &grainContext{
		actorContext: ctx, activation: h.activation, cluster: h.cluster, timers: &h.timers,
		chain: req.chain, header: ctx.MessageHeader(), call: req.id,
	}
	var cancel context.CancelFunc
	if req.Deadline.IsZero() {
		turn.Context, cancel = context.WithCancel(h.activation.ctx)
	} else {
		turn.Context, cancel = context.WithDeadline(h.activation.ctx, req.Deadline)
	}
	turn.cancel = cancel
	switch sender := ctx.Sender(); {
	case req.caller != nil:
		stop := context.AfterFunc(req.caller, cancel)
		return turn, func() {
			turn.over.Store(true)
			stop()
			cancel()
		}
	case sender == nil:
		return turn, func() {
			turn.over.Store(true)
			cancel()
		}
	default:
		key := requestKey{ctx.Self().Id, sender.Address, sender.Id}
		if !h.activation.begin(&h.cluster.cancels, key, cancel) {
			cancel()
			return nil, nil
		}
		return turn, func() {
			turn.over.Store(true)
			h.activation.end(key)
			cancel()
		}
	}
}

// answer is what goes back to the caller. A *GrainError that the method itself
// returns keeps its code.
func answer(kind, method string, reply proto.Message, err error) any {
	own, coded := err.(*GrainError) //nolint:errorlint // one that is wrapped has a text of its own
	switch {
	case coded && own == nil:
		return &GrainError{CodeInvalidReply, fmt.Sprintf("%s.%s returned a nil *GrainError as its error: return nil", kind, method)}
	case coded:
		return own
	case err != nil:
		return &GrainError{codeOf(err), err.Error()}
	case checkMessage(reply) != nil:
		return &GrainError{CodeInvalidReply, fmt.Sprintf("%s.%s returned neither a reply nor an error", kind, method)}
	default:
		return &GrainResponse{Message: reply}
	}
}

// respond answers a request that wants an answer; a GrainRequest that was
// sent without one is fire and forget.
func respond(ctx actor.Context, message any) {
	if ctx.Sender() != nil {
		ctx.Respond(message)
	}
}

// CallGrain calls a method of a grain and checks the type of the reply. It is what
// generated clients call: the kind comes before the identity, other than in
// [Cluster.CallContext].
func CallGrain[R proto.Message](
	ctx context.Context, c *Cluster, kind, identity, method string, req proto.Message, opts ...GrainCallOption,
) (R, error) {
	var none R
	if c == nil {
		return none, fmt.Errorf("%s.%s: the cluster is nil: %w", kind, method, ErrNotStarted)
	}
	if err := checkMessage(req); err != nil {
		return none, fmt.Errorf("%s.%s: %w", kind, method, err)
	}
	reply, err := c.CallContext(ctx, identity, kind, &GrainRequest{Method: method, Message: req, chain: unsent}, opts...)
	if err != nil {
		return none, err
	}
	if r, ok := reply.(R); ok {
		return r, nil
	}
	return none, fmt.Errorf("%w: %s.%s answered with %T, not %T", ErrUnexpectedReply, kind, method, reply, none)
}

// NewGrainKind makes a kind of generated actors.
func NewGrainKind(name string, producer func() actor.Actor, opts ...KindOption) *Kind {
	return NewKind(name, actor.PropsFromProducer(producer), opts...)
}
