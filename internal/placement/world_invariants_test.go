package placement

import (
	"github.com/granary-go/granary/cluster/driver"
)

// The invariants are those of docs/design/placement.md, by their numbers.

// published checks a write of the view record: views count by one, and a member
// that is taken out hosts nothing leased that is not fenced (5, rule 10).
func (w *world) published(was, view driver.View) {
	w.table = narrowTable(view, w.identities)
	if was.Epoch == 0 {
		w.stats.founded++
	} else if view.Epoch != was.Epoch+1 || view.Previous != was.Epoch || view.Incarnation != was.Incarnation {
		w.failf("views: %d of %s follows %d of %s, made from %d", view.Epoch, view.Incarnation, was.Epoch, was.Incarnation, view.Previous)
	}
	if err := view.Validate(); err != nil {
		w.failf("views: %v", err)
	}
	for _, m := range was.Members {
		n := w.nodes[m.ID]
		if _, still := view.Member(m.ID); still || n.ended || !n.valid(w) {
			continue
		}
		for _, id := range w.identities {
			if f, on := w.live[id][m.ID]; on {
				w.failf("invariant 5: %s is taken out of the view, its lease is valid and it hosts %s %v", m.ID, id, f)
			}
		}
	}
}

// checkStart checks invariants 1 and 4.
func (w *world) checkStart(n *node, e Start) {
	if _, in := w.store.record.View.Member(n.id); !in && e.Identity.Kind == "b" {
		w.stats.doubles++ // it does not know yet that it was removed
		return
	}
	if e.Fence.Compare(w.newest[e.Identity]) <= 0 {
		w.failf("invariant 4: %s of %s is not above %v", e.Fence, e.Identity, w.newest[e.Identity])
	}
	for on, f := range w.live[e.Identity] {
		other := w.nodes[on]
		_, in := w.store.record.View.Member(on)
		switch {
		case e.Identity.Kind == "k" && other.valid(w):
			w.failf("invariant 1: %s starts %s %v while %v is active and unfenced on %s", n.id, e.Identity, e.Fence, f, on)
		case e.Identity.Kind == "b" && in:
			w.failf("invariant 1: %s starts %s %v while %v is active on %s, a member", n.id, e.Identity, e.Fence, f, on)
		case e.Identity.Kind == "b":
			w.stats.doubles++
		}
	}
}

// checkTurn checks invariants 1 and 6: what an activation with a successor does.
func (w *world) checkTurn(n *node, id driver.Identity, f driver.Fence, what string) {
	newest := w.newest[id]
	if newest.Compare(f) <= 0 {
		return
	}
	if _, in := w.store.record.View.Member(n.id); id.Kind == "k" || in {
		w.failf("invariant 6: %s %s on %s %s, and %v has been started", id, f, n.id, what, newest)
	}
}

// audit takes what the machines themselves count. A kind that is best effort may
// have had two.
func (w *world) audit(n *node, e Violation) {
	if e.Identity.Kind == "k" {
		w.failf("audit at %s: %s: %s", n.id, e.Identity, e.What)
	}
}

// checkMarks checks invariant 2.
func (w *world) checkMarks(n *node) {
	for _, id := range w.identities {
		s := SlotOf(id)
		term, seq := n.host.mark(s)
		mark := driver.Fence{Term: term, Seq: seq}
		if mark.Compare(n.marks[s]) < 0 {
			w.failf("invariant 2: %s lowered its marks of slot %d from %v to %v", n.id, s, n.marks[s], mark)
		}
		n.marks[s] = mark
	}
}

// checkResolve checks invariant 7, and invariant 3 after every step of an owner.
func (w *world) checkResolve(n *node, ev Event, effects []Effect) {
	if r, ok := ev.(Resolve); ok && r.Epoch <= n.owner.view.Epoch {
		slot := n.owner.slot(SlotOf(r.Identity))
		if slot != nil && len(slot.missing) == 0 {
			g := slot.grants[r.Identity]
			if g != nil && g.phase == granted && !g.verifying && g.fence != r.Suspect && !answers(effects, r.Request) {
				w.failf("invariant 7: %s lets a resolve of %s wait, which is granted in an open slot", n.id, r.Identity)
			}
		}
	}
	for _, id := range w.identities {
		w.checkCover(n, id)
	}
}

