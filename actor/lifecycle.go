package actor

// lifecycle is where an actor is in its life; it only grows, but for a restart.
type lifecycle int8

const (
	lifeStarting   lifecycle = iota // has not received Started
	lifeAlive                       // handles messages, or is suspended
	lifeRestarting                  // waits for its children to be gone, then begins anew
	lifeStopping                    // waits for its children to be gone, then ends
	lifeStopped                     // is not registered any more
)

// abort ends a cell that never got an actor. Its spawner still runs it, and
// schedules it for the last time, for what arrived in its mailbox.
func (c *cell) abort() {
	c.life = lifeStopped
	c.door.Store(shut)
	c.system.ProcessRegistry.remove(&c.ref, c.pid.Id)
	c.ended()
	c.stopChildren() // of a context decorator
	c.schedule(nil)
}

// beginStop is what Stop and PoisonPill do.
func (c *cell) beginStop() {
	if c.life >= lifeStopping {
		return
	}
	c.life = lifeStopping
	c.suspended = false
	c.CancelReceiveTimeout()
	c.door.Store(shut)
	c.drain()
	c.deliverFinal(stoppingMessage)
	c.stopChildren()
	c.childrenGone()
}

// stopFor is beginStop for a future of the end. Most actors end at once; for others it
// watches, also if runtime.Goexit cuts this short.
func (c *cell) stopFor(f *Future) {
	why := TerminatedReasonNotFound
	defer func() {
		if c.life == lifeStopped {
			f.complete(&Terminated{Who: &c.pid, Why: why}, nil)
		} else if f.watchedFor() {
			c.watchedBy(&f.pid)
		}
	}()
	if c.life != lifeStopped {
		why = TerminatedReasonStopped
		c.beginStop()
	}
}

// drain makes dead letters of what waits in the stash and the mailbox. What a sender pushes
// behind its back finds the same end in handleUser.
func (c *cell) drain() {
	if c.extras != nil {
		c.extras.next = false // that was of what stops the actor
	}
	c.UnstashAll()
	for {
		env, ok := c.popDetour()
		if !ok {
			return
		}
		begun := c.extras != nil && c.extras.next
		if begun {
			c.extras.next = false
		}
		c.system.DeadLetter(&c.pid, c.unasked(parked{env, begun}), DeadLetterStopped)
	}
}

func (c *cell) stopChildren() {
	if c.extras == nil {
		return
	}
	for i := range c.extras.children.entries {
		c.system.stop(c.extras.children.entries[i].pid)
	}
}

// childrenGone takes the step that waits for the last child, if it is gone.
func (c *cell) childrenGone() {
	if c.extras != nil && c.extras.children.len() > 0 {
		return
	}
	switch c.life {
	case lifeStopping:
		c.finish()
	case lifeRestarting:
		c.reincarnate()
	default: // nothing waits
	}
}

// finish is the end: first the actor's last message, then its name, then those
// who wait for it.
func (c *cell) finish() {
	c.deliverFinal(stoppedMessage)
	c.life = lifeStopped
	c.system.ProcessRegistry.remove(&c.ref, c.pid.Id)
	c.announceEnd()
	c.ended()
	c.actor, c.extras, c.env = nil, nil, MessageEnvelope{}
}

// beginRestart replaces the instance.
func (c *cell) beginRestart(m *restart) {
	if c.life != lifeAlive || m.generation != c.generation.now() {
		c.generation.takeBack(m.generation)
		return // it was restarted since for another reason, or is being restarted or stopped
	}
	c.life = lifeRestarting
	c.suspended = true
	c.generation.next()
	c.forgetChildren()
	c.CancelReceiveTimeout()
	c.deliverFinal(restartingMessage)
	c.mute = true
	c.stopChildren()
	c.childrenGone()
}

// proceed goes on with a stop or a restart that runtime.Goexit cut short.
func (c *cell) proceed() {
	if c.life == lifeStopping {
		c.drain()
	}
	c.stopChildren()
	c.childrenGone()
}

func (c *cell) reincarnate() {
	c.life = lifeAlive
	c.actor = nil
	if err := c.equip(); err != nil {
		c.fail(err)
		return
	}
	c.mute, c.suspended = false, false
	c.UnstashAll()
	c.redeliver()
	c.deliver(startedMessage)
}

// resumed lets an actor that failed go on with the next message, and its
// children with it if their failure was what it escalated.
func (c *cell) resumed() {
	if c.life != lifeAlive || !c.suspended {
		return
	}
	if c.actor == nil { // its producer failed: there is nothing to go on with
		c.beginStop()
		return
	}
	c.suspended = false
	c.redeliver()
	for _, child := range c.Children() {
		c.system.sendSystem(child, resumeMessage)
	}
}

// deliverFinal delivers one of an instance's last messages. Its failure changes
// nothing any more.
func (c *cell) deliverFinal(message any) {
	defer func() {
		if r := recover(); r != nil {
			c.system.logger.Error("actor: panicked in its last messages; it ends all the same",
				"actor", &c.pid, "message", typeName(message), "panic", r, "stack", stack())
		}
	}()
	c.deliver(message)
}
