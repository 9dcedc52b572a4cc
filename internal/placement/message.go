package placement

import (
	"fmt"

	"github.com/granary-go/granary/cluster/driver"
)

// Message is what owners and hosts send each other. Messages are immutable
// once sent; any of them may be lost, doubled or overtaken.
type Message interface{ message() }

// Entry is one activation in a report or in a notice of its end.
type Entry struct {
	Identity driver.Identity
	Fence    driver.Fence
}

// Prepare asks a host to promise a term for slots and to report what it has
// in them. From a new owner to every host of its view.
type Prepare struct {
	Term  uint64
	Slots []Slot
}

// SlotReport is a host's promise for one slot: all it has there, starting,
// running or stopping. A report that is too large for one message comes in
// parts; parts of different reports do not mix.
type SlotReport struct {
	Slot Slot
	// Report numbers the snapshot that this is a part of.
	Report      uint64
	Part, Parts uint32
	Entries     []Entry
}

// Promise answers Prepare, in as many messages as it takes.
type Promise struct {
	Term    uint64
	Reports []SlotReport
	// Empty are slots that are promised and have nothing to report.
	Empty []Slot
	// Stale are slots that the host has promised to a higher term, or to
	// another owner of the same term.
	Stale []Slot
}

// Spawn grants an activation to a host. It is resent unchanged until it is
// answered.
type Spawn struct {
	Identity driver.Identity
	Fence    driver.Fence
}

// Verdict is a host's final answer to a Spawn.
type Verdict uint8

const (
	// Accepted: the activation with this token is here.
	Accepted Verdict = iota + 1
	// Exists: another activation of the identity is here.
	Exists
	// Refused: this grant will never be accepted.
	Refused
	// Stale: the host has promised a higher term.
	Stale
)

// Reason says why a Spawn was refused.
type Reason uint8

const (
	// Overtaken: a grant with a higher sequence number came first.
	Overtaken Reason = iota + 1
	// Busy: the identity's former activation has not stopped yet.
	Busy
	// UnknownKind: the host does not have the kind.
	UnknownKind
	// HostLeaving: the host takes no new activations.
	HostLeaving
	// LeaseEnding: the host takes no new activations of leased kinds, because
	// its lease is draining or has ended.
	LeaseEnding
)

// Spawned answers Spawn.
type Spawned struct {
	Identity driver.Identity
	Fence    driver.Fence
	Verdict  Verdict
	Reason   Reason
	// Existing is the activation that is there, when the verdict is Exists or
	// the reason Busy.
	Existing driver.Fence
}

// Deactivated tells an owner that activations have fully stopped. It is
// resent until acknowledged.
type Deactivated struct{ Entries []Entry }

// DeactivatedAck acknowledges entries of Deactivated.
type DeactivatedAck struct{ Entries []Entry }

// Verify asks a host whether it has an activation.
type Verify struct {
	Identity driver.Identity
	Fence    driver.Fence
}

// Phase is what an activation is, or that there is none.
type Phase uint8

const (
	// Absent: the activation is not here and will not come any more.
	Absent Phase = iota + 1
	// Running: it has been started and takes messages.
	Running
	// Stopping: it takes no messages; its last handler has not returned.
	Stopping
)

// String gives the word for people.
func (p Phase) String() string {
	switch p {
	case Absent:
		return "absent"
	case Running:
		return "running"
	case Stopping:
		return "stopping"
	default:
		return fmt.Sprintf("phase(%d)", uint8(p))
	}
}

// Verified answers Verify.
type Verified struct {
	Identity driver.Identity
	Fence    driver.Fence
	Phase    Phase
}

// StopOrder tells a host to stop an activation that lost against a newer one
// of the same identity (rule 7). It is resent until the host says Deactivated,
// as it does at once if it does not have the activation any more.
type StopOrder struct {
	Identity driver.Identity
	Fence    driver.Fence
}

func (*Prepare) message()        {}
func (*Promise) message()        {}
func (*Spawn) message()          {}
func (*Spawned) message()        {}
func (*Deactivated) message()    {}
func (*DeactivatedAck) message() {}
func (*Verify) message()         {}
func (*Verified) message()       {}
func (*StopOrder) message()      {}