func answers(effects []Effect, request uint64) bool {
	for _, e := range effects {
		if a, ok := e.(Answer); ok && a.Request == request {
			return true
		}
	}
	return false
}

// checkCover is invariant 3: the table of an open slot holds every activation on
// the hosts of its view that have not promised higher.
func (w *world) checkCover(n *node, id driver.Identity) {
	slot := n.owner.slot(SlotOf(id))
	if slot == nil || len(slot.missing) > 0 {
		return
	}
	for on, f := range w.live[id] {
		host := w.nodes[on]
		_, in := n.owner.view.Member(on)
		if term, _ := host.host.mark(SlotOf(id)); !in || host.ended || term > slot.term {
			continue
		}
		if g := slot.grants[id]; g == nil || g.host != on || g.fence != f {
			w.failf("invariant 3: %s has slot %d open in term %d and does not know %s %v on %s", n.id, SlotOf(id), slot.term, id, f, on)
		}
	}
}

// kept gives the terms of the slots that a member has open.
func (w *world) kept(n *node) map[Slot]uint64 {
	open := make(map[Slot]uint64)
	for _, id := range w.identities {
		if slot := n.owner.slot(SlotOf(id)); slot != nil && len(slot.missing) == 0 {
			open[SlotOf(id)] = slot.term
		}
	}
	return open
}

// retained is invariant 7 at a change of view: what stays with its owner does
// not wait.
func (w *world) retained(n *node, before map[Slot]uint64, table *Table) {
	for s, term := range before {
		if !table.OwnedBy(s, n.id) {
			continue
		}
		if slot := n.owner.slot(s); slot == nil || len(slot.missing) > 0 || slot.term != term {
			w.failf("invariant 7: slot %d stays with %s, and is not open any more", s, n.id)
		}
	}
}

// atRest checks invariants 9 and 10 when nothing has been wrong for a while.
func (w *world) atRest() {
	if w.failure != "" {
		return
	}
	if w.waiting > 0 {
		w.failf("invariant 10: %d calls have no answer", w.waiting)
	}
	tables, members, hosted := make(map[Entry]driver.MemberID), 0, 0
	for _, p := range w.procs {
		n := p.node
		if n == nil {
			continue
		}
		members++
		if m, in := w.store.record.View.Member(n.id); !in || m.State != driver.Active || n.seen != w.store.record.View.Epoch {
			w.failf("invariant 10: %s, at view %d, is no active member of view %d: %v", n.id, n.seen, w.store.record.View.Epoch, w.store.record.View.Members)
		}
		if n.host.Pending() || n.owner.Pending() || n.phase != driver.LeaseValid {
			w.failf("invariant 9: %s is not at rest: host %v, owner %v, lease %s", n.id, n.host.Pending(), n.owner.Pending(), n.phase)
		}
		n.owner.Each(func(e Entry, host driver.MemberID) bool {
			tables[e] = host
			return true
		})
		for id, t := range n.running {
			hosted++
			if w.live[id][n.id] != t.fence {
				w.failf("the simulation is wrong about %s on %s", id, n.id)
			}
		}
	}
	if members != len(w.store.record.View.Members) {
		w.failf("invariant 10: %d processes run, and the view has %v", members, w.store.record.View.Members)
	}
	for id, at := range w.live {
		for on, f := range at {
			if tables[Entry{id, f}] != on {
				w.failf("invariant 9: %s %v on %s is in no owner's table", id, f, on)
			}
		}
	}
	if hosted != len(tables) {
		w.failf("invariant 9: owners know %d activations, hosts have %d: %v", len(tables), hosted, tables)
	}
}
