package record

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// act writes, or asks to be woken when it is this member's turn.
func (m *Machine) act() {
	switch {
	case m.quitting:
		m.leave()
	case m.phase == over || m.fenced && !m.broken.WritesFenced:
	case !m.read.Found:
		m.found()
	case m.wrong != "":
		m.hold("the view record cannot be used: " + m.wrong)
	default:
		m.mend()
	}
}

// leave takes this member out of the record as long as it is in.
func (m *Machine) leave() {
	switch {
	case m.left:
	case !m.holds() || !m.alive(m.cfg.Self.ID):
		// Others remove a member without a key.
		m.left, m.phase = true, over
		m.emit(Left{})
	case m.fenced || m.phase == over:
		m.write(m.without(m.read.Record.View.Members, func(id driver.MemberID) bool { return id == m.cfg.Self.ID }))
	default:
		next, _ := m.next()
		m.write(next)
	}
}

// found makes the first record, once nobody can be left of an earlier one.
func (m *Machine) found() {
	due := m.absent + m.longest()
	if m.broken.FoundAtOnce {
		due = m.absent
	}
	members, admitted := m.admit(nil)
	if !admitted {
		return
	}
	due += m.turn(nil) * m.cfg.Pause
	if m.now < due {
		m.hold(fmt.Sprintf("there is no view record; the cluster is founded when there has been none for the lease time of %g s, "+
			"in case the store has forgotten members that still run", float64(m.longest())/1e9))
		m.at(due)
		return
	}
	m.emit(Note{Text: "founding the cluster", Args: []any{"incarnation", m.cfg.Incarnation, "members", len(members)}})
	m.writing = true
	m.emit(Write{Record{View: driver.View{Incarnation: m.cfg.Incarnation, Epoch: max(m.read.Unix, m.highest+1, m.knows()+1), Members: members}}})
}

// mend writes what the record lacks, when it is this member's turn.
func (m *Machine) mend() {
	view := m.read.Record.View
	mine, in := view.Member(m.cfg.Self.ID)
	next, admitted := m.next()
	switch {
	case !in && !admitted, in && mine.State == driver.Leaving:
		return // no writer
	case in && m.draining:
		m.write(next) // its own state
		return
	case sameMembers(view, driver.View{Members: next}):
		m.differs = false
		return
	}
	if !in {
		m.hold("")
	}
	if !m.differs {
		m.differs, m.since = true, m.now
	}
	if due := m.since + m.turn(view.Members)*m.cfg.Pause; m.now < due {
		m.at(due)
		return
	}
	m.write(next)
}

// turn counts the writers that come before this member: the active members, in
// order, then newcomers by their ids. Those without a key never write.
func (m *Machine) turn(members []driver.Member) (before Time) {
	for _, other := range members {
		if other.ID == m.cfg.Self.ID {
			return before
		}
		if other.State == driver.Active && m.alive(other.ID) {
			before++
		}
	}
	for _, other := range m.read.Alive {
		if other.ID == m.cfg.Self.ID {
			return before
		}
		if other.Address != "" && !m.former(other.ID) {
			before++
		}
	}
	return before
}

// former reports whether somebody alive is no newcomer.
func (m *Machine) former(id driver.MemberID) bool {
	_, in := m.read.Record.View.Member(id)
	return m.read.Found && (in || slices.Contains(m.read.Record.Gone, id))
}

// next gives the members as they should be, and whether this one is among
// them.
func (m *Machine) next() (members []driver.Member, admitted bool) {
	rest := m.without(m.read.Record.View.Members, func(id driver.MemberID) bool {
		return !m.alive(id) || m.broken.RemoveEarly && m.suspects[id] || m.quitting && id == m.cfg.Self.ID
	})
	for i := range rest {
		if rest[i].ID == m.cfg.Self.ID && m.draining {
			rest[i].State = driver.Leaving
		}
	}
	return m.admit(rest)
}

func (m *Machine) without(members []driver.Member, out func(driver.MemberID) bool) []driver.Member {
	return slices.DeleteFunc(slices.Clone(members), func(member driver.Member) bool { return out(member.ID) })
}

// admit appends the newcomers that can be taken in, in the order of their ids,
// and reports whether this member is in then.
func (m *Machine) admit(members []driver.Member) (all []driver.Member, in bool) {
	weight, settled := 0, len(members)
	for _, member := range members {
		weight += m.weigh(member)
		in = in || member.ID == m.cfg.Self.ID
	}
	for _, n := range m.read.Alive {
		mine := n.ID == m.cfg.Self.ID
		if n.Address == "" || m.former(n.ID) || mine && (m.draining || m.quitting) {
			continue
		}
		n.State = driver.Active
		refused, held := m.hinders(members[:settled], n)
		if refused == "" && held == "" {
			// A newcomer that comes first may yet go away.
			other, same := m.hinders(members[settled:], n)
			held = cmp.Or(other, same)
		}
		if held == "" && (len(members) >= MaxMembers || weight+m.weigh(n) > m.cfg.Room && m.cfg.Weigh != nil) {
			held = fmt.Sprintf("the view is full with %d members", len(members))
		}
		switch {
		case refused == "" && held == "":
			members, weight, in = append(members, n), weight+m.weigh(n), in || mine
		case mine && refused != "":
			m.phase = over
			m.emit(Refused{refused})
		case mine:
			m.hold(held)
		}
	}
	return members, in
}

func (m *Machine) weigh(member driver.Member) int {
	if m.cfg.Weigh == nil {
		return 0
	}
	return m.cfg.Weigh(member)
}

// hinders says why a newcomer cannot be added to members: for good, or yet.
func (m *Machine) hinders(members []driver.Member, n driver.Member) (refused, held string) {
	for _, member := range members {
		if member.Address == n.Address {
			held = fmt.Sprintf("waiting for the lease of %s to end, a member with the same address %s", member.ID, member.Address)
		} else if refused == "" {
			refused = m.conflict(n, member)
		}
	}
	return refused, held
}

// write makes the next record of the one that was read.
func (m *Machine) write(members []driver.Member) {
	old := m.read.Record
	next := Record{View: driver.View{
		Incarnation: old.View.Incarnation, Epoch: max(old.View.Epoch, m.knows()) + 1, Previous: old.View.Epoch, Members: members,
	}}
	for _, id := range old.Gone {
		if m.alive(id) {
			next.Gone = append(next.Gone, id)
		}
	}
	for _, member := range old.View.Members {
		if _, still := next.View.Member(member.ID); !still && m.alive(member.ID) {
			next.Gone = append(next.Gone, member.ID)
		}
	}
	next.Gone = next.Gone[max(0, len(next.Gone)-MaxMembers):]
	m.writing = true
	m.emit(Write{next})
}
