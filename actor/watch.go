package actor

import "slices"

// childEnded tells a parent of a child's end.
type childEnded struct{ message Terminated }

// deferredTerminated keeps, and brings back, a message that arrived while the
// actor was suspended.
type deferredTerminated struct {
	message *Terminated
	child   bool // it is about a child
}

// watchings are the watches of an actor, by whom it watches.
type watchings map[pidKey]watching

type watching struct {
	// pid is the actor's own if it lives here: the end of another one that had
	// its name is told from its end by that.
	pid   *PID
	local bool
	// earlier are those who had the name and were watched before, and whose
	// end is on its way.
	earlier []*PID
}

// Watch implements [Context].
func (c *cell) Watch(pid *PID) {
	if pid == nil {
		c.system.sendSystem(nil, &Watch{Watcher: &c.pid})
		return
	}
	key := c.system.ProcessRegistry.key(pid)
	x := c.extra()
	if x.children.find(key) >= 0 {
		return
	}
	process := pid.resolve(c.system.ProcessRegistry)
	w := watching{pid: pid}
	if target, ok := process.(*cell); ok {
		w.pid, w.local = &target.pid, true
	}
	if old, again := x.watching[key]; again {
		if !w.local || old.pid == w.pid {
			return
		}
		w.earlier = slices.Concat(old.earlier, []*PID{old.pid})
	}
	if x.watching == nil {
		x.watching = make(watchings)
	}
	x.watching[key] = w
	process.SendSystemMessage(pid, &Watch{Watcher: &c.pid})
}

// Unwatch implements [Context].
func (c *cell) Unwatch(pid *PID) {
	if pid == nil || c.extras == nil {
		return
	}
	key := c.system.ProcessRegistry.key(pid)
	if _, ok := c.extras.watching[key]; ok {
		delete(c.extras.watching, key)
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
	if c.extras == nil || m.Who == nil {
		return
	}
	key := c.system.ProcessRegistry.key(m.Who)
	w, ok := c.extras.watching[key]
	if !ok {
		return
	}
	if i := slices.Index(w.earlier, m.Who); i >= 0 {
		w.earlier = slices.Delete(w.earlier, i, i+1)
		c.extras.watching[key] = w
	} else if w.local && w.pid != m.Who {
		return // somebody who had the name before an Unwatch
	} else {
		delete(c.extras.watching, key)
	}
	c.tellEnd(m, false)
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
	if c.parent == nil && c.extras == nil {
		return // nobody to tell
	}
	told := &childEnded{Terminated{Who: &c.pid, Why: TerminatedReasonStopped}}
	end := &told.message
	if c.extras != nil {
		for _, w := range c.extras.watchers.list() {
			c.system.sendSystem(w, end)
		}
		for _, w := range c.extras.watching {
			c.system.sendSystem(w.pid, &Unwatch{Watcher: &c.pid})
		}
	}
	if c.parent != nil {
		c.parent.SendSystemMessage(&c.parent.pid, told)
	}
}
