package placement

import (
	"github.com/granary-go/granary/cluster/driver"
)

// send is the network among the members.
func (w *world) send(from *node, e Send) {
	if w.faulty(60) {
		return
	}
	copies := 1
	if w.faulty(60) {
		copies = 2
	}
	for range copies {
		w.after(w.latency(), func() {
			to := w.nodes[e.To]
			if w.broken.byAddress && to != nil && to.proc.node != nil {
				to = to.proc.node
			}
			if to == nil || to.ended || to.lease == nil || from.proc.cut[to.proc] {
				return
			}
			w.inside(to, func() {
				w.logf("%s→%s %T %+v", from.id, e.To, e.Message, brief(e.Message))
				r := Received{from.id, e.Message, from.proc.address}
				switch e.Message.(type) {
				case *Prepare, *Spawn, *Verify, *StopOrder, *DeactivatedAck:
					w.hostStep(to, r)
				default:
					w.ownerStep(to, r)
				}
			})
		})
	}
}

// hostStep tells the machine first how its lease is at this moment.
func (w *world) hostStep(n *node, ev Event) {
	if _, told := ev.(LeaseChanged); !told && n.lease != nil && n.phase != driver.LeaseFenced && !n.valid(w) {
		w.phaseChanged(n, driver.LeaseFenced)
	}
	effects := n.host.Step(n.clock(w), ev)
	w.checkMarks(n)
	w.carry(n, effects)
}

func (w *world) ownerStep(n *node, ev Event) {
	effects := n.owner.Step(n.clock(w), ev)
	w.checkResolve(n, ev, effects)
	w.carry(n, effects)
}

func (w *world) carry(n *node, effects []Effect) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case Send:
			w.send(n, e)
		case Start:
			w.start(n, e)
		case Stop:
			w.stop(n, e.Identity, e.Fence)
		case Answer:
			w.answer(n, e)
		case Refresh:
			w.at(n, w.ms(30), func() { w.reread(n) })
		case Forged:
			w.failf("%s refused a message of %s from %s", n.id, e.From, e.Address)
		case Violation:
			w.audit(n, e)
		}
	}
	w.tick(n)
}

func (w *world) tick(n *node) {
	if n.ticking || !n.host.Pending() && !n.owner.Pending() {
		return
	}
	n.ticking = true
	w.at(n, 50*simMillisecond, func() {
		n.ticking = false
		w.hostStep(n, Tick{})
		w.ownerStep(n, Tick{})
	})
}

func (w *world) start(n *node, e Start) {
	w.logf("%s starts %s %v", n.id, e.Identity, e.Fence)
	w.checkStart(n, e)
	if w.live[e.Identity] == nil {
		w.live[e.Identity] = make(map[driver.MemberID]driver.Fence)
	}
	if e.Fence.Compare(w.newest[e.Identity]) > 0 {
		w.newest[e.Identity] = e.Fence
	}
	w.live[e.Identity][n.id] = e.Fence
	n.running[e.Identity] = &turns{fence: e.Fence}
	if w.rng.IntN(3) > 0 { // passivated after a while
		w.at(n, w.ms(2500), func() { w.stop(n, e.Identity, e.Fence) })
	}
}

// stop begins the end of an activation: it is over when the turn that is running
// is, and a while later. Few take very long.
func (w *world) stop(n *node, id driver.Identity, f driver.Fence) {
	t := n.running[id]
	if t == nil || t.fence != f || t.stops {
		return
	}
	t.stops = true
	w.logf("%s stops %s %v", n.id, id, f)
	w.hostStep(n, StopBegun{id, f})
	d := w.ms(200)
	if w.faulty(30) {
		d += w.ms(4000)
	}
	var stopped func()
	stopped = func() {
		if t.busy {
			w.at(n, 20*simMillisecond, stopped)
			return
		}
		w.logf("%s has stopped %s %v", n.id, id, f)
		delete(n.running, id)
		delete(w.live[id], n.id)
		w.hostStep(n, Stopped{id, f})
	}
	w.at(n, d, stopped)
}

