package driver

import (
	"fmt"
	"slices"
)

// MemberID names one incarnation of a member. It is chosen by the cluster when
// it joins, is unique for all time, and never comes back: a process that was
// removed from the view joins again under a new id.
type MemberID string

// State is what a member is, as its view says.
type State uint8

const (
	// Active members own slots and take new activations.
	Active State = iota
	// Leaving members keep what they host until it has stopped, own no slot
	// and take no new activation.
	Leaving
)

// String gives the state as it is written in logs.
func (s State) String() string {
	switch s {
	case Active:
		return "active"
	case Leaving:
		return "leaving"
	default:
		return fmt.Sprintf("state(%d)", uint8(s))
	}
}

// Guarantee is what a kind promises about the number of activations of one
// identity while the network is split. Without a split there is never more
// than one, whatever the guarantee.
type Guarantee uint8

const (
	// BestEffort allows a second activation until a split has healed.
	BestEffort Guarantee = iota
	// Leased lets no turn of an activation begin after its member's [Lease]
	// has ended, and no reply or message of a turn that outlives it get out.
	Leased
	// Strict is Leased, and no write of an activation that has a successor is
	// accepted by a [FencedStore].
	Strict
)

// String gives the guarantee's name as the documentation writes it.
func (g Guarantee) String() string {
	switch g {
	case BestEffort:
		return "best effort"
	case Leased:
		return "lease"
	case Strict:
		return "strict"
	default:
		return fmt.Sprintf("guarantee(%d)", uint8(g))
	}
}

// Kind is a kind of virtual actor that a member can host. All members that
// host a kind give it the same guarantee and strategy.
type Kind struct {
	Name      string
	Guarantee Guarantee
	// Strategy names how owners choose the member of a new activation; empty
	// is round robin.
	Strategy string
}

// Versions is the closed range of placement protocol versions that a member
// speaks. Hash function and slot count belong to the version.
type Versions struct {
	Min, Max uint32
}

// Overlap reports whether two members have a version in common.
func (v Versions) Overlap(o Versions) bool { return v.Min <= o.Max && o.Min <= v.Max }

// Member is one process incarnation as all others see it.
type Member struct {
	ID MemberID
	// Address is where the member's actors are reached, as host:port.
	Address string
	// Kinds are sorted by name, without duplicates.
	Kinds    []Kind
	Labels   map[string]string
	Versions Versions
	State    State
}

// Hosts reports whether the member takes new activations of a kind.
func (m Member) Hosts(kind string) bool {
	return m.State == Active && m.HasKind(kind)
}

// HasKind reports whether the member registered a kind, whatever its state.
func (m Member) HasKind(kind string) bool {
	return slices.ContainsFunc(m.Kinds, func(k Kind) bool { return k.Name == kind })
}

// Kind finds a kind of the member by its name.
func (m Member) Kind(name string) (Kind, bool) {
	for _, k := range m.Kinds {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

// String names the member in logs: its id and its address.
func (m Member) String() string { return fmt.Sprintf("%s(%s)", m.ID, m.Address) }
