package actor

import "slices"

// DefaultStashCapacity is how many messages an actor stashes, unless
// [WithStashCapacity] says otherwise.
const DefaultStashCapacity = 10_000

// Stash implements [Context].
func (c *cell) Stash() error {
	if !c.stashable() {
		return ErrNotStashable
	}
	x := c.extra()
	x.turn.handedOn = true
	if len(x.stash) >= c.props.stashLimit() {
		c.system.DeadLetter(&c.pid, c.unasked(parked{c.env, x.turn.begun}), DeadLetterStashFull)
		return ErrStashFull
	}
	x.turn.stashed, x.turn.stashedAt = true, len(x.stash)
	x.stash = append(x.stash, parked{c.env, x.turn.begun})
	return nil
}

// stashable reports whether the message being handled is a user's, was not stashed
// yet, and has not run in part, as that of a continuation has.
func (c *cell) stashable() bool {
	if c.life != lifeAlive || c.mute || c.extras != nil && (c.extras.turn.stashed || c.extras.turn.continued) {
		return false
	}
	switch c.env.Message.(type) {
	case nil, *Started, *Stopping, *Stopped, *Restarting, *ReceiveTimeout, *Terminated, *Continuation:
		return false
	default:
		return true
	}
}

// UnstashAll implements [Context].
func (c *cell) UnstashAll() {
	if c.extras == nil || len(c.extras.stash) == 0 {
		return
	}
	stash := c.extras.stash
	c.extras.stash = nil
	c.handleFirst(stash)
}

// forgetStashed takes the message being handled out of the stash: its handler failed
// after it had put it there.
func (x *extras) forgetStashed() {
	if !x.turn.stashed {
		return
	}
	x.turn.stashed = false
	in := &x.first // after UnstashAll, which puts the stash before the others
	if len(x.stash) > 0 {
		in = &x.stash
	}
	*in = slices.Delete(*in, x.turn.stashedAt, x.turn.stashedAt+1)
}

// handleFirst puts messages before all that wait in the mailbox.
func (c *cell) handleFirst(messages []parked) {
	x := c.extra()
	c.detour = true
	x.first = slices.Concat(messages, x.first)
}

// popFirst takes the next message that was put before the mailbox.
func (x *extras) popFirst() MessageEnvelope {
	p := x.first[0]
	x.first[0] = parked{}
	x.first = x.first[1:]
	if len(x.first) == 0 {
		x.first = nil
	}
	x.next = p.begun
	return p.env
}

// unasked returns the envelope without its sender if that must not be told that the
// message did not run.
func (c *cell) unasked(p parked) MessageEnvelope {
	if p.begun {
		p.env.Sender = nil
	}
	return p.env
}
