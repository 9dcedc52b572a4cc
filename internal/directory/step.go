package directory

import "github.com/granary-go/granary/cluster/driver"

// Time is a reading of a monotonic clock in nanoseconds, given in by whoever
// drives the machine.
type Time int64

// Event is what happens to a machine.
type Event interface{ event() }

// Result is how an operation in the store ended.
type Result uint8

const (
	// Done: it was carried out.
	Done Result = iota
	// Claimed: the identity has another entry; see driver.ErrClaimed.
	Claimed
	// WrongEra: see driver.ErrEra.
	WrongEra
	// Failed: it is unknown whether it was carried out.
	Failed
)

type (
	// ViewChanged brings a newer view.
	ViewChanged struct{ View driver.View }
	// LeaseChanged tells how the lease of the member is at this moment; valid is
	// what it begins with. The driver of the machine looks at the lease before
	// each step.
	LeaseChanged struct{ Phase driver.LeasePhase }
	// Place asks the host to activate an identity; it is answered by one
	// [Answer] with the same Request.
	Place struct {
		// Request is chosen by the driver of the machine.
		Request  uint64
		Identity driver.Identity
		// Over is the token of an entry that the asker has found void, or whose
		// activation did not answer on this very host; zero if there was none, or
		// it could not tell.
		Over driver.Fence
	}
	// ClaimEnded tells how a [Claim] ended.
	ClaimEnded struct {
		Attempt  uint64
		Identity driver.Identity
		Result   Result
		// Entry is the member's own if Done, the one that there is if Claimed.
		Entry driver.Entry
		Why   string // if Failed
	}
	// ReleaseEnded tells how a [Release] ended.
	ReleaseEnded struct {
		Identity driver.Identity
		Token    driver.Fence
		Result   Result
	}
	// RestoreEnded tells how a [Restore] ended.
	RestoreEnded struct {
		Result Result
		// Kept are entries with higher tokens than those that were written back.
		Kept []driver.Entry
	}
	// EraRead tells how a [ReadEra] ended.
	EraRead struct {
		Result Result
		Record driver.Era
		// UnixMilli is the time of day, for the number of an era.
		UnixMilli uint64
	}
	// EraWritten tells how a [WriteEra] ended.
	EraWritten struct{ Result Result }
	// Greeted brings a newcomer's greeting: it has joined with this view.
	Greeted struct {
		From  driver.MemberID
		Epoch uint64
	}
	// GreetingSeen is a member's answer to a [Greet].
	GreetingSeen struct {
		From  driver.MemberID
		Epoch uint64
	}
	// StopBegun tells that an activation takes no more messages, and Stopped that
	// its last handler has returned.
	StopBegun struct {
		Identity driver.Identity
		Token    driver.Fence
	}
	// Stopped follows StopBegun, or comes alone.
	Stopped struct {
		Identity driver.Identity
		Token    driver.Fence
	}
	// Tick lets the machine do what is due. It is wanted at [Host.Wake].
	Tick struct{}
)

func (ViewChanged) event()  {}
func (LeaseChanged) event() {}
func (Place) event()        {}
func (ClaimEnded) event()   {}
func (ReleaseEnded) event() {}
func (RestoreEnded) event() {}
func (EraRead) event()      {}
func (EraWritten) event()   {}
func (Greeted) event()      {}
func (GreetingSeen) event() {}
func (StopBegun) event()    {}
func (Stopped) event()      {}
func (Tick) event()         {}

// Effect is what a machine wants done. Effects of one step are carried out in
// their order; those that are operations in the store are ended by an event.
type Effect interface{ effect() }

// Outcome is how a request to place ended.
type Outcome uint8

const (
	// Found: the identity has this entry.
	Found Outcome = iota + 1
	// Refused: this member does not take it; another may.
	Refused
	// Wait: nothing can be said now; ask again.
	Wait
	// NoStore: the store did not say whether the claim succeeded.
	NoStore
)

