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
	if len(x.stash) >= c.props.stashLimit() {
		env := c.env
		c.system.DeadLetter(&c.pid, env, DeadLetterStashFull)
		return ErrStashFull
	}
	x.stash = append(x.stash, c.env)
	x.stashed = true
	return nil
}

// stashable reports whether the message being handled is a user's and was not
// stashed yet.
func (c *cell) stashable() bool {
	if c.life != lifeAlive || c.mute || c.extras != nil && c.extras.stashed {
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

// handleFirst puts messages before all that wait in the mailbox.
func (c *cell) handleFirst(envs []MessageEnvelope) {
	x := c.extra()
	c.detour = true
	x.first = slices.Concat(envs, x.first)
}

// popFirst takes the next message that was put before the mailbox.
func (x *extras) popFirst() MessageEnvelope {
	env := x.first[0]
	x.first[0] = MessageEnvelope{}
	x.first = x.first[1:]
	if len(x.first) == 0 {
		x.first = nil
	}
	return env
}
