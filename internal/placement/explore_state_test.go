package placement

import (
	"maps"
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// clone copies a state. What never changes once it is made, messages and
// views, is shared.
func (w *exploring) clone() *exploring {
	c := *w
	c.members = make([]*explored, len(w.members))
	for i, m := range w.members {
		c.members[i] = &explored{m.id, cloneHost(m.host), cloneOwner(m.owner), m.seen}
	}
	return &c
}

func cloneHost(h *Host) *Host {
	c := *h
	for i, page := range h.slots {
		if page == nil {
			continue
		}
		p := *page
		c.slots[i] = &p
		for s := range p {
			p[s].live = cloneValues(p[s].live)
		}
	}
	c.ended = cloneValues(h.ended)
	c.early = slices.Clone(h.early)
	return &c
}

func cloneValues[K comparable, V any](m map[K]*V) map[K]*V {
	if m == nil {
		return nil
	}
	c := make(map[K]*V, len(m))
	for k, v := range m {
		copied := *v
		c[k] = &copied
	}
	return c
}

// cloneOwner leaves out the deadlines: nobody's patience ends in a search.
func cloneOwner(o *Owner) *Owner {
	c := *o
	c.hosts, c.deadlines = nil, nil
	c.turns, c.acquiring, c.prepared = maps.Clone(o.turns), maps.Clone(o.acquiring), maps.Clone(o.prepared)
	c.silent, c.losers = maps.Clone(o.silent), maps.Clone(o.losers)
	c.early = cloneQueue(o.early, &c.early)
	c.slots, c.asking = make(map[Slot]*ownedSlot), make(map[driver.Identity]*grant)
	for s, slot := range o.slots {
		n := *slot
		n.waiters = cloneQueue(slot.waiters, &n.waiters)
		n.missing = slices.Clone(slot.missing)
		for i, a := range n.missing {
			if a.got != nil {
				n.missing[i].got = &partial{a.got.report, maps.Clone(a.got.parts)}
			}
		}
		n.grants = make(map[driver.Identity]*grant, len(slot.grants))
		for id, g := range slot.grants {
			copied := *g
			copied.waiters = cloneQueue(g.waiters, &copied.waiters)
			n.grants[id] = &copied
			if o.asking[id] == g {
				c.asking[id] = &copied
			}
		}
		c.slots[s] = &n
	}
	return &c
}

// cloneQueue copies a queue that will be in another place.
func cloneQueue(q queue, in *queue) queue {
	var c queue
	for _, w := range q {
		c = append(c, &waiter{w.Resolve, w.due, in})
	}
	return c
}

// key tells states apart: all that the machines and the network go by.
func (w *exploring) key() []byte {
	b := make([]byte, 0, 256)
	l := w.left
	b = append(b, byte(l.asks), byte(l.suspicions), byte(l.stops), byte(l.ticks), byte(l.lost), byte(l.doubled))
	for _, f := range w.newest {
		b = fenceKey(b, f)
	}
	for _, m := range w.members {
		b = append(b, '|', m.id[0], byte(m.seen[theHost]), byte(m.seen[theOwner]))
		b = w.hostKey(b, m.host)
		b = w.ownerKey(b, m.owner)
	}
	for _, p := range w.net {
		b = append(b, '/')
		b = append(b, p.key...)
	}
	return b
}

func fenceKey(b []byte, f driver.Fence) []byte { return append(b, byte(f.Term), byte(f.Seq)) }

func memberKey(b []byte, id driver.MemberID) []byte {
	if id == "" {
		return append(b, 0)
	}
	return append(b, id[0])
}

func flag8(v ...bool) byte {
	var b byte
	for i, v := range v {
		if v {
			b |= 1 << i
		}
	}
	return b
}

func (w *exploring) entryKey(b []byte, e Entry) []byte {
	return fenceKey(append(b, byte(slices.Index(w.identities, e.Identity))), e.Fence)
}

func (w *exploring) entriesKey(b []byte, entries []Entry) []byte {
	b = append(b, byte(len(entries)))
	for _, e := range entries {
		b = w.entryKey(b, e)
	}
	return b
}

func (w *exploring) hostKey(b []byte, h *Host) []byte {
	slot := h.slots.at(w.slot)
	b = memberKey(append(b, byte(slot.promised), byte(slot.seq)), slot.owner)
	for _, id := range w.identities {
		if a := slot.live[id]; a != nil {
			b = append(fenceKey(b, a.fence), flag8(true, a.stopping, a.lost))
		} else {
			b = append(b, 0)
		}
	}
	b = w.entriesKey(b, slices.SortedFunc(maps.Keys(h.ended), compareEntries))
	b = append(b, byte(len(h.early)))
	for _, r := range h.early {
		b = w.packetKey(b, packet{from: r.From, message: r.Message})
	}
	return b
}

func (w *exploring) ownerKey(b []byte, o *Owner) []byte {
	b = append(b, byte(o.turns["k"]&1), byte(len(o.turns)), byte(len(o.silent)))
	for _, id := range sortedKeys(o.silent) {
		b = memberKey(b, id)
	}
	b = append(b, byte(len(o.losers)))
	for _, l := range slices.SortedFunc(maps.Keys(o.losers), compareLosers) {
		b = memberKey(w.entryKey(b, l.Entry), l.host)
	}
	slot := o.slots[w.slot]
	if slot == nil {
		return append(b, 0)
	}
	b = append(b, byte(slot.term), byte(slot.seq), byte(len(slot.missing)))
	for _, a := range slot.missing {
		b = w.awaitedKey(b, a)
	}
	b = queueKey(w, b, slot.waiters)
	for _, id := range w.identities {
		g := slot.grants[id]
		if g == nil {
			b = append(b, 0)
			continue
		}
		b = memberKey(fenceKey(append(b, 1+byte(g.phase), flag8(g.verifying, o.asking[id] == g), byte(g.resent)), g.fence), g.host)
		b = append(b, byte(len(g.avoid)))
		for _, id := range g.avoid {
			b = memberKey(b, id)
		}
		b = queueKey(w, b, g.waiters)
	}
	return b
}

func (w *exploring) awaitedKey(b []byte, a awaited) []byte {
	b = memberKey(b, a.host)
	if a.got == nil {
		return append(b, 0)
	}
	b = append(b, 1, byte(a.got.report), byte(len(a.got.parts)))
	for _, part := range slices.Sorted(maps.Keys(a.got.parts)) {
		b = w.entriesKey(append(b, byte(part)), a.got.parts[part])
	}
	return b
}

func queueKey(w *exploring, b []byte, q queue) []byte {
	b = append(b, byte(len(q)))
	for _, waiting := range q {
		b = w.entryKey(b, Entry{waiting.Identity, waiting.Suspect})
	}
	return b
}

func (w *exploring) packetKey(b []byte, p packet) []byte {
	b = memberKey(memberKey(b, p.from), p.to)
	switch m := p.message.(type) {
	case *Prepare:
		return append(b, 'P', byte(m.Term))
	case *Promise:
		b = append(b, 'R', byte(m.Term), byte(len(m.Empty)), byte(len(m.Stale)))
		for _, r := range m.Reports {
			b = w.entriesKey(append(b, byte(r.Report), byte(r.Part), byte(r.Parts)), r.Entries)
		}
		return b
	case *Spawn:
		return w.entryKey(append(b, 'S'), Entry(*m))
	case *Spawned:
		b = w.entryKey(append(b, 's', byte(m.Verdict), byte(m.Reason)), Entry{m.Identity, m.Fence})
		return fenceKey(b, m.Existing)
	case *Deactivated:
		return w.entriesKey(append(b, 'D'), m.Entries)
	case *DeactivatedAck:
		return w.entriesKey(append(b, 'd'), m.Entries)
	case *Verify:
		return w.entryKey(append(b, 'V'), Entry(*m))
	case *Verified:
		return w.entryKey(append(b, 'v', byte(m.Phase)), Entry{m.Identity, m.Fence})
	case *StopOrder:
		return w.entryKey(append(b, 'O'), Entry(*m))
	}
	panic("a message without a key")
}
