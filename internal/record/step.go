package record

import "github.com/granary-go/granary/cluster/driver"

// Time is a reading of a clock in nanoseconds, given in by whoever drives a
// machine; also a length of time.
type Time int64

// Record is what the store's one value says.
type Record struct {
	View driver.View
	// Gone are ids that are in the view no more although their liveness keys
	// may still be there.
	Gone []driver.MemberID
}

// About is what a process says of itself in its liveness key. Zero says nothing.
type About struct {
	// TTL is the lease time that it asks for.
	TTL Time
	// Seen is the highest epoch that it saw under earlier ids.
	Seen uint64
}

// Event is what happens to a machine.
type Event interface{ event() }

type (
	// Read is what the store holds. One follows each [Write], whatever became
	// of that.
	Read struct {
		// Found is false when there is no record.
		Found  bool
		Record Record
		// Broken says why the record cannot be read; empty if it can.
		Broken string
		// Alive are the members with a liveness key, sorted by id. Of one
		// whose description cannot be read only the ID is set.
		Alive []driver.Member
		// About has what some of those say of themselves besides.
		About map[driver.MemberID]About
		// Unix is the wall clock in milliseconds.
		Unix uint64
	}
	// Tick says that time has passed. It is wanted at [Machine.Wake].
	Tick struct{}
	// Fenced says that this member's lease has ended, by its own clock or as
	// the provider says.
	Fenced struct{}
	// Drain makes the member say that it is leaving.
	Drain struct{}
	// Leave takes the member out of the view. It is answered, in time, by one
	// [Left].
	Leave struct{}
	// Suspect says that a member does not answer, which means nothing. It is
	// there for simulations of a machine that is broken.
	Suspect struct{ ID driver.MemberID }
)

func (Read) event()    {}
func (Tick) event()    {}
func (Fenced) event()  {}
func (Drain) event()   {}
func (Leave) event()   {}
func (Suspect) event() {}

// Effect is what a machine wants done. Effects of one step are carried out in
// their order.
type Effect interface{ effect() }

type (
	// Write replaces the record that was last read, if it is still the same.
	// Whatever becomes of it, the store is read again.
	Write struct{ Record Record }
	// Publish hands over a view that holds this member; to an observer, any.
	// Epochs rise strictly.
	Publish struct{ View driver.View }
	// Removed says that this member is out, or that the views an observer
	// followed have ended. Nothing is published after it.
	Removed struct {
		Why string
		// Outside says that the record does not hold the member: its liveness
		// key is of no use and can go.
		Outside bool
	}
	// Refused says that this newcomer cannot be taken in, whatever it waits.
	// Why says what to do. Nothing follows.
	Refused struct{ Why string }
	// Left says that a [Leave] is done. The liveness key can go.
	Left struct{}
	// Held says why a newcomer is not in the view yet; empty when nothing is
	// known against it.
	Held struct{ Why string }
	// Note is a line for the log.
	Note struct {
		Warn bool
		Text string
		// Args are alternating keys and values, as in log/slog.
		Args []any
	}
)

func (Write) effect()   {}
func (Publish) effect() {}
func (Removed) effect() {}
func (Refused) effect() {}
func (Left) effect()    {}
func (Held) effect()    {}
func (Note) effect()    {}
