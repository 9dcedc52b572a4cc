package placement

import (
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// resolve answers where an identity is, or lets the asker wait for it.
func (o *Owner) resolve(now Time, r Resolve) []Effect {
	s := SlotOf(r.Identity)
	slot := o.slots[s]
	switch {
	case o.waiting >= o.cfg.MaxWaiting:
		return o.answer(r, Wait)
	case !o.known || r.Epoch > o.view.Epoch:
		o.early = append(o.early, r)
		o.waiting++
		return []Effect{Refresh{r.Epoch}}
	case slot == nil:
		return o.answer(r, NotOwner)
	case len(slot.missing) > 0:
		slot.waiters = append(slot.waiters, r)
		o.waiting++
		return nil
	}
	g := slot.grants[r.Identity]
	switch {
	case g == nil:
		return o.grant(now, slot, r.Identity, []Resolve{r}, "")
	case g.phase == granted && r.Suspect == g.fence:
		return o.suspect(now, g, r)
	case g.phase == granted && !g.verifying:
		return o.found(g, r)
	default:
		g.waiters = append(g.waiters, r)
		o.waiting++
		return nil
	}
}

func (o *Owner) answer(r Resolve, outcome Outcome) []Effect {
	return []Effect{Answer{Request: r.Request, Outcome: outcome, Epoch: o.view.Epoch}}
}

func (o *Owner) found(g *grant, r Resolve) []Effect {
	return []Effect{Answer{Request: r.Request, Outcome: Found, Host: g.host, Fence: g.fence, Epoch: o.view.Epoch}}
}

// suspect is rule 9: a caller that got no answer makes the owner ask the
// host, and waits; the entry stays until the host says absent.
func (o *Owner) suspect(now Time, g *grant, r Resolve) []Effect {
	g.waiters = append(g.waiters, r)
	o.waiting++
	if o.broken.dropOnSuspicion {
		return o.regrant(now, o.slots[SlotOf(g.identity)], g, "")
	}
	if g.verifying {
		return nil
	}
	g.verifying, g.resent = true, 0
	return o.ask(now, g)
}

func (o *Owner) ask(now Time, g *grant) []Effect {
	g.due = now + o.cfg.Resend
	o.asking[g.identity] = g
	return []Effect{Send{g.host, g.question()}}
}

// grant gives an identity to a host: one grant at a time (rule 5). Who waits
// for it has been counted by the caller unless it is new.
func (o *Owner) grant(now Time, slot *ownedSlot, id driver.Identity, waiters []Resolve, avoid driver.MemberID) []Effect {
	hosts := o.candidates(id.Kind, avoid)
	if len(hosts) == 0 {
		var out []Effect
		for _, r := range waiters {
			out = append(out, o.answer(r, NoHost)...)
		}
		return out
	}
	turn := o.turns[id.Kind]
	o.turns[id.Kind]++
	i := o.cfg.Pick(id, hosts, turn, waiters[0].Hint)
	if i < 0 || i >= len(hosts) {
		i = (i%len(hosts) + len(hosts)) % len(hosts)
	}
	slot.seq++
	g := &grant{
		identity: id, fence: driver.Fence{Term: slot.term, Seq: slot.seq},
		host: hosts[i].ID, waiters: waiters,
	}
	if slot.grants == nil {
		slot.grants = make(map[driver.Identity]*grant)
	}
	slot.grants[id] = g
	o.waiting += len(waiters)
	return o.ask(now, g)
}

// candidates are the active members that have the kind, without one that has
// just refused and without silent ones, as long as others are left.
func (o *Owner) candidates(kind string, avoid driver.MemberID) []driver.Member {
	all, cached := o.hosts[kind]
	if !cached {
		for _, m := range o.view.Members {
			if m.Hosts(kind) {
				all = append(all, m)
			}
		}
		if o.hosts == nil {
			o.hosts = make(map[string][]driver.Member)
		}
		o.hosts[kind] = all
	}
	if avoid == "" && len(o.silent) == 0 {
		return all
	}
	better := slices.DeleteFunc(slices.Clone(all), func(m driver.Member) bool {
		return m.ID == avoid || o.silent[m.ID]
	})
	if len(better) == 0 {
		return all
	}
	return better
}

// regrant removes an entry that has ended in one of the ways of rule 5. If
// somebody waits, the identity is granted anew, not to the member to avoid.
func (o *Owner) regrant(now Time, slot *ownedSlot, g *grant, avoid driver.MemberID) []Effect {
	delete(slot.grants, g.identity)
	delete(o.asking, g.identity)
	o.waiting -= len(g.waiters)
	if len(g.waiters) == 0 {
		return nil
	}
	return o.grant(now, slot, g.identity, g.waiters, avoid)
}

// settle answers who waits for a grant: it is there.
func (o *Owner) settle(g *grant) []Effect {
	delete(o.asking, g.identity)
	g.phase, g.verifying = granted, false
	var out []Effect
	for _, r := range g.waiters {
		out = append(out, o.found(g, r)...)
	}
	o.waiting -= len(g.waiters)
	g.waiters = nil
	return out
}

// lookup finds the open slot and the grant that a host speaks of.
func (o *Owner) lookup(from driver.MemberID, id driver.Identity, f driver.Fence) (*ownedSlot, *grant) {
	slot := o.slots[SlotOf(id)]
	if slot == nil || len(slot.missing) > 0 && !o.broken.ackWhileAcquiring {
		return nil, nil
	}
	if g := slot.grants[id]; g != nil && g.fence == f && g.host == from {
		return slot, g
	}
	return slot, nil
}

// spawned takes a host's final answer to a grant.
func (o *Owner) spawned(now Time, from driver.MemberID, m *Spawned) []Effect {
	delete(o.silent, from)
	slot, g := o.lookup(from, m.Identity, m.Fence)
	if g == nil || g.phase != granting {
		return nil
	}
	switch m.Verdict {
	case Accepted:
		return o.settle(g)
	case Exists:
		g.fence = m.Existing
		return append(o.settle(g), Violation{m.Identity, "the host has an activation that the owner did not know"})
	case Refused:
		if m.Reason == HostLeaving || m.Reason == UnknownKind {
			return o.regrant(now, slot, g, from)
		}
		if m.Reason == Busy {
			return o.await(now, g)
		}
		return o.regrant(now, slot, g, "")
	case Stale:
		return o.deposed(slot, g)
	}
	return nil
}

// await keeps the entry of an identity whose former activation is still
// stopping on the host that refused: the host tells when it has stopped, and
// Verify tells if that notice was for somebody else.
func (o *Owner) await(now Time, g *grant) []Effect {
	g.phase, g.verifying, g.resent = ending, true, 0
	g.due = now + o.cfg.Resend
	o.asking[g.identity] = g
	return nil
}

// deposed ends a grant that came too late: the host has promised the slot to
// a newer owner, in a view that has not come here yet.
func (o *Owner) deposed(slot *ownedSlot, g *grant) []Effect {
	delete(slot.grants, g.identity)
	delete(o.asking, g.identity)
	return append(o.dismiss(g.waiters, Wait), Refresh{o.view.Epoch + 1})
}

// deactivated takes notice that activations have stopped. It is not
// acknowledged while the slot is being acquired (rule 8): a report that is
// under way could bring the activation back into the table.
func (o *Owner) deactivated(now Time, from driver.MemberID, m *Deactivated) []Effect {
	var out []Effect
	ack := &DeactivatedAck{}
	for _, e := range m.Entries {
		slot, g := o.lookup(from, e.Identity, e.Fence)
		if slot == nil {
			continue
		}
		ack.Entries = append(ack.Entries, e)
		if g != nil {
			out = append(out, o.regrant(now, slot, g, "")...)
		}
	}
	if len(ack.Entries) == 0 {
		return nil
	}
	return append([]Effect{Send{from, ack}}, out...)
}

// verified takes the host's word on an activation that somebody suspected.
func (o *Owner) verified(now Time, from driver.MemberID, m *Verified) []Effect {
	delete(o.silent, from)
	slot, g := o.lookup(from, m.Identity, m.Fence)
	if g == nil || !g.verifying {
		return nil
	}
	switch m.Phase {
	case Running:
		return o.settle(g)
	case Stopping:
		g.phase, g.resent = ending, 0
	case Absent:
		return o.regrant(now, slot, g, "")
	}
	return nil
}
