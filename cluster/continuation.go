package cluster

import (
	"time"

	"github.com/granary-go/granary/actor"
)

// continuations are the callers of an activation who wait for continuations that it
// has begun with [actor.Context.ReenterAfter], and stands before its actor so as
// to know of them, and of what decides whether it is idle. Whoever waits when the
// activation ends, or its instance is replaced, is told that the outcome is unknown: the first half has run.
//
// It is used by its actor only, one turn at a time.
type continuations struct {
	actor.Context
	act      *activation
	waiting  map[*waitingCaller]struct{}
	fresh    []*waitingCaller // of the turn at hand
	answered bool             // the turn has answered its caller
	silence  bool             // the receive timeout is that of the kind, not one that the actor has set
}

// waitingCaller is a caller who waits; nobody if it was answered already.
type waitingCaller struct{ pid *actor.PID }

// turn hands a message to the actor.
func (c *continuations) turn(ctx actor.Context, env *actor.MessageEnvelope, next actor.ReceiverFunc) {
	c.endTurn() // of the one before
	c.Context = ctx
	switch env.Message.(type) {
	case *actor.Restarting:
		defer c.renew()
		defer c.giveUp(&GrainError{CodePanic, "the grain failed before it had answered"})
	case *actor.Stopped:
		defer func() {
			if c.act.mayAct() {
				c.giveUp(&GrainError{CodeFenced, "the grain was stopped before it had answered"})
			} else {
				c.giveUp(&GrainError{CodeFenced, ReasonFenced})
			}
		}()
	}
	next(c, env)
}

// endTurn takes those for answered who began to wait in a turn that has answered.
// It is called when the next one begins: nobody is interested before.
func (c *continuations) endTurn() {
	if c.answered {
		for _, w := range c.fresh {
			w.pid = nil
		}
	}
	c.fresh, c.answered = c.fresh[:0], false
}

func (c *continuations) giveUp(answer *GrainError) {
	for w := range c.waiting {
		if w.pid != nil {
			c.ActorSystem().Root.Send(w.pid, answer)
		}
	}
	clear(c.waiting)
	c.act.continuing.Store(0)
}

// renew forgets what was of an instance that is being replaced. What it has stashed is for the
// next one, and comes back to it at once.
func (c *continuations) renew() {
	c.silence = false
	c.act.stashed.Store(0)
}

// SetReceiveTimeout implements actor.Context.
func (c *continuations) SetReceiveTimeout(d time.Duration) {
	c.silence = false
	c.Context.SetReceiveTimeout(d)
}

// CancelReceiveTimeout implements actor.Context.
func (c *continuations) CancelReceiveTimeout() {
	c.silence = false
	c.Context.CancelReceiveTimeout()
}

// Stash implements actor.Context.
func (c *continuations) Stash() error {
	err := c.Context.Stash()
	if err == nil {
		c.act.stashed.Add(1)
	}
	return err
}

// UnstashAll implements actor.Context.
func (c *continuations) UnstashAll() {
	c.act.stashed.Store(0)
	c.Context.UnstashAll()
}

// Respond implements actor.Context.
func (c *continuations) Respond(response any) {
	c.answered = true
	c.Context.Respond(response)
}

// ReenterAfter implements actor.Context.
func (c *continuations) ReenterAfter(f *actor.Future, continuation func(result any, err error)) {
	w := &waitingCaller{pid: c.Sender()}
	if c.waiting == nil {
		c.waiting = make(map[*waitingCaller]struct{})
	}
	c.Context.ReenterAfter(f, func(result any, err error) {
		delete(c.waiting, w)
		c.act.continuing.Store(int32(len(c.waiting)))
		continuation(result, err)
	})
	c.waiting[w] = struct{}{}
	c.fresh = append(c.fresh, w)
	c.act.continuing.Store(int32(len(c.waiting)))
}