// call asks a random identity's owner, as long as there are faults.
func (w *world) call() {
	if w.now < worldFaulty {
		w.after(w.ms(700), w.call)
	}
	w.waiting++
	w.askOwner(&simCall{identity: w.identities[w.rng.IntN(len(w.identities))]})
}

// askOwner is a client's resolve, by the newest view in the store.
func (w *world) askOwner(c *simCall) {
	view := w.store.record.View
	var n *node
	if w.store.found && w.table != nil {
		owner, _ := w.table.Owner(SlotOf(c.identity))
		n = w.nodes[owner.ID]
	}
	if n == nil || n.ended {
		w.after(w.ms(100), func() { w.askOwner(c) })
		return
	}
	w.asked++
	c.request = w.asked
	request := c.request
	w.calls[request] = c
	w.at(n, w.ms(20), func() {
		w.ownerStep(n, Resolve{Request: request, Epoch: view.Epoch, Identity: c.identity, Suspect: c.suspect})
	})
	w.after(3000*simMillisecond, func() { w.giveUp(request) }) // an answer that does not come is asked for again
}

// giveUp asks again for what was not answered.
func (w *world) giveUp(request uint64) {
	if c := w.calls[request]; c != nil {
		delete(w.calls, request)
		w.askOwner(c)
	}
}

func (w *world) answer(n *node, a Answer) {
	c := w.calls[a.Request]
	if c == nil {
		return
	}
	delete(w.calls, a.Request)
	w.logf("%s answers %s: %d %s %v", n.id, c.identity, a.Outcome, a.Host, a.Fence)
	if a.Outcome != Found {
		w.after(w.ms(60), func() { w.askOwner(c) })
		return
	}
	w.request(c, w.nodes[a.Host], a.Fence)
}

// request is the call itself: a message to the activation, and its reply. What is
// lost, refused or withheld is asked for anew.
func (w *world) request(c *simCall, n *node, f driver.Fence) {
	w.asked++
	request := w.asked
	w.calls[request] = c
	w.after(2500*simMillisecond, func() {
		if w.calls[request] == c {
			c.suspect = f
			w.giveUp(request)
		}
	})
	if w.faulty(60) {
		return
	}
	back := func(ok bool) {
		w.after(w.latency(), func() {
			if w.calls[request] != c {
				return
			}
			if !ok {
				c.suspect = f
				w.giveUp(request)
				return
			}
			delete(w.calls, request)
			w.waiting--
			w.stats.answered++
		})
	}
	wanted := func() bool { return w.calls[request] == c }
	w.at(n, w.latency(), func() { w.deliver(n, c.identity, f, message{wanted, back}) })
}

// message is a call as its grain gets it. One whose caller has given up does not
// run.
type message struct {
	wanted func() bool
	back   func(ok bool)
}

// deliver puts a message in the mailbox of an activation.
func (w *world) deliver(n *node, id driver.Identity, f driver.Fence, m message) {
	t := n.running[id]
	if t == nil || t.fence != f || t.stops {
		m.back(false) // a dead letter
		return
	}
	t.waiting = append(t.waiting, m)
	w.turns(n, id, t)
}

// turns runs what waits in a mailbox, one at a time. It is the gate of the
// cluster's shell: the lease is looked at before a turn begins and before its
// reply gets out.
func (w *world) turns(n *node, id driver.Identity, t *turns) {
	leased := id.Kind == "k"
	for !t.busy && len(t.waiting) > 0 {
		m := t.waiting[0]
		t.waiting = t.waiting[1:]
		switch {
		case t.stops || leased && !n.valid(w):
			w.stats.refused++
			m.back(false)
		case m.wanted():
			w.turn(n, id, t, m)
		}
	}
}

func (w *world) turn(n *node, id driver.Identity, t *turns, m message) {
	w.stats.turns++
	w.checkTurn(n, id, t.fence, "begins a turn")
	t.busy = true
	d := w.ms(40)
	if w.faulty(40) {
		d += w.ms(2500)
	}
	w.at(n, d, func() {
		t.busy = false
		if id.Kind == "k" && !n.valid(w) {
			w.stats.withheld++
			m.back(false)
		} else {
			w.checkTurn(n, id, t.fence, "lets a reply out")
			m.back(true)
		}
		w.turns(n, id, t)
	})
}
