package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/granary-go/granary/cluster/driver"
)

// bootstrap makes the first view if nobody has one and it is for this newcomer
// to make it.
func (m *Machine) bootstrap() {
	if m.phase != Newcomer || m.self.Member.State != driver.Active || m.unsettled() != "" {
		return
	}
	others := m.newcomers()
	if len(others) > 0 && others[0].Member.ID < m.self.Member.ID {
		return
	}
	entries := m.admit([]Entry{m.self})
	if silent := m.silent(); len(entries) == 1 && len(silent) > 0 {
		m.warn("this member founds a cluster of its own, as hosts of the list do not answer; if members run already, "+
			"check the list, the names in it and the network", "hosts", strings.Join(silent, "; "))
	}
	m.lead(View{
		Incarnation: m.cfg.Incarnation,
		Epoch:       nextEpoch(max(m.view.Epoch, m.known(entries)), m.wall(), m.self.Member.ID),
		Entries:     entries,
	})
}

// silent gives the hosts of the list of which no address answers, with the
// reasons.
func (m *Machine) silent() (hosts []string) {
	for _, name := range slices.Sorted(maps.Keys(m.hosts)) {
		var why []string
		answers := false
		for _, address := range m.hosts[name].addresses {
			p := m.peers[address]
			if p.answers() {
				answers = true
				break
			}
			if p != nil && p.why != "" {
				why = append(why, address+": "+p.why)
			}
		}
		switch {
		case answers:
		case len(m.hosts[name].addresses) == 0:
			hosts = append(hosts, name+" (the name is not found)")
		default:
			hosts = append(hosts, fmt.Sprintf("%s (%s)", name, strings.Join(why, ", ")))
		}
	}
	return hosts
}

// listensUntil is when a newcomer stops to wait for others to find it.
//
// Who has a view, and this process on its list, has pinged it by 2 Quick. A
// process that is on nobody's list, as far as it can see, waits longer: others
// may have been started with the same list, of hosts that are yet to come, and
// neither would know of the other.
func (m *Machine) listensUntil() Time {
	if len(m.hosts) == 0 {
		return m.cfg.Start + 2*m.cfg.Quick
	}
	for address, p := range m.peers {
		if p.answers() && (p.last.Sender.Member.ID != m.self.Member.ID || m.configured(address)) {
			return m.cfg.Start + 2*m.cfg.Quick
		}
	}
	return m.cfg.Start + max(2*m.cfg.Quick, min(Time(m.cfg.Missed)*m.cfg.Interval, reluctance))
}

// reluctance is the most that a newcomer waits whom nobody answers.
const reluctance Time = 3e9

// unsettled says what speaks against making a first view; empty if nothing
// does. An address that was never heard of counts as dead after two failures;
// one that has had to do with a view must have failed as often as it takes to
// call a member lost, at the pace of members.
func (m *Machine) unsettled() string {
	patience := Time(m.cfg.Missed) * m.cfg.Interval
	if m.now < m.listensUntil() {
		return "listening for others"
	}
	for _, name := range slices.Sorted(maps.Keys(m.hosts)) {
		if !m.hosts[name].settled() {
			return fmt.Sprintf("host %s is being looked up", name)
		}
	}
	if m.rumour > 0 && m.now < m.rumour+patience {
		return "somebody who has a view is near"
	}
	for _, address := range slices.Sorted(maps.Keys(m.peers)) {
		p := m.peers[address]
		_, listed := m.view.at(address)
		member := listed || p.heard && p.last.Phase == Joined
		switch {
		case p.answers() && p.last.Phase == Joined && m.ahead(p.last.Epoch):
			return fmt.Sprintf("the view that %s goes by is more than a year ahead of this process's clock; set the clocks", address)
		case p.answers() && p.last.Phase == Joined:
			return fmt.Sprintf("waiting to be taken in by the members that %s belongs to", address)
		case p.answers():
		case member && (p.missed < m.cfg.Missed || m.now < p.contact+patience), p.missed < 2:
			return strings.TrimSuffix(fmt.Sprintf("waiting for %s to answer: %s", address, p.why), ": ")
		}
	}
	return ""
}

// Waiting says why this process is in no view, for people; empty if it is in
// one.
func (m *Machine) Waiting() string {
	if m.phase != Newcomer {
		return ""
	}
	if m.held != "" {
		return m.held
	}
	if why := m.unsettled(); why != "" {
		return why
	}
	if others := m.newcomers(); len(others) > 0 {
		return fmt.Sprintf("waiting for %s to make the first view", others[0].Member)
	}
	return ""
}
