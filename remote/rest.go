package remote

import (
	"time"
)

// proposalsEvery is how often a proposal to rest is considered; one before that is
// declined unseen.
const proposalsEvery = time.Second

// idleness tells a writer when nothing was sent or received for a while. Only the
// side that dialled looks.
type idleness struct {
	conn *conn
	tick *time.Ticker // nil if this connection never rests
	seen uint64       // messages in both directions at the last tick
	late *time.Timer  // fires when a proposal stays without an answer; nil without one
}

func (c *conn) newIdleness() idleness {
	i := idleness{conn: c}
	i.lasted()
	if every := c.remote.config.idleTimeout; every > 0 && c.dialed && c.peer.features.rests && c.peer.features.acknowledges {
		i.tick = time.NewTicker(every)
	}
	return i
}

func (i *idleness) stop() {
	if i.tick != nil {
		i.tick.Stop()
	}
	if i.late != nil {
		i.late.Stop()
	}
}

// unanswered fires when the peer has neither agreed to a rest nor declined it in time.
// What is held back cannot wait for ever.
func (i *idleness) unanswered() <-chan time.Time {
	if i.late == nil || !i.conn.ep.isResting() {
		return nil
	}
	return i.late.C
}

func (i *idleness) ticks() <-chan time.Time {
	if i.tick == nil {
		return nil
	}
	return i.tick.C
}

// lasted reports, at a tick, whether nothing has happened since the one before.
func (i *idleness) lasted() bool {
	now := i.conn.ep.first() + i.conn.owed.arrived.Load()
	lasted := now == i.seen
	i.seen = now
	return lasted
}

// proposeRest asks the peer to end the connection, if nothing needs it. From then on
// nothing is written until the peer stays.
func (w *writer) proposeRest() error {
	c := w.conn
	if !c.ep.mayRest(c) {
		return nil
	}
	w.idle.late = time.NewTimer(c.remote.config.goodbyeTimeout)
	return w.sayRest()
}

// rested takes a Rest of the peer: its proposal if it dialled, else that it stays.
func (c *conn) rested() error {
	if c.dialed {
		c.ep.wakeUp()
		return nil
	}
	if now := time.Now(); now.Sub(c.proposed) >= proposalsEvery {
		c.proposed = now
		if c.peer.features.rests && c.peer.features.acknowledges && c.ep.mayRest(c) {
			return errIdle
		}
	}
	nudge(c.stays)
	return nil
}

// mayRest holds back what is sent from now on, if nothing needs the connection.
func (ep *endpoint) mayRest(c *conn) bool {
	ep.mu.Lock()
	idle := ep.isIdle(c)
	ep.mu.Unlock()
	// Who is asked for an answer is looked for without the mutex: there may be many.
	if !idle || ep.remote.system.PendingRequests(ep.address) > 0 {
		return false
	}
	ep.mu.Lock()
	defer ep.mu.Unlock()
	idle = ep.isIdle(c)
	ep.link.resting = ep.link.resting || idle
	return idle
}

// isIdle reports whether nothing is under way over c and nobody is watched; ep.mu is held.
func (ep *endpoint) isIdle(c *conn) bool {
	return ep.link.phase == phaseUp && ep.link.current == c && !ep.link.parting && !ep.link.leaving &&
		ep.queue.messages == 0 && ep.flight.len() == 0 && len(ep.watches.ours)+len(ep.watches.theirs) == 0
}

// wakeUp ends a rest that the peer did not agree to.
func (ep *endpoint) wakeUp() {
	ep.mu.Lock()
	ep.link.resting = false
	ep.mu.Unlock()
	nudge(ep.wake)
}

func (ep *endpoint) isResting() bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return ep.link.resting
}

// rested ends a connection that rests. What was sent meanwhile makes the next one. If this process began to leave after the two
// had agreed, the writer may have taken what was held back: that comes to nothing.
func (ep *endpoint) rested(c *conn) {
	ep.remote.disconnected(c)
	ep.mu.Lock()
	unsent := c.writer.rest()
	flown, _ := ep.flight.land()
	after := ep.step(event{kind: eventBroken, conn: c, idle: true})
	var dropped []flying
	var ended watches
	if ep.link.phase == phaseClosed {
		dropped, ended = ep.queue.drain(), ep.watches.drain()
	} else if ep.queue.messages > 0 {
		ep.step(event{kind: eventSend})
	}
	ep.mu.Unlock()
	after()
	ep.deadLetter(unsent, ErrShutDown.Error())
	for i := range flown {
		ep.lost(&flown[i], false, ErrShutDown.Error())
	}
	ep.deadLetter(dropped, ErrShutDown.Error())
	ended.end(ep.remote.system, ep.address)
}
