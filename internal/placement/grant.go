package placement

import (
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// resolve answers where an identity is, or lets the asker wait for it.
func (o *Owner) resolve(now Time, w *waiter) []Effect {
	slot := o.slots[SlotOf(w.Identity)]
	if g := slot.known(w.Identity); g != nil && g.fence != w.Suspect {
		// Also for an asker who is ahead of this member: it is only told where
		// the activation is, and hears from its host if it is not there.
		return o.found(g, w)
	}
	switch {
	case !o.known || w.Epoch > o.view.Epoch:
		return append(o.wait(now, &o.early, w), Refresh{w.Epoch})
	case slot == nil:
		return o.answer(w, NotOwner)
	case len(slot.missing) > 0:
		return o.wait(now, &slot.waiters, w)
	}
	g := slot.grants[w.Identity]
	switch {
	case g == nil:
		return o.grant(now, slot, w.Identity, []*waiter{w}, nil)
	case g.phase == granted && w.Suspect == g.fence:
		return o.suspect(now, g, w)
	default:
		return o.wait(now, &g.waiters, w)
	}
}

// known gives the settled grant of an identity in an open slot; nil if there is
// none.
func (s *ownedSlot) known(id driver.Identity) *grant {
	if s == nil || len(s.missing) > 0 {
		return nil
	}
	if g := s.grants[id]; g != nil && g.phase == granted && !g.verifying {
		return g
	}
	return nil
}

// suspect is rule 9: a caller that got no answer makes the owner ask the
// host, and waits; the entry stays until the host says absent.
func (o *Owner) suspect(now Time, g *grant, w *waiter) []Effect {
	out := o.wait(now, &g.waiters, w)
	if o.broken.dropOnSuspicion {
		return append(out, o.regrant(now, o.slots[SlotOf(g.identity)], g, "")...)
	}
	if g.verifying {
		return out
	}
	g.verifying, g.resent = true, 0
	return append(out, o.ask(now, g)...)
}

func (o *Owner) ask(now Time, g *grant) []Effect {
	g.due = now + o.cfg.Resend
	o.asking[g.identity] = g
	return []Effect{Send{g.host, g.question()}}
}

// grant gives an identity to a host: one grant at a time (rule 5). The
// members to avoid have refused it since it was asked for.
func (o *Owner) grant(now Time, slot *ownedSlot, id driver.Identity, waiters []*waiter, avoid []driver.MemberID) []Effect {
	hosts := o.candidates(id.Kind, avoid)
	if len(hosts) == 0 {
		return o.unplaced(waiters, avoid)
	}
	g := &grant{identity: id, avoid: avoid}
	var out []Effect
	for _, w := range waiters {
		out = append(out, o.wait(now, &g.waiters, w)...)
	}
	if len(g.waiters) == 0 {
		return out // there was no room for the one who asked
	}
	turn := o.turn(id.Kind)
	i := o.cfg.Pick(id, hosts, turn, waiters[0].Hint)
	if i < 0 || i >= len(hosts) {
		i = (i%len(hosts) + len(hosts)) % len(hosts)
	}
	slot.seq++
	g.fence, g.host = driver.Fence{Term: slot.term, Seq: slot.seq}, hosts[i].ID
	if slot.grants == nil {
		slot.grants = make(map[driver.Identity]*grant)
	}
	slot.grants[id] = g
	o.note(g, GrantMade, 0)
	return append(out, o.ask(now, g)...)
}

// unplaced answers those for whom there is no host. If that is because all of
// them have refused, this member's view is behind: asking them again at once
// would get the same answer.
func (o *Owner) unplaced(waiters []*waiter, avoid []driver.MemberID) []Effect {
	var out []Effect
	outcome := NoHost
	if len(avoid) > 0 {
		outcome = Wait
		out = append(out, Refresh{o.view.Epoch + 1})
	}
	for _, w := range waiters {
		out = append(out, o.answer(w, outcome)...)
	}
	return out
}

// turn counts the choices for a kind. Each owner begins elsewhere: with few
// identities per owner all of them would land on the first members.
func (o *Owner) turn(kind string) uint64 {
	turn, begun := o.turns[kind]
	if !begun {
		turn = mix(hashWord(hashWord(fnvOffset, string(o.self)), kind))
	}
	o.turns[kind] = turn + 1
	return turn
}

// candidates are the active members that have the kind, without those that
// have refused, and without silent ones as long as others are left.
func (o *Owner) candidates(kind string, avoid []driver.MemberID) []driver.Member {
	all := o.hostsOf(kind)
	if len(avoid) == 0 && len(o.silent) == 0 {
		return all
	}
	allowed := slices.DeleteFunc(slices.Clone(all), func(m driver.Member) bool { return slices.Contains(avoid, m.ID) })
	better := slices.DeleteFunc(slices.Clone(allowed), func(m driver.Member) bool { return o.silent[m.ID] })
	if len(better) == 0 {
		return allowed
	}
	return better
}

// hostsOf gives the active members that have a kind. Only kinds that the view
// has are kept: askers may name any.
func (o *Owner) hostsOf(kind string) []driver.Member {
	if all, cached := o.hosts[kind]; cached {
		return all
	}
	var all []driver.Member
	for _, m := range o.view.Members {
		if m.Hosts(kind) {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return nil
	}
	if o.hosts == nil {
		o.hosts = make(map[string][]driver.Member)
	}
	o.hosts[kind] = all
	return all
}

// regrant removes an entry that has ended in one of the ways of rule 5. If
// somebody waits, the identity is granted anew, not to a member that cannot
// take it; refused is another of those, or empty.
func (o *Owner) regrant(now Time, slot *ownedSlot, g *grant, refused driver.MemberID) []Effect {
	delete(slot.grants, g.identity)
	delete(o.asking, g.identity)
	waiters, avoid := g.waiters.take(), g.avoid
	if len(waiters) == 0 {
		return nil
	}
	if refused != "" {
		avoid = append(slices.Clip(avoid), refused)
	}
	return o.grant(now, slot, g.identity, waiters, avoid)
}

// settle answers who waits for a grant: it is there.
func (o *Owner) settle(g *grant) []Effect {
	delete(o.asking, g.identity)
	g.phase, g.verifying, g.avoid = granted, false, nil
	var out []Effect
	for _, w := range g.waiters.take() {
		out = append(out, o.found(g, w)...)
	}
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
	slot, g := o.lookup(from, m.Identity, m.Fence)
	if g == nil || g.phase != granting {
		return nil
	}
	switch m.Verdict {
	case Accepted:
		o.note(g, GrantSettled, 0)
		return o.settle(g)
	case Exists:
		g.fence = m.Existing
		o.note(g, GrantSettled, WhyExists)
		return append(o.settle(g), o.violation(m.Identity, "the host has an activation that the owner did not know"))
	case Refused:
		o.note(g, GrantRefused, Why(m.Reason))
		if m.Reason == HostLeaving || m.Reason == UnknownKind || m.Reason == LeaseEnding {
			return o.regrant(now, slot, g, from)
		}
		if m.Reason == Busy {
			return o.await(now, g, m.Existing)
		}
		return o.regrant(now, slot, g, "")
	case Stale:
		return o.deposed(slot, g)
	}
	return nil
}

// await keeps the entry of an identity whose former activation is still
// stopping on the host that refused: the entry is that activation's now, and
// ends when the host tells that it has stopped. Verify tells if that notice
// came before the refusal.
func (o *Owner) await(now Time, g *grant, former driver.Fence) []Effect {
	g.fence, g.phase, g.verifying, g.resent = former, ending, true, 0
	g.due = now + o.cfg.Resend
	o.asking[g.identity] = g
	return nil
}

// deposed ends a grant that came too late: the host has promised the slot to
// a newer owner, in a view that has not come here yet.
func (o *Owner) deposed(slot *ownedSlot, g *grant) []Effect {
	o.note(g, GrantEnded, WhyStale)
	delete(slot.grants, g.identity)
	delete(o.asking, g.identity)
	return append(o.dismiss(&g.waiters, Wait), Refresh{o.view.Epoch + 1})
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
		delete(o.losers, loser{e, from})
		if g != nil {
			o.note(g, GrantEnded, WhyDeactivated)
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
		o.note(g, GrantEnded, WhyAbsent)
		return o.regrant(now, slot, g, "")
	}
	return nil
}
