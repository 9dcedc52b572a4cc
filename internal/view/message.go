package view

import (
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// Time is a reading of a monotonic clock in nanoseconds, given in by whoever
// drives a machine.
type Time int64

// Entry is a member and where it is pinged.
type Entry struct {
	Member driver.Member
	// Ping is the address, as host:port, at which this very process answers
	// pings. No other live process answers there.
	Ping string
}

// View is a [driver.View] whose members can be pinged. It is immutable.
type View struct {
	Incarnation     string
	Epoch, Previous uint64
	Entries         []Entry
}

// Driver gives the view as the cluster sees it.
func (v View) Driver() driver.View {
	members := make([]driver.Member, len(v.Entries))
	for i, e := range v.Entries {
		members[i] = e.Member
	}
	return driver.View{Incarnation: v.Incarnation, Epoch: v.Epoch, Previous: v.Previous, Members: members}
}

// Find gives the entry of a member.
func (v View) Find(id driver.MemberID) (Entry, bool) {
	i := slices.IndexFunc(v.Entries, func(e Entry) bool { return e.Member.ID == id })
	if i < 0 {
		return Entry{}, false
	}
	return v.Entries[i], true
}

// at gives the entry that is pinged at an address.
func (v View) at(address string) (Entry, bool) {
	i := slices.IndexFunc(v.Entries, func(e Entry) bool { return e.Ping == address })
	if i < 0 {
		return Entry{}, false
	}
	return v.Entries[i], true
}

// Phase is how far a process has come, as it says of itself.
type Phase uint8

const (
	// Newcomer has been in no view. It may know one that others made.
	Newcomer Phase = iota
	// Joined is in the view whose epoch it tells.
	Joined
	// Gone has left or wants to be taken out, or knows that it was removed.
	// It is in no view that is made from now on.
	Gone
)

// String gives the phase as it is written in logs.
func (p Phase) String() string {
	switch p {
	case Newcomer:
		return "newcomer"
	case Joined:
		return "joined"
	default:
		return "gone"
	}
}

// Greeting is what both sides of a ping tell each other.
type Greeting struct {
	Cluster string
	// Sender describes the process that speaks, with its own state.
	Sender Entry
	Phase  Phase
	// Incarnation and Epoch name the highest view the sender knows; zero if
	// it knows none.
	Incarnation string
	Epoch       uint64
	// Former is the newest view that a newcomer's process was in under a former id; 0 if it was in none.
	Former uint64
	// View is that view, given when the sender has reason to think that the
	// other side does not have it. It may be nil.
	View *View
	// Refusal is set in the coordinator's answer to a newcomer that it cannot
	// take in as things are. It is a sentence for people.
	Refusal string
	// Dropped is set in an answer: the asker's id has been in a view and is
	// not in it any more. It must come under a new one.
	Dropped bool
}
