package cluster

import (
	"errors"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
)

// ReasonFenced is the reason of dead letters that a leased activation was sent,
// or sent itself, after its member's lease had ended.
const ReasonFenced = "the member's lease has ended"

// ReasonNotStored is the reason of dead letters that a strict activation sent in
// a turn whose write was not acknowledged.
const ReasonNotStored = "the write of the turn that sent it was not acknowledged"

// errFenced is the error of futures that a fenced activation asks for.
var errFenced = errors.New("cluster: " + ReasonFenced)

// gate is the context of a leased activation's actor, and stands before it:
// no turn begins, and no reply or message gets out, once the lease of the member
// has ended (rule 11). A strict activation's replies and messages are held until
// the turn is over and its write is acknowledged (rule 13).
//
// What an actor sends otherwise than by its context, through the root context, a child or
// a goroutine of its own, does not pass the gate.
//
// It is used by its actor only, one turn at a time.
type gate struct {
	actor.Context
	act   *activation
	lease driver.Lease
	held  []parcel // of a strict activation's turn
}

// parcel is what a strict activation has sent and that waits for its write.
type parcel struct {
	how     delivery
	to      *actor.PID
	message any
	sender  *actor.PID
}

type delivery uint8

const (
	bySend delivery = iota
	byRequest
	byCustomSender
	byForward
	byRespond
	byPoison
)

func newGate(act *activation, lease driver.Lease) *gate {
	return &gate{act: act, lease: lease}
}

// turn hands a message to the actor, unless the lease has ended.
func (g *gate) turn(ctx actor.Context, env *actor.MessageEnvelope, next actor.ReceiverFunc) {
	g.Context = ctx
	if !g.lease.Valid() {
		g.refuse(env, next)
		return
	}
	if g.act.state == nil {
		next(g, env)
		return
	}
	defer g.endTurn()
	next(g, env)
}

// refuse turns a message away, which certainly has not run: a grain call is sent
// to the next activation. Of the actor's last messages it gets the very last
// only, to free what it holds; Stopping is where grains store their state.
func (g *gate) refuse(env *actor.MessageEnvelope, next actor.ReceiverFunc) {
	switch env.Message.(type) {
	case *actor.Stopped:
		next(g, env)
	case *actor.Continuation: // whoever waits for it is told when the activation ends
		g.act.counters.refused.Add(1)
		g.ActorSystem().DeadLetter(g.Self(), actor.MessageEnvelope{Message: env.Message}, ReasonFenced)
	case *actor.Started, *actor.Stopping, *actor.Restarting, *actor.ReceiveTimeout, *actor.Terminated:
	default:
		g.act.counters.refused.Add(1)
		g.ActorSystem().DeadLetter(g.Self(), *env, ReasonFenced)
	}
}

// endTurn lets out what a strict activation's turn has sent, or drops it.
func (g *gate) endTurn() {
	held := g.held
	g.held = nil
	reason := ""
	switch {
	case !g.lease.Valid():
		reason = ReasonFenced
	case !g.act.state.stored():
		reason = ReasonNotStored
	}
	if g.act.state.superseded() {
		g.Stop(g.Self())
	}
	for _, p := range held {
		if reason == "" || p.how == byPoison {
			g.deliver(p)
		} else {
			g.drop(p, reason)
		}
	}
}

func (g *gate) deliver(p parcel) {
	switch p.how {
	case bySend:
		g.Context.Send(p.to, p.message)
	case byRequest:
		g.Context.Request(p.to, p.message)
	case byCustomSender:
		g.Context.RequestWithCustomSender(p.to, p.message, p.sender)
	case byForward:
		g.Context.Forward(p.to)
	case byRespond:
		g.Context.Respond(p.message)
	case byPoison:
		g.Context.Poison(p.to)
	}
}

// drop makes a dead letter of what must not get out. Whoever waits for the
// reply, also if another actor was to give it, is told that there is none: the
// turn may have had effects.
func (g *gate) drop(p parcel, reason string) {
	g.act.counters.withheld.Add(1)
	if p.how == byRespond {
		g.Context.Respond(&GrainError{CodeFenced, reason})
		return
	}
	env, waits := actor.MessageEnvelope{Message: p.message}, p.sender
	switch p.how {
	case byForward:
		env.Message, waits = g.Message(), g.Sender()
	case byRequest:
		if reason != ReasonFenced { // else the actor gets no message any more
			env.Sender = g.Self()
		}
	}
	g.ActorSystem().DeadLetter(p.to, env, reason)
	if waits != nil {
		g.Context.Send(waits, &GrainError{CodeFenced, reason})
	}
}

// open reports whether what the actor sends may get out as it is: a strict
// activation's is held until the turn ends.
func (g *gate) open() bool { return g.act.state == nil && g.lease.Valid() }

// keep holds what the actor sends, or drops it.
func (g *gate) keep(p parcel) {
	if g.act.state != nil && g.lease.Valid() {
		g.held = append(g.held, p)
	} else {
		g.drop(p, ReasonFenced)
	}
}

// Send implements actor.SenderContext.
func (g *gate) Send(pid *actor.PID, message any) {
	if g.open() {
		g.Context.Send(pid, message)
	} else {
		g.keep(parcel{how: bySend, to: pid, message: message})
	}
}

// Request implements actor.SenderContext.
func (g *gate) Request(pid *actor.PID, message any) {
	if g.open() {
		g.Context.Request(pid, message)
	} else {
		g.keep(parcel{how: byRequest, to: pid, message: message})
	}
}

// RequestWithCustomSender implements actor.SenderContext.
func (g *gate) RequestWithCustomSender(pid *actor.PID, message any, sender *actor.PID) {
	if g.open() {
		g.Context.RequestWithCustomSender(pid, message, sender)
	} else {
		g.keep(parcel{how: byCustomSender, to: pid, message: message, sender: sender})
	}
}

// Forward implements actor.Context.
func (g *gate) Forward(pid *actor.PID) {
	if g.open() {
		g.Context.Forward(pid)
	} else {
		g.keep(parcel{how: byForward, to: pid})
	}
}

// Respond implements actor.Context.
func (g *gate) Respond(response any) {
	if g.open() {
		g.Context.Respond(response)
	} else {
		g.keep(parcel{how: byRespond, message: response})
	}
}

// Stash implements actor.Context. It keeps nothing of a turn that may have written:
// who waits is not to be told later that it did not run.
func (g *gate) Stash() error {
	if !g.lease.Valid() || g.act.state != nil && !g.act.state.untouched() {
		return actor.ErrNotStashable
	}
	return g.Context.Stash()
}

// Poison implements actor.StopperContext. It gets out in any case, so that
// nothing is left behind, but it does not overtake what was sent before it.
func (g *gate) Poison(pid *actor.PID) {
	if g.act.state == nil {
		g.Context.Poison(pid)
		return
	}
	g.held = append(g.held, parcel{how: byPoison, to: pid})
}

// RequestFuture implements actor.Requester. It is not held: the turn waits for
// the answer.
func (g *gate) RequestFuture(pid *actor.PID, message any, timeout time.Duration) *actor.Future {
	if g.lease.Valid() {
		return g.Context.RequestFuture(pid, message, timeout)
	}
	g.act.counters.withheld.Add(1)
	future := actor.NewFuture(g.ActorSystem(), timeout)
	future.Fail(errFenced)
	return future
}
