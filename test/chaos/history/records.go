package history

import "time"

// The workloads that [CheckLinearizable] and [CheckBank] know. Operations of other workloads count for tokens and availability.
const (
	Register = "register" // DoWrite, DoRead, DoCAS; values are unique in an identity, and never empty
	Counter  = "counter"  // DoAdd, DoRead; the same positive amount in all of an identity, or the check of lost answers is slow
	List     = "list"     // DoAppend, DoRead; values are unique in an identity
	Bank     = "bank"     // DoTransfer
)

// What operations do.
const (
	DoRead     = "read"     // result: the register's value ("" before the first write), the counter's sum, the list ([ListText])
	DoWrite    = "write"    // argument: the value; no result
	DoCAS      = "cas"      // expect, argument: the old value and the new; result: the value that the register has afterwards
	DoAdd      = "add"      // argument: the amount; result: the sum with it
	DoAppend   = "append"   // argument: the value; result: the length with it, in decimal, or the list with it ([ListText])
	DoTransfer = "transfer" // identity, peer: from and to which account; argument: the amount; call: its id
)

// Operation is a call of a client, from its point of view.
type Operation struct {
	By       string        `json:"-"` // the process that recorded it
	Client   string        `json:"client"`
	Workload string        `json:"workload"`
	Kind     string        `json:"kind"`
	Identity string        `json:"identity"`
	Do       string        `json:"do"`
	Argument string        `json:"argument,omitempty"`
	Expect   string        `json:"expect,omitempty"` // of DoCAS
	Peer     string        `json:"peer,omitempty"`   // of DoTransfer
	Call     string        `json:"call,omitempty"`   // the call's id, if it has one
	Start    time.Duration `json:"start"`

	// Known when it has ended.
	Result  string        `json:"-"`
	Token   Token         `json:"-"` // of the activation that answered; zero if the answer has none
	End     time.Duration `json:"-"` // Never, if it was not heard of
	Outcome Outcome       `json:"-"`
	Error   string        `json:"-"`
}

// Turn is one turn of a grain, as its handler sees it: a line when the handler begins, another when it ends.
type Turn struct {
	By       string `json:"-"`
	Kind     string `json:"kind"`
	Identity string `json:"identity"`
	Member   string `json:"member"` // the member's id in the view: new with every joining
	Token    Token  `json:"token"`
	// Sent is when the caller sent the message, if the message carries it. With it, a turn that begins as its member
	// wakes up from a pause can be judged: see [CheckActivations].
	Sent  time.Duration `json:"sent,omitzero"`
	Begin time.Duration `json:"begin"`
	End   time.Duration `json:"-"` // Never, if it has not been written: the process was killed, or the turn goes on
}

// Activation is a grain from Init or OnActivate to Terminate, if that was called.
type Activation struct {
	By       string        `json:"-"`
	Kind     string        `json:"kind"`
	Identity string        `json:"identity"`
	Member   string        `json:"member"`
	Token    Token         `json:"token"`
	Started  time.Duration `json:"started"`
	Stopped  time.Duration `json:"-"` // Never, if nothing was heard of its end
}

// Event is what happened to a message.
type Event string

// The events. A message is recorded as Sent before it is sent, as Delivered by the actor that handles it, and as Dead by
// whoever hears of a dead letter on its event stream.
const (
	Sent      Event = "sent"
	Delivered Event = "delivered"
	Dead      Event = "dead"
)

// Message is something that happened to a message between actors.
type Message struct {
	By    string `json:"-"` // the process that recorded it
	Event Event  `json:"event"`
	// From is the sender's incarnation: a process's name, a slash, and an actor's in it that is never used twice.
	From string `json:"from"`
	// To is the target as it is addressed: a member's name, a slash, and an actor's in whatever process serves it.
	To     string        `json:"to"`
	Number uint64        `json:"number"` // ascending for each From and To, in the order of sending
	Hash   uint64        `json:"hash"`   // of the content
	At     time.Duration `json:"at"`
	// Doubtful says of a dead letter that its reason tells that nobody knows whether the message had arrived.
	Doubtful bool   `json:"doubtful,omitzero"`
	Reason   string `json:"reason,omitempty"`
}

// Fault is something that the nemesis did. The kinds [Kill] and [Pause] are known to the oracles.
type Fault struct {
	By      string        `json:"-"`
	Kind    string        `json:"kind"`
	Targets []string      `json:"targets,omitempty"` // names of processes
	Text    string        `json:"text,omitempty"`    // for people
	Begin   time.Duration `json:"begin"`
	End     time.Duration `json:"-"` // Never, if it was not mended
}

// Faults that mean something to oracles.
const (
	Kill  = "kill"  // SIGKILL
	Pause = "pause" // SIGSTOP, ends with SIGCONT: a turn may have passed its gate before
)

// Gauge is what a process holds at a moment.
type Gauge struct {
	By          string        `json:"-"`
	Process     string        `json:"process"` // of which it is
	Mark        string        `json:"mark"`    // names the pair: a fault's number, for example
	After       bool          `json:"after,omitzero"`
	At          time.Duration `json:"at"`
	Heap        uint64        `json:"heap"` // bytes, after a garbage collection
	Goroutines  int           `json:"goroutines"`
	Descriptors int           `json:"descriptors"`
	Connections int           `json:"connections"`
}

// Audit is a counter that must be zero.
type Audit struct {
	By      string        `json:"-"`
	Process string        `json:"process"`
	Name    string        `json:"name"`
	Value   int64         `json:"value"`
	Text    string        `json:"text,omitempty"` // what is known of it
	At      time.Duration `json:"at"`
}

// Account is what a bank's account is found to hold when all is over.
type Account struct {
	By       string        `json:"-"`
	Kind     string        `json:"kind"`
	Identity string        `json:"identity"`
	Opening  int64         `json:"opening"`
	Balance  int64         `json:"balance"`
	Entries  []Entry       `json:"entries,omitempty"`
	At       time.Duration `json:"at"`
}

// Entry is what a transfer has put into an account, or taken out.
type Entry struct {
	Call   string `json:"call"`
	Amount int64  `json:"amount"` // negative where it was taken out
}

// Plan says what a run is, and what its kinds promise. A run has one.
type Plan struct {
	Seed  uint64          `json:"seed"`
	Text  string          `json:"text,omitempty"` // for people: provider, members, workloads
	Modes map[string]Mode `json:"modes"`          // of each kind that has turns or operations
	// Stored are the kinds whose state is in a store that refuses an activation with a successor, and is asked in each turn.
	Stored map[string]bool `json:"stored,omitempty"`
}

// Process is a process of the run, from opening its record to closing it.
type Process struct {
	Name   string // as m3.2: member m3, its second life
	Pid    int
	Opened time.Duration
	Closed time.Duration // Never, if it did not close its record
	Killed time.Duration // Never, if nobody says that it was killed; then the moment after which it was surely gone
}
