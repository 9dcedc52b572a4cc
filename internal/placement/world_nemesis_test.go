package placement

import (
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/record"
)

// nemesis does one harm, and comes again.
func (w *world) nemesis() {
	if w.now > worldFaulty {
		return
	}
	w.after(w.ms(700), w.nemesis)
	running := w.running()
	if len(running) == 0 || len(running) < 2 && w.chance(700) {
		w.oneMore()
		return
	}
	p := running[w.rng.IntN(len(running))]
	switch w.rng.IntN(9) {
	case 0:
		w.crash(p)
	case 1:
		w.oneMore()
	case 2:
		w.leave(p)
	case 3, 4:
		p.pausedUntil = w.now + w.harm(2800)
		w.logf("%s is paused until %d ms", p.address, p.pausedUntil/simMillisecond)
		w.suspect(p.node.id)
	case 5:
		w.cut(p, running[w.rng.IntN(len(running))])
	case 6, 7:
		p.cutFromStore = true
		w.logf("%s is cut from the store", p.address)
		w.after(w.harm(3000), func() { p.cutFromStore = false })
	case 8:
		switch {
		case w.chance(120):
			w.empty()
			return
		case w.chance(60):
			w.logf("store: the record is lost, and the liveness keys are not")
			w.store.found, w.store.record, w.store.version = false, record.Record{}, w.store.version+1
			w.changed()
			return
		}
		w.store.down = true
		w.logf("store: down")
		w.after(w.harm(2500), func() { w.store.down = false })
	}
}

// suspect has everybody hear that a member does not answer: that means nothing,
// unless the rule is switched off.
func (w *world) suspect(id driver.MemberID) {
	for _, p := range w.procs {
		if n := p.node; n != nil && n.lease != nil && n.id != id {
			w.inside(n, func() { w.recordStep(n, record.Suspect{ID: id}) })
		}
	}
}

// harm draws how long something lasts: not much longer than faults go on.
func (w *world) harm(most int) Time { return min(w.ms(most), max(worldFaulty-w.now, 0)+simMillisecond) }

func (w *world) running() []*process {
	var running []*process
	for _, p := range w.procs {
		if p.node != nil && !p.node.leaving {
			running = append(running, p)
		}
	}
	return running
}

// oneMore starts a process at an address that is free, or a new one.
func (w *world) oneMore() {
	for _, p := range w.procs {
		if p.node == nil && p.pausedUntil <= w.now {
			w.boot(p)
			return
		}
	}
	if len(w.procs) < 5 {
		w.boot(w.newProcess())
	}
}

func (w *world) crash(p *process) {
	w.logf("%s (%s) crashes", p.address, p.node.id)
	w.end(p.node)
	if w.chance(700) || len(w.running()) == 0 { // somebody is left in the end
		w.after(w.ms(2000), func() { w.restart(p) })
	}
}

func (w *world) leave(p *process) {
	n := p.node
	if n.seen == 0 || n.removed || len(w.running()) < 2 {
		return
	}
	w.logf("%s leaves", n.id)
	n.leaving = true
	w.inside(n, func() {
		w.recordStep(n, record.Drain{})
		w.at(n, w.ms(200), func() { w.emptied(n, 3000*simMillisecond) })
	})
}

// cut loses the messages from one process to another, or in both directions.
func (w *world) cut(a, b *process) {
	if a == b {
		return
	}
	both := w.chance(500)
	w.logf("cut: %s from %s, both ways: %v", a.address, b.address, both)
	a.cut[b] = true
	if both {
		b.cut[a] = true
	}
	w.after(w.harm(2000), func() {
		delete(a.cut, b)
		if both {
			delete(b.cut, a)
		}
	})
}
