package record

import (
	"fmt"
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// lastEpoch bounds epochs: nobody counts that far, and what is beyond is
// nonsense that would use up the numbers.
const lastEpoch = 1 << 62

// lastSeen bounds what is believed of those who say which epoch they have seen.
const lastSeen = 1 << 60

// nonsense says why nobody can go by the record; empty if one can.
func (m *Machine) nonsense() string {
	v := m.read.Record.View
	switch {
	case m.read.Broken != "":
		return m.read.Broken
	case v.Incarnation == "":
		return "it has no incarnation"
	case v.Epoch == 0 || v.Epoch > lastEpoch || v.Previous >= v.Epoch:
		return fmt.Sprintf("its epoch is %d and the one before was %d", v.Epoch, v.Previous)
	case len(v.Members) > MaxMembers:
		return fmt.Sprintf("it has %d members; at most %d are allowed", len(v.Members), MaxMembers)
	}
	if err := v.Validate(); err != nil {
		return err.Error()
	}
	for _, member := range v.Members {
		if member.ID == m.cfg.Self.ID && member.Address != m.cfg.Self.Address {
			return "it has this member at " + member.Address
		}
	}
	return ""
}

// ended says why this member, or what an observer followed, is out; empty if
// it is not.
func (m *Machine) ended() string {
	switch {
	case m.observes():
		return m.broke()
	case !m.alive(m.cfg.Self.ID):
		return "its liveness key is gone"
	case m.fenced && !m.broken.WritesFenced:
		return "its lease has ended"
	case m.phase != joined:
		return ""
	case !m.read.Found:
		return "the view record is gone"
	case m.wrong != "":
		return "the view record cannot be used: " + m.wrong
	}
	if why := m.broke(); why != "" {
		return why
	}
	if !m.holds() {
		if m.quitting {
			return "it left"
		}
		return "the view record does not hold it"
	}
	return m.foreign()
}

// broke says how the record fails to continue the views seen so far.
func (m *Machine) broke() string {
	v := m.read.Record.View
	switch {
	case m.seen.Epoch == 0 || !m.usable():
		return ""
	case v.Incarnation != m.seen.Incarnation && !m.broken.KeepsIncarnation:
		return fmt.Sprintf("the view record is of another incarnation, %q instead of %q", v.Incarnation, m.seen.Incarnation)
	case v.Incarnation == m.seen.Incarnation && v.Epoch < m.seen.Epoch:
		return fmt.Sprintf("the view record has gone back from epoch %d to %d", m.seen.Epoch, v.Epoch)
	case v.Incarnation == m.seen.Incarnation && v.Epoch == m.seen.Epoch && !sameMembers(v, m.seen):
		return fmt.Sprintf("there are two views of epoch %d", v.Epoch)
	}
	return ""
}

// knows gives the highest epoch that anybody who is alive has seen. Epochs go on
// from it: of a store that lost its record, or that has an old one again, nobody
// else knows.
func (m *Machine) knows() (epoch uint64) {
	for _, a := range m.read.About {
		if a.Seen <= lastSeen {
			epoch = max(epoch, a.Seen)
		}
	}
	return epoch
}

// longest gives the longest lease time that anybody asks for.
func (m *Machine) longest() Time {
	longest := m.cfg.FoundAfter
	for _, a := range m.read.About {
		longest = max(longest, a.TTL)
	}
	return longest
}

func sameMembers(a, b driver.View) bool {
	return slices.EqualFunc(a.Members, b.Members, func(a, b driver.Member) bool { return a.ID == b.ID && a.State == b.State })
}

// foreign says that a member was taken in that this one cannot work with.
func (m *Machine) foreign() string {
	for _, other := range m.read.Record.View.Members {
		if !other.Versions.Overlap(m.cfg.Self.Versions) {
			return fmt.Sprintf("the view holds %v, which speaks no protocol version of this member's", other)
		}
	}
	return ""
}

// conflict says why a newcomer cannot be in a view with a member, and what to
// do; empty if it can.
func (m *Machine) conflict(n, member driver.Member) string {
	if mine, other := m.read.About[n.ID].TTL, m.read.About[member.ID].TTL; mine != other && mine != 0 && other != 0 {
		return fmt.Sprintf("it asks for a lease time of %g s, and %v for %g s; give all members the same, or stop all of them first",
			float64(mine)/1e9, member, float64(other)/1e9)
	}
	if !n.Versions.Overlap(member.Versions) {
		return fmt.Sprintf("it speaks the protocol versions %d to %d, and %v speaks %d to %d; upgrade by way of a release that speaks both",
			n.Versions.Min, n.Versions.Max, member, member.Versions.Min, member.Versions.Max)
	}
	for _, k := range n.Kinds {
		other, has := member.Kind(k.Name)
		switch {
		case !has:
		case k.Guarantee != other.Guarantee:
			return fmt.Sprintf("it registers kind %q with guarantee %q, and %v has %q; give the kind the same guarantee everywhere, or stop all members that host it first",
				k.Name, k.Guarantee, member, other.Guarantee)
		case k.Strategy != other.Strategy:
			return fmt.Sprintf("it places kind %q %s, and %v does it %s; give the kind the same strategy everywhere, or stop all members that host it first",
				k.Name, placed(k), member, placed(other))
		}
	}
	return ""
}

// placed tells people how a kind's activations are placed.
func placed(k driver.Kind) string {
	if k.Strategy == "" {
		return "round robin"
	}
	return fmt.Sprintf("by the strategy %q", k.Strategy)
}
