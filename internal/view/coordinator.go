package view

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// lost reports why a member of the view is held for gone; empty if it is not.
func (m *Machine) lost(e Entry) string {
	p := m.peers[e.Ping]
	switch {
	case e.Member.ID == m.self.Member.ID || p == nil:
		return ""
	case p.missed >= m.cfg.Missed:
		return fmt.Sprintf("%d pings in a row failed: %s", p.missed, p.why)
	case !p.heard || p.last.Sender.Ping != e.Ping:
		return ""
	case p.last.Sender.Member.ID != e.Member.ID:
		return "its ping address is answered by " + p.last.Sender.Member.String()
	case p.last.Phase == Gone:
		return "it says that it has left"
	}
	return ""
}

// coordinator gives the first member of the view that is not lost.
func (m *Machine) coordinator() driver.MemberID {
	for _, e := range m.view.Entries {
		if m.lost(e) == "" {
			return e.Member.ID
		}
	}
	return ""
}

// coordinate makes the next view if there is cause for one and it is for this
// member to make it.
func (m *Machine) coordinate() {
	if m.phase != Joined {
		m.intake = 0
		return
	}
	if m.coordinator() != m.self.Member.ID {
		m.intake, m.clash = 0, false
		return
	}
	entries, changed := m.remaining()
	unites := false
	if !m.quitting && (changed || m.intake > 0 && m.now >= m.intake) {
		m.intake = 0
		before := len(entries)
		entries = m.admit(entries)
		changed = changed || len(entries) > before
		unites = slices.ContainsFunc(entries[before:], m.foreign)
	}
	if changed || m.clash {
		m.clash = false
		v := View{
			Incarnation: m.view.Incarnation, Previous: m.view.Epoch,
			Epoch:   nextEpoch(max(m.view.Epoch, m.known(entries)), 0, m.self.Member.ID),
			Entries: entries,
		}
		if unites {
			v.Previous = 0
		}
		m.lead(v)
	}
}

// remaining gives the entries of the view as they should be now, without
// newcomers, and whether that differs from the view.
func (m *Machine) remaining() (entries []Entry, changed bool) {
	for _, e := range m.view.Entries {
		state := e.Member.State
		if e.Member.ID == m.self.Member.ID {
			if m.quitting {
				changed = true
				continue
			}
			state = m.self.Member.State
		} else if why := m.lost(e); why != "" {
			m.note("member goes out of the view", "member", e.Member.ID, "address", e.Member.Address, "reason", why)
			changed = true
			continue
		} else if p := m.peers[e.Ping]; p != nil && p.heard && p.last.Sender.Member.ID == e.Member.ID {
			// Nobody comes back from leaving.
			state = max(state, p.last.Sender.Member.State)
		}
		changed = changed || state != e.Member.State
		e.Member.State = state
		entries = append(entries, e)
	}
	return entries, changed
}

// lead makes a view known: to this process, and by a push to all members.
func (m *Machine) lead(v View) {
	m.adopt(v)
	m.note("made a view", "epoch", v.Epoch, "members", len(v.Entries))
	if _, in := v.Find(m.self.Member.ID); !in {
		m.depart()
		return
	}
	m.join()
	for _, e := range v.Entries {
		if e.Member.ID != m.self.Member.ID {
			m.push(e.Ping, true)
		}
	}
}

// newcomers gives those that answered the last ping, by id.
func (m *Machine) newcomers() []Entry {
	var found []Entry
	for address, p := range m.peers {
		sender := p.last.Sender
		if p.answers() && p.last.Phase == Newcomer && sender.Ping == address &&
			sender.Member.ID != m.self.Member.ID && sender.Member.State == driver.Active {
			found = append(found, sender)
		}
	}
	slices.SortFunc(found, func(a, b Entry) int { return cmp.Compare(a.Member.ID, b.Member.ID) })
	return found
}

// admit adds the newcomers that can be taken in.
func (m *Machine) admit(entries []Entry) []Entry {
	for _, e := range m.newcomers() {
		if m.obstacle(entries, e) == "" && !slices.Contains(m.dropped, e.Member.ID) && !m.later(e) {
			entries = append(entries, e)
		}
	}
	return entries
}

// foreign reports whether a newcomer comes of a view that others have made meanwhile: after a split, during which both sides have
// granted activations. What its side has granted has tokens of terms that nobody here has seen, and what is granted from now on must
// have higher ones: the view that takes it in follows none, so that all owners begin new terms. That is not needed for who comes of
// a view below the latest that follows none: whatever is granted here has higher tokens since.
func (m *Machine) foreign(e Entry) bool {
	p := m.peers[e.Ping]
	return p != nil && p.last.Former > m.anew && !slices.Contains(m.own, p.last.Former)
}

