package actor

import (
	"fmt"
	"reflect"
	"slices"
)

// ReceiverFunc handles one envelope. env is valid until the call returns.
type ReceiverFunc func(ctx Context, env *MessageEnvelope)

// ReceiverMiddleware wraps the handling of every message of an actor, lifecycle
// messages included. It is called once when the props are made: what it keeps is
// shared by all actors of the props, which run at the same time. It may change *env, hand on another envelope, or not call
// next at all. A panic in it is a failure of the actor.
type ReceiverMiddleware func(next ReceiverFunc) ReceiverFunc

// SenderFunc sends an envelope on behalf of ctx. env is the callee's.
type SenderFunc func(ctx SenderContext, target *PID, env *MessageEnvelope)

// SenderMiddleware wraps everything that an actor, or a root context, sends:
// also answers, forwarded messages and the requests of futures. It may change
// *env, send to another target, or not call next at all; then the message is gone
// and who waits for an answer waits on, so that it should complete what has a
// sender. It hands next the ctx that it was given. A panic in it is a failure of
// the actor; a root context makes a dead letter of the message.
type SenderMiddleware func(next SenderFunc) SenderFunc

// SpawnFunc makes an actor of the given id. parent is who spawns it.
type SpawnFunc func(system *ActorSystem, id string, props *Props, parent SpawnerContext) (*PID, error)

// SpawnMiddleware wraps the spawning of an actor's children, or of what a root
// context spawns. It may change the props, refuse with an error, or return the
// PID of somebody else. It hands next the parent that it was given. A panic in
// it is [ErrMiddlewarePanicked].
type SpawnMiddleware func(next SpawnFunc) SpawnFunc

// ContextDecoratorFunc returns the context that an instance of an actor, and its
// receiver middleware, are to use instead of ctx.
type ContextDecoratorFunc func(ctx Context) Context

// ContextDecorator wraps the making of an instance's context: once for each
// instance, before its first message. The result embeds what next returned and
// replaces what it likes.
type ContextDecorator func(next ContextDecoratorFunc) ContextDecoratorFunc

// fold makes one function of middleware, the first given outermost. It returns
// nil if there is none. One that makes nothing of the next is refused.
func fold[F any, M ~func(F) F](p *propsConfig, middleware []M, innermost F) (f F) {
	if len(middleware) == 0 {
		return f
	}
	f = innermost
	for _, m := range slices.Backward(middleware) {
		wrapped := m(f)
		if reflect.ValueOf(wrapped).IsNil() {
			p.refuse(fmt.Errorf("a %T returned nil instead of what wraps the next", m))
			return f
		}
		f = wrapped
	}
	return f
}

func receiveHere(ctx Context, env *MessageEnvelope) { ctx.cell().receive(ctx, env) }

func deliverFrom(ctx SenderContext, target *PID, env *MessageEnvelope) {
	by := ctx.cell()
	if by == nil {
		by = patient
	}
	ctx.ActorSystem().sendFrom(by, target, *env)
}

func spawnFor(system *ActorSystem, id string, props *Props, parent SpawnerContext) (*PID, error) {
	var by *cell
	if parent != nil {
		by = parent.cell()
	}
	return system.spawnNow(props, id, by)
}

// send sends for the actor.
func (c *cell) send(pid *PID, env MessageEnvelope) {
	if c.props.send == nil {
		c.system.sendFrom(c, pid, env)
		return
	}
	e := env // only here does it need a place of its own
	c.props.send(c.context(), pid, &e)
}

// decorate makes the context for a new instance.
func (c *cell) decorate() (err error) {
	if c.special == nil || c.props.decorate == nil {
		return nil
	}
	defer recoverAs(&err, ErrMiddlewarePanicked)
	ctx := c.props.decorate(c)
	if ctx == nil {
		return ErrNoContext
	}
	c.special.context = ctx
	return nil
}

// recoverAs makes an error of a panic.
func recoverAs(err *error, kind error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", kind, r)
	}
}
