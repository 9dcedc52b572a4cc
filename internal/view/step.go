package view

// Event is what happens to a machine.
type Event interface{ event() }

type (
	// Tick says that time has passed. It is wanted at [Machine.Wake].
	Tick struct{}
	// Resolved gives the addresses of a configured host. None means that the
	// look-up failed.
	Resolved struct {
		Host      string
		Addresses []string
	}
	// Received is a peer's ping. It is answered by one [Answer] or [Refuse],
	// the last of the step's effects.
	Received struct{ Greeting Greeting }
	// Answered is the answer to a ping that was sent.
	Answered struct {
		Address  string
		Seq      uint64
		Greeting Greeting
	}
	// Failed says that a ping was not answered, and why, in words.
	Failed struct {
		Address string
		Seq     uint64
		Why     string
		// Foreign says that the peer belongs to another cluster.
		Foreign bool
		// Dead says that the peer ended the connection, or that its machine
		// refuses one, as when a process has died: another try need not wait long.
		Dead bool
	}
	// Lost says that a connection over which a peer had answered was ended by
	// the other side, as it is when a process dies.
	Lost struct{ Address string }
	// Drain makes the member say that it is leaving.
	Drain struct{}
	// Leave takes the member out of the view. It is answered, in time, by one
	// [Left].
	Leave struct{}
	// Refresh hints that a view with this epoch or a higher one exists.
	Refresh struct{ Epoch uint64 }
)

func (Tick) event()     {}
func (Resolved) event() {}
func (Received) event() {}
func (Answered) event() {}
func (Failed) event()   {}
func (Lost) event()     {}
func (Drain) event()    {}
func (Leave) event()    {}
func (Refresh) event()  {}

// Effect is what a machine wants done. Effects of one step are carried out in
// their order.
type Effect interface{ effect() }

type (
	// Send is a ping to be sent. Its outcome comes back as one [Answered] or
	// [Failed] with the same address and number.
	Send struct {
		Address  string
		Seq      uint64
		Greeting Greeting
	}
	// Answer is what the sender of a received ping is told.
	Answer struct{ Greeting Greeting }
	// Refuse tells the sender of a received ping that it is in the wrong
	// place. Why is a sentence for people.
	Refuse struct{ Why string }
	// Publish hands over a view that holds this member.
	Publish struct{ View View }
	// Removed says that this member is in the view no more. Nothing is
	// published after it.
	Removed struct{}
	// Left says that a [Leave] is done: whoever could be reached knows.
	Left struct{}
	// Held says why a newcomer is not taken in as things are.
	Held struct{ Why string }
	// Forget says that an address is known no more: what was kept for it, such
	// as a connection, can go. It may be learnt anew later.
	Forget struct{ Address string }
	// Note is a line for the log.
	Note struct {
		Warn bool
		Text string
		// Args are alternating keys and values, as in log/slog.
		Args []any
	}
)

func (Send) effect()    {}
func (Answer) effect()  {}
func (Refuse) effect()  {}
func (Publish) effect() {}
func (Removed) effect() {}
func (Left) effect()    {}
func (Held) effect()    {}
func (Forget) effect()  {}
func (Note) effect()    {}
