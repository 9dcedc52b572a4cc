package actor

import "slices"

// childEnded tells a parent of a child's end.
type childEnded struct{ message *Terminated }

// deferredTerminated keeps, and brings back, a message that arrived while the
// actor was suspended.
type deferredTerminated struct {
	message *Terminated
	child   bool // it is about a child
}

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

// childEnded books the end of a child and tells the actor. The name may have a
// new child already: only the one that ended is taken off the books.
func (c *cell) childEnded(m *Terminated) {
	x := c.extra()
	key := c.system.ProcessRegistry.key(m.Who)
	if x.children.get(key) == m.Who {
		x.children.remove(key)
	}
	c.tellEnd(m, true)
	c.childrenGone()
}

// terminated books the end of somebody watched, and tells the actor if it still
// cares.
func (c *cell) terminated(m *Terminated) {
	if c.extras != nil && m.Who != nil && c.extras.watching.remove(c.system.ProcessRegistry.key(m.Who)) {
		c.tellEnd(m, false)
	}
}

// tellEnd delivers m to an actor that handles messages, and keeps it for one that
// waits for its supervisor's decision.
func (c *cell) tellEnd(m *Terminated, child bool) {
	switch {
	case c.life == lifeAlive && !c.suspended:
		c.deliver(m)
	case c.life == lifeAlive || (c.life == lifeRestarting && !child):
		c.extras.deferred = append(c.extras.deferred, deferredTerminated{m, child})
	}
}

// forgetChildren drops what a new instance would not understand: the end of
// children that the old one spawned.
func (c *cell) forgetChildren() {
	if c.extras != nil {
		c.extras.deferred = slices.DeleteFunc(c.extras.deferred, func(d deferredTerminated) bool { return d.child })
	}
}

// redeliver queues what was deferred ahead of the user messages.
func (c *cell) redeliver() {
	if c.extras == nil {
		return
	}
	for _, m := range c.extras.deferred {
		c.control.Push(&m)
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
		c.parent.SendSystemMessage(&c.parent.pid, &childEnded{end})
	}
}