// later reports whether a newcomer has to wait, because a view was united with another a short time ago: whoever makes it up that it
// comes of one could else keep all owners busy. Those that wait come in together.
func (m *Machine) later(e Entry) bool {
	return m.phase == Joined && m.united > 0 && m.now < m.united+Time(m.cfg.Missed)*m.cfg.Interval && m.foreign(e)
}

// known is the newest view that this process or one of these members was in under a former id, as far as they can be believed:
// the terms of what a view unites are below its own.
func (m *Machine) known(entries []Entry) (epoch uint64) {
	if !m.ahead(m.cfg.Former) {
		epoch = m.cfg.Former
	}
	for _, e := range entries {
		if p := m.peers[e.Ping]; p != nil && p.last.Sender.Member.ID == e.Member.ID && !m.ahead(p.last.Former) {
			epoch = max(epoch, p.last.Former)
		}
	}
	return epoch
}

// welcome notes that a newcomer waits at an address.
func (m *Machine) welcome(p *peer) {
	if m.phase == Joined && m.intake == 0 && p.answers() && p.last.Phase == Newcomer {
		m.intake = m.now + m.cfg.Quick/4
	}
}

// obstacle says why a newcomer cannot be added to these members; empty if it
// can.
func (m *Machine) obstacle(entries []Entry, e Entry) string {
	if len(entries) >= MaxMembers {
		return fmt.Sprintf("the view is full: it has %d members", len(entries))
	}
	versions := e.Member.Versions
	for _, o := range entries {
		switch {
		case o.Member.ID == e.Member.ID:
			return fmt.Sprintf("member %s is in the view", e.Member.ID)
		case o.Member.Address == e.Member.Address:
			return fmt.Sprintf("address %s is held by member %s, which answers pings at %s; give this process another address",
				e.Member.Address, o.Member.ID, o.Ping)
		case o.Ping == e.Ping:
			return fmt.Sprintf("ping address %s is held by member %s; give this process another port", e.Ping, o.Member)
		}
		versions.Min = max(versions.Min, o.Member.Versions.Min)
		versions.Max = min(versions.Max, o.Member.Versions.Max)
		for _, k := range e.Member.Kinds {
			if why := dissent(k, o.Member); why != "" {
				return why
			}
		}
	}
	if versions.Min > versions.Max {
		return fmt.Sprintf("no protocol version in common: it speaks %d to %d", e.Member.Versions.Min, e.Member.Versions.Max)
	}
	return ""
}

// dissent says why a member that hosts a kind cannot be beside one that
// hosts it in another way; empty if they agree.
func dissent(k driver.Kind, o driver.Member) string {
	i, found := slices.BinarySearchFunc(o.Kinds, k.Name, func(x driver.Kind, name string) int {
		return cmp.Compare(x.Name, name)
	})
	if !found {
		return ""
	}
	switch theirs := o.Kinds[i]; {
	case theirs.Guarantee != k.Guarantee:
		return fmt.Sprintf("kind %q is registered as %s here and as %s on member %s: give it the same guarantee on all members",
			k.Name, k.Guarantee, theirs.Guarantee, o)
	case theirs.Strategy != k.Strategy:
		return fmt.Sprintf("kind %q is placed %s here and %s on member %s: give it the same strategy on all members",
			k.Name, strategyOf(k), strategyOf(theirs), o)
	}
	return ""
}

// strategyOf names a kind's strategy for people.
func strategyOf(k driver.Kind) string {
	if k.Strategy == "" {
		return "round robin"
	}
	return fmt.Sprintf("by the strategy %q", k.Strategy)
}

// refusal tells a newcomer why it is not taken in as things are. Only the
// coordinator says anything.
func (m *Machine) refusal(e Entry) string {
	if m.phase != Joined || m.quitting || m.coordinator() != m.self.Member.ID {
		return ""
	}
	p := m.peers[e.Ping]
	switch {
	case e.Ping == m.self.Ping || p != nil && p.heard && p.last.Sender.Member.ID == m.self.Member.ID:
		return fmt.Sprintf("ping address %s leads back to the coordinator %s; advertise an address by which others reach this process", e.Ping, m.self.Member)
	case p != nil && p.missed > 0:
		return fmt.Sprintf("the coordinator %s cannot reach it at its ping address %s: %s", m.self.Member, e.Ping, p.why)
	}
	if m.later(e) {
		return fmt.Sprintf("the coordinator %s has just united two sides of a split, and does so at most once in %d intervals of pings: it waits", m.self.Member, m.cfg.Missed)
	}
	return m.obstacle(m.view.Entries, e)
}
