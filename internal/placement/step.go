package placement

import (
	"fmt"

	"github.com/granary-go/granary/cluster/driver"
)

// Time is a reading of a monotonic clock in nanoseconds, given in by whoever
// drives a machine.
type Time int64

// Event is what happens to a machine.
type Event interface{ event() }

type (
	// ViewChanged brings a newer view.
	ViewChanged struct {
		View driver.View
		// Table is the view's; nil lets the machine compute it.
		Table *Table
	}
	// Received brings a message from a member.
	Received struct {
		From    driver.MemberID
		Message Message
		// Address is where it came from. It must be the member's own; it is
		// not looked at when empty.
		Address string
	}
	// LeaseChanged tells the host machine how the lease of its member is at
	// this moment; valid is what it begins with. The driver of the machine
	// looks at the lease before each step that may start something.
	LeaseChanged struct{ Phase driver.LeasePhase }
	// Tick lets the machine send again what has not been answered. It is
	// wanted while the machine is Pending.
	Tick struct{}
	// Resolve asks the owner where an identity is; it is answered by one
	// [Answer] effect with the same Request.
	Resolve struct {
		// Request is chosen by the driver of the machine.
		Request uint64
		// Epoch is the view the asker goes by.
		Epoch    uint64
		Identity driver.Identity
		// Hint is the member the asker would like it on; may be empty.
		Hint driver.MemberID
		// Suspect is an activation that did not answer the asker; zero if
		// none. It makes the owner verify, never forget (rule 9).
		Suspect driver.Fence
	}
	// StopBegun tells the host machine that an activation takes no more
	// messages, and Stopped that its last handler has returned.
	StopBegun struct {
		Identity driver.Identity
		Fence    driver.Fence
	}
	// Stopped follows StopBegun, or comes alone.
	Stopped struct {
		Identity driver.Identity
		Fence    driver.Fence
	}
)

func (ViewChanged) event()  {}
func (Received) event()     {}
func (LeaseChanged) event() {}
func (Tick) event()         {}
func (Resolve) event()      {}
func (StopBegun) event()    {}
func (Stopped) event()      {}

// Effect is what a machine wants done. Effects of one step are carried out in
// their order.
type Effect interface{ effect() }

// Outcome is how a resolve ended.
type Outcome uint8

const (
	// Found: the activation is on Host with token Fence.
	Found Outcome = iota + 1
	// NotOwner: another member owns the slot in the view of Epoch.
	NotOwner
	// NoHost: no active member has the kind.
	NoHost
	// Wait: nothing can be said now; ask again.
	Wait
)

// String gives the words for people.
func (o Outcome) String() string {
	switch o {
	case Found:
		return "found"
	case NotOwner:
		return "not the owner"
	case NoHost:
		return "no host"
	case Wait:
		return "wait"
	default:
		return fmt.Sprintf("outcome(%d)", uint8(o))
	}
}

type (
	// Send gives a message to a member.
	Send struct {
		To      driver.MemberID
		Message Message
	}
	// Answer ends a resolve.
	Answer struct {
		Request uint64
		Outcome Outcome
		Host    driver.MemberID
		Fence   driver.Fence
		// Epoch is the view of the owner that answers.
		Epoch uint64
	}
	// Refresh says that a view of at least this epoch must exist.
	Refresh struct{ Epoch uint64 }
	// Start starts an activation on this member.
	Start struct {
		Identity driver.Identity
		Fence    driver.Fence
	}
	// Stop stops an activation on this member.
	Stop struct {
		Identity driver.Identity
		Fence    driver.Fence
	}
	// Violation reports what the protocol says cannot be, for logs and
	// audit counters.
	Violation struct {
		Identity driver.Identity
		What     string
	}
	// Forged reports a message that was refused: it came from Address, which
	// is not that of the member it names.
	Forged struct {
		From    driver.MemberID
		Address string
	}
)

func (Send) effect()      {}
func (Answer) effect()    {}
func (Refresh) effect()   {}
func (Start) effect()     {}
func (Stop) effect()      {}
func (Violation) effect() {}
func (Forged) effect()    {}

// believed is rule 14. A member's address is the same in all views, as its id
// never comes back.
func believed(v driver.View, r Received) (bool, []Effect) {
	m, in := v.Member(r.From)
	if in && r.Address != "" && r.Address != m.Address {
		return false, []Effect{Forged{r.From, r.Address}}
	}
	return in, nil
}
