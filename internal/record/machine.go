package record

import (
	"cmp"
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// MaxMembers is how many members a view holds. Further newcomers are held.
const MaxMembers = 256

// DefaultPause is the pause between the turns of two writers: 200 ms.
const DefaultPause Time = 200e6

// Config is what a machine is told when it is made.
type Config struct {
	// Self is this process, in the state that others are to see it in; an
	// observer has no ID.
	Self driver.Member
	// Incarnation is a random name, used if this machine founds the cluster.
	Incarnation string
	// Pause is how long each writer lets the one before it go first. Defaults
	// to [DefaultPause].
	Pause Time
	// FoundAfter is how long there must be no record before a newcomer makes
	// the first one: the lease time.
	FoundAfter Time
	// Seen is the highest epoch that this process saw under earlier ids.
	Seen uint64
	// Weigh gives what a member takes of Room; nil is nothing. Newcomers for
	// whom there is no room are held.
	Weigh func(driver.Member) int
	Room  int
}

// Faults switch rules off, one each, for simulations that show that the rule is
// needed. In production none is set.
type Faults struct {
	// RemoveEarly removes a member that was merely suspected.
	RemoveEarly bool
	// FoundAtOnce makes a first record without waiting for leases to end.
	FoundAtOnce bool
	// WritesFenced lets a member whose key is gone go on.
	WritesFenced bool
	// KeepsIncarnation takes a record of another incarnation for its own.
	KeepsIncarnation bool
}

type phase uint8

const (
	newcomer phase = iota // in no view yet; an observer, too
	joined
	over // removed, refused or left
)

// Machine is one process's part in the membership. It is not safe for
// concurrent use.
type Machine struct {
	cfg    Config
	broken Faults
	now    Time
	phase  phase

	fenced, draining, quitting, left bool
	suspects                         map[driver.MemberID]bool

	read    Read
	known   bool // something was read
	writing bool // a write is under way, and the next read says what became of it
	// seen is the newest view that this member was in, or that an observer was
	// shown.
	seen driver.View
	// highest is the highest epoch that was ever read, also under earlier ids.
	highest uint64
	// wrong says why the record cannot be used; empty if it can.
	wrong string
	// since is when something to be written was first seen in this version of
	// the record; absent, when there was first no record.
	since, absent     Time
	differs, founding bool
	held              string
	out               []Effect
	wake              Time
	wakes             bool
}

// New makes the machine of a process that is in no view.
func New(c Config) *Machine {
	c.Pause = cmp.Or(c.Pause, DefaultPause)
	return &Machine{cfg: c, highest: c.Seen, draining: c.Self.State == driver.Leaving, suspects: make(map[driver.MemberID]bool)}
}

// Break switches rules off, for simulations.
func (m *Machine) Break(f Faults) { m.broken = f }

// Wake tells when a [Tick] is wanted if nothing comes; false when never.
func (m *Machine) Wake() (Time, bool) { return m.wake, m.wakes }

// View gives the newest view that was published, and whether this member may
// go by it still.
func (m *Machine) View() (driver.View, bool) {
	return m.seen, m.phase != over && m.seen.Epoch > 0
}

// Step takes one event. A clock that goes back is taken to stand still.
func (m *Machine) Step(now Time, e Event) []Effect {
	m.now, m.wakes = max(m.now, now), false
	switch e := e.(type) {
	case Read:
		m.take(e)
	case Fenced:
		m.fenced = true
	case Drain:
		m.draining = true
	case Leave:
		m.quitting = true
	case Suspect:
		m.suspects[e.ID] = true
	case Tick:
	}
	if m.known && !m.writing && !m.observes() {
		m.act()
	}
	out := m.out
	m.out = nil
	return out
}

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

func (m *Machine) observes() bool { return m.cfg.Self.ID == "" }

// alive reports whether a member's liveness key was there.
func (m *Machine) alive(id driver.MemberID) bool {
	_, found := slices.BinarySearchFunc(m.read.Alive, id, func(a driver.Member, id driver.MemberID) int { return cmp.Compare(a.ID, id) })
	return found || m.broken.WritesFenced && id == m.cfg.Self.ID
}

// holds reports whether the record holds this member.
func (m *Machine) holds() bool {
	_, in := m.read.Record.View.Member(m.cfg.Self.ID)
	return m.read.Found && m.wrong == "" && in
}

// take judges what was read.
func (m *Machine) take(r Read) {
	old := m.read
	m.read, m.writing = r, false
	if !m.known || r.Found != old.Found || r.Record.View.Epoch != old.Record.View.Epoch || r.Record.View.Incarnation != old.Record.View.Incarnation {
		m.differs = false
	}
	m.known = true
	if r.Found || !m.founding {
		m.founding, m.absent = !r.Found, m.now
	}
	m.judge()
	if m.wrong == "" {
		m.highest = max(m.highest, r.Record.View.Epoch)
	}
	if m.phase == over {
		return
	}
	if why := m.ended(); why != "" {
		m.remove(why)
		return
	}
	if m.usable() && (m.observes() || m.holds()) {
		m.show(r.Record.View)
	}
}

func (m *Machine) usable() bool { return m.read.Found && m.wrong == "" }

// judge finds out whether the record can be used, and says so once if not.
func (m *Machine) judge() {
	before := m.wrong
	m.wrong = ""
	if m.read.Found {
		m.wrong = m.nonsense()
	}
	if m.wrong != "" && m.wrong != before {
		m.emit(Note{Warn: true, Text: "the view record cannot be used", Args: []any{"reason", m.wrong, "epoch", m.read.Record.View.Epoch}})
	}
}

// show publishes a view that is newer than the last.
func (m *Machine) show(v driver.View) {
	if v.Epoch <= m.seen.Epoch {
		return
	}
	if !m.observes() {
		m.phase = joined
		m.hold("")
	}
	m.seen = v
	m.emit(Publish{v})
}

func (m *Machine) remove(why string) {
	m.phase = over
	m.emit(Removed{Why: why, Outside: !m.holds()})
}

func (m *Machine) hold(why string) {
	if m.held != why {
		m.held = why
		m.emit(Held{why})
	}
}

// at asks for a tick.
func (m *Machine) at(t Time) { m.wake, m.wakes = t, true }
