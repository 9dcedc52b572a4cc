package placement

import (
	"maps"
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// acquire begins a term: every host of the view has to promise it (rule 4).
func (o *Owner) acquire(s Slot) {
	slot := &ownedSlot{term: o.view.Epoch, missing: make([]awaited, len(o.view.Members))}
	for i, m := range o.view.Members {
		slot.missing[i].host = m.ID
	}
	o.slots[s] = slot
	o.acquiring[s] = true
	o.past.noteSlot(s, SlotAcquired, slot.term)
}

// prepare asks, per host and term, for what has not been promised.
func (o *Owner) prepare(now Time) []Effect {
	if len(o.acquiring) == 0 {
		return nil
	}
	type target struct {
		host driver.MemberID
		term uint64
	}
	ask := make(map[target][]Slot)
	for s := range o.acquiring {
		slot := o.slots[s]
		for _, a := range slot.missing {
			if o.prepared[a.host].due <= now {
				t := target{a.host, slot.term}
				ask[t] = append(ask[t], s)
			}
		}
	}
	targets := slices.SortedFunc(maps.Keys(ask), func(a, b target) int {
		if a.host != b.host {
			return compareIDs(a.host, b.host)
		}
		return driver.Fence{Term: a.term}.Compare(driver.Fence{Term: b.term})
	})
	out := make([]Effect, 0, len(targets))
	for _, t := range targets {
		slices.Sort(ask[t])
		for slots := range slices.Chunk(ask[t], maxPrepare) {
			out = append(out, Send{t.host, &Prepare{Term: t.term, Slots: slots}})
		}
	}
	for _, t := range targets {
		if o.prepared[t.host].due <= now {
			o.prepared[t.host] = o.prepared[t.host].again(now, o.cfg.Resend)
		}
	}
	return out
}

// promise takes a host's reports in and opens the slots that wait for no
// other host.
func (o *Owner) promise(now Time, from driver.MemberID, p *Promise) []Effect {
	var out []Effect
	if slices.ContainsFunc(p.Stale, func(s Slot) bool { return s < SlotCount && o.acquiring[s] && o.slots[s].term == p.Term }) {
		out = append(out, Refresh{o.view.Epoch + 1})
	}
	o.prepared[from] = o.prepared[from].answering(now)
	for _, s := range p.Empty {
		out = append(out, o.report(now, from, p.Term, SlotReport{Slot: s})...)
	}
	for _, r := range p.Reports {
		out = append(out, o.report(now, from, p.Term, r)...)
	}
	return out
}

// report takes in what one host has in one slot.
func (o *Owner) report(now Time, from driver.MemberID, term uint64, r SlotReport) []Effect {
	if r.Slot >= SlotCount || o.slots[r.Slot] == nil || o.slots[r.Slot].term != term {
		return nil
	}
	slot := o.slots[r.Slot]
	i := slot.awaits(from)
	if i < 0 {
		return nil
	}
	entries, complete := collect(&slot.missing[i].got, r, o.broken.mixReports)
	if !complete {
		return nil
	}
	slot.missing = slices.Delete(slot.missing, i, i+1)
	if o.broken.openEarly {
		slot.missing = nil
	}
	var out []Effect
	for _, e := range entries {
		if SlotOf(e.Identity) == r.Slot {
			out = append(out, o.adopt(now, slot, from, e)...)
		}
	}
	if len(slot.missing) == 0 {
		out = append(out, o.open(now, r.Slot)...)
	}
	return out
}

// collect adds a part to a report and gives all entries once it is complete.
// A part of a newer report begins it anew: parts of two snapshots together
// could miss an activation.
func collect(got **partial, r SlotReport, mixed bool) ([]Entry, bool) {
	if r.Parts <= 1 {
		return r.Entries, true
	}
	p := *got
	if mixed && p != nil {
		r.Report = p.report
	}
	switch {
	case p != nil && r.Report < p.report:
		return nil, false
	case p == nil || r.Report > p.report:
		p = &partial{report: r.Report, parts: make(map[uint32][]Entry)}
		*got = p
	}
	if r.Part < r.Parts {
		p.parts[r.Part] = r.Entries
	}
	if uint32(len(p.parts)) < r.Parts {
		return nil, false
	}
	var entries []Entry
	for i := range r.Parts {
		entries = append(entries, p.parts[i]...)
	}
	return entries, true
}

// open answers what has waited for the slot.
func (o *Owner) open(now Time, s Slot) []Effect {
	delete(o.acquiring, s)
	slot := o.slots[s]
	o.past.noteSlot(s, SlotOpened, slot.term)
	var out []Effect
	for _, w := range slot.waiters.take() {
		out = append(out, o.resolve(now, w)...)
	}
	return out
}
