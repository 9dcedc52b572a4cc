package actor

// deferredTerminated brings back a message that arrived while the actor was
// suspended.
type deferredTerminated struct{ message *Terminated }

// Watch implements [Context].
func (c *cell) Watch(pid *PID) {
	if pid != nil {
		key := c.system.ProcessRegistry.key(pid)
		x := c.extra()
		if x.children.find(key) >= 0 || !x.watching.add(key, pid) {
			return
		}
	}
	c.system.sendSystem(pid, &Watch{Watcher: &c.pid})
}

// Unwatch implements [Context].
func (c *cell) Unwatch(pid *PID) {
	if pid == nil || c.extras == nil {
		return
	}
	if c.extras.watching.remove(c.system.ProcessRegistry.key(pid)) {
		c.system.sendSystem(pid, &Unwatch{Watcher: &c.pid})
	}
}

func (c *cell) watchedBy(watcher *PID) {
	if watcher == nil {
		return
	}
	if c.life == lifeStopped {
		c.system.sendSystem(watcher, &Terminated{Who: &c.pid, Why: TerminatedReasonNotFound})
		return
	}
	c.extra().watchers.add(c.system.ProcessRegistry.key(watcher), watcher)
}

func (c *cell) unwatchedBy(watcher *PID) {
	if watcher != nil && c.extras != nil {
		c.extras.watchers.remove(c.system.ProcessRegistry.key(watcher))
	}
}

// terminated books the end of a child or of somebody watched, and tells the
// actor if it still cares.
func (c *cell) terminated(m *Terminated) {
	if c.extras == nil || m.Who == nil {
		return
	}
	key := c.system.ProcessRegistry.key(m.Who)
	child := c.extras.children.remove(key)
	watched := c.extras.watching.remove(key)
	switch {
	case c.life == lifeAlive && !c.suspended:
		if child || watched {
			c.deliver(m)
		}
	case c.life == lifeAlive && child, c.life <= lifeRestarting && watched:
		c.extras.deferred = append(c.extras.deferred, m)
	}
	c.childrenGone()
}

// redeliver queues what was deferred ahead of the user messages.
func (c *cell) redeliver() {
	if c.extras == nil {
		return
	}
	for _, m := range c.extras.deferred {
		c.control.Push(&deferredTerminated{m})
	}
	c.extras.deferred = nil
}

// announceEnd tells the watchers and the parent, and takes back the actor's own
// watches.
func (c *cell) announceEnd() {
	end := &Terminated{Who: &c.pid, Why: TerminatedReasonStopped}
	if c.extras != nil {
		for _, w := range c.extras.watchers.list() {
			c.system.sendSystem(w, end)
		}
		for _, w := range c.extras.watching.list() {
			c.system.sendSystem(w, &Unwatch{Watcher: &c.pid})
		}
	}
	if c.parent != nil {
		c.parent.SendSystemMessage(&c.parent.pid, end)
	}
}