type (
	// Claim is driver.EntryStore's.
	Claim struct {
		Attempt uint64
		Entry   driver.Entry
		Over    driver.Fence
	}
	// Release is driver.EntryStore's.
	Release struct {
		Identity driver.Identity
		Token    driver.Fence
	}
	// Restore is driver.EntryStore's. One is under way at a time.
	Restore struct{ Entries []driver.Entry }
	// Remove is driver.EntryStore's. It is not ended by an event.
	Remove struct{ Member driver.MemberID }
	// ReadEra is driver.EntryStore's. It and WriteEra are under way one at a
	// time.
	ReadEra struct{}
	// WriteEra is driver.EntryStore's.
	WriteEra struct{ Since, Next driver.Era }
	// Greet tells a member of the view that this one has joined with it.
	Greet struct {
		To    driver.MemberID
		Epoch uint64
	}
	// SeeGreeting answers a greeting.
	SeeGreeting struct {
		To    driver.MemberID
		Epoch uint64
	}
	// Answer ends a request to place.
	Answer struct {
		Request uint64
		Outcome Outcome
		Entry   driver.Entry
		Why     string
	}
	// Start starts an activation on this member.
	Start struct {
		Identity driver.Identity
		Token    driver.Fence
	}
	// Stop stops an activation on this member.
	Stop struct {
		Identity driver.Identity
		Token    driver.Fence
	}
	// Refresh says that a view of at least this epoch must exist.
	Refresh struct{ Epoch uint64 }
	// EraChanged says that the era is another, or has been opened; Mine says
	// that this member opened it.
	EraChanged struct {
		Era        driver.EraID
		Open, Mine bool
	}
	// Violation reports what the protocol says cannot be, for logs and
	// audit counters.
	Violation struct {
		Identity driver.Identity
		What     string
	}
)

func (Claim) effect()       {}
func (Release) effect()     {}
func (Restore) effect()     {}
func (Remove) effect()      {}
func (ReadEra) effect()     {}
func (WriteEra) effect()    {}
func (Greet) effect()       {}
func (SeeGreeting) effect() {}
func (Answer) effect()      {}
func (Start) effect()       {}
func (Stop) effect()        {}
func (Refresh) effect()     {}
func (EraChanged) effect()  {}
func (Violation) effect()   {}

// Verdict is what an entry is worth to a reader.
type Verdict uint8

const (
	// Absent: there is no entry.
	Absent Verdict = iota
	// Live: its member is in the view.
	Live
	// Void: its member is out of the view, for good.
	Void
	// Unknown: the reader's view is older than the entry.
	Unknown
)

// Judge is rule 3. Era is the number of an era that the reader has joined; zero if
// it does not know one.
func Judge(view driver.View, e driver.Entry, era uint64) Verdict {
	if e.IsZero() {
		return Absent
	}
	switch _, in := view.Member(e.Member); {
	case in:
		return Live
	case e.Epoch <= view.Epoch, e.Era.Number < era:
		return Void
	default:
		return Unknown
	}
}

// faults switch rules off, one each, for simulations that show that the rule
// is needed. In production none is set.
type faults struct {
	// startUnchecked starts what was claimed whatever has happened meanwhile.
	startUnchecked bool
	// voidUnseen takes a member for gone that an older view does not hold.
	voidUnseen bool
	// reuseOwn starts an entry of its own that it finds, under the same token.
	reuseOwn bool
	// releaseEarly releases an entry when the activation begins to stop.
	releaseEarly bool
	// omitStopping writes back what is running only.
	omitStopping bool
	// joinUnwritten joins an era without writing anything back.
	joinUnwritten bool
	// openEarly opens an era without waiting for the others.
	openEarly bool
	// claimClosed claims whether the era is open or not.
	claimClosed bool
	// noGreeting lets a newcomer host at once.
	noGreeting bool
	// noFounder tells eras apart by their numbers alone.
	noFounder bool
	// eraBack takes the clock alone for the number of an era.
	eraBack bool
}
