package cluster

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/granary-go/granary/actor"
)

// reentry is the turn of a reenterable method. The method has a goroutine of its
// own, which runs while the grain's actor waits for it, and hands the turn back
// when it awaits something or has returned: no two goroutines run the grain's code
// at a time. When what it awaited is there it asks for the turn again, by a message
// in the mailbox.
//
// A strict grain's methods are not reenterable: what a turn has sent waits for the
// write of that turn.
type reentry struct {
	asked actor.MessageEnvelope // by the caller
	turn  *grainContext
	end   func() // of the turn's context

	back  chan handBack // from the method's goroutine
	ready chan struct{} // closed and made anew for each wait: what it awaited is there
	wake  chan struct{} // to the method's goroutine: the turn is its own again
}

// maxParked is how many methods of a grain await something at a time. The next one
// holds the turn, as if it were not reenterable.
const maxParked = 1024

// handBack is what a method's goroutine gives the turn back with.
type handBack struct {
	parked bool
	answer any // if it has returned
	panic  any // if it has panicked
}

// resumeTurn asks for a turn for a method that has awaited something.
type resumeTurn struct{ of *reentry }

// MailboxExempt implements actor.MailboxExempt: the method waits for it.
func (*resumeTurn) MailboxExempt() {}

// askedContext shows a method the message that it was called by, also after the
// actor has handled others.
type askedContext struct {
	actor.Context
	of *reentry
}

func (c *askedContext) Message() any                       { return c.of.asked.Message }
func (c *askedContext) Sender() *actor.PID                 { return c.of.asked.Sender }
func (c *askedContext) MessageHeader() actor.MessageHeader { return c.of.asked.Header }
func (c *askedContext) Respond(response any)               { c.Send(c.of.asked.Sender, response) }

func (c *askedContext) Forward(pid *actor.PID) {
	c.RequestWithCustomSender(pid, c.of.asked.Message, c.of.asked.Sender)
}

// Await implements GrainContext.
func (g *grainContext) Await(f func(ctx context.Context) error) error {
	if g.reentry == nil || g.awaiting.Load() {
		return f(g)
	}
	return g.reentry.await(f)
}

func (r *reentry) await(f func(ctx context.Context) error) error {
	g := r.turn
	ready := make(chan struct{})
	r.ready = ready
	g.awaiting.Store(true)
	r.back <- handBack{parked: true}
	defer func() { // also if f panics
		close(ready)
		g.cluster.system.Root.Send(g.activation.pid, &resumeTurn{r})
		<-r.wake
		g.awaiting.Store(false)
	}()
	return f(g)
}

// reenter begins a reenterable method.
func (h *GrainHost[G]) reenter(ctx actor.Context, desc *GrainDesc[G], req *GrainRequest, call callFunc[G], turn *grainContext, end func()) {
	r := &reentry{
		asked: actor.MessageEnvelope{Message: req, Sender: ctx.Sender(), Header: ctx.MessageHeader()},
		turn:  turn, end: end, back: make(chan handBack), wake: make(chan struct{}),
	}
	turn.actorContext, turn.reentry = &askedContext{ctx, r}, r
	grain := h.grain
	go func() { // ends with the method, which the actor waits for
		returned := false
		var last handBack
		defer func() {
			if p := recover(); !returned {
				if p == nil {
					p = fmt.Sprintf("%s.%s called runtime.Goexit", desc.Kind, req.Method)
				}
				h.cluster.logger.Error("cluster: a reenterable method panicked", "grain", turn.activation.identity, "method", req.Method,
					"panic", p, "stack", string(debug.Stack()))
				last.panic = p
				last.answer = &GrainError{CodePanic, fmt.Sprintf("%s.%s: %v", desc.Kind, req.Method, p)}
			}
			r.back <- last
		}()
		reply, err := call(grain, req.Message, turn)
		last.answer, returned = answer(desc.Kind, req.Method, reply, err), true
		turn.finish(errorIn(last.answer))
	}()
	h.drive(ctx, r)
}

// drive waits until a method hands its turn back.
func (h *GrainHost[G]) drive(ctx actor.Context, r *reentry) {
	got := <-r.back
	if got.parked {
		h.parked = append(h.parked, r)
		h.activation.parked.Store(int32(len(h.parked)))
		return
	}
	r.end()
	req, _ := r.asked.Message.(*GrainRequest)
	if got.panic == nil {
		h.answers.keep(callKey{req.Method, req.id}, got.answer)
	}
	if to := r.asked.Sender; to != nil {
		h.activation.waits.answered = true
		if h.activation.mayAct() {
			ctx.Send(to, got.answer)
		} else {
			h.activation.counters.withheld.Add(1)
			ctx.ActorSystem().Root.Send(to, &GrainError{CodeFenced, ReasonFenced})
		}
	}
	if got.panic != nil {
		panic(got.panic)
	}
}

// resume gives a method the turn that it has asked for.
func (h *GrainHost[G]) resume(ctx actor.Context, r *reentry) {
	i := slices.Index(h.parked, r)
	if i < 0 {
		return // it has been finished
	}
	h.parked = slices.Delete(h.parked, i, i+1)
	h.activation.parked.Store(int32(len(h.parked)))
	r.wake <- struct{}{}
	h.drive(ctx, r)
}

// finish waits for the methods that have not returned: they end as if nothing had
// come between, each when what it awaits is there. cancel ends their contexts.
func (h *GrainHost[G]) finish(ctx actor.Context, cancel bool) {
	for _, r := range h.parked {
		if cancel {
			r.turn.cancel()
		}
	}
	for len(h.parked) > 0 {
		r := h.parked[0]
		<-r.ready
		func() {
			defer func() {
				if p := recover(); p != nil {
					ctx.Logger().Error("cluster: grain panicked while it was stopped", "panic", p)
				}
			}()
			h.resume(ctx, r)
		}()
	}
}
