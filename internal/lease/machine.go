package lease

import (
	"math"

	"github.com/granary-go/granary/cluster/driver"
)

// Time is a reading, in nanoseconds, of a clock that counts the time that the
// machine sleeps; also a length of time.
type Time int64

// Never is before every reading of a clock: the deadline of a lease that has
// ended.
const Never Time = math.MinInt64

// Event is what happens to a machine.
type Event interface{ event() }

type (
	// Renewed says that a renewal succeeded. Start is the own clock just
	// before it was sent, TTL what was granted. One that was sent before the
	// last changes nothing; one that grants no time has the effect of Lost.
	Renewed struct{ Start, TTL Time }
	// Lost says that the provider has given the lease up.
	Lost struct{}
	// Tick says that time has passed. It is wanted at [Machine.Wake].
	Tick struct{}
)

func (Renewed) event() {}
func (Lost) event()    {}
func (Tick) event()    {}

// Effect is what a machine wants done. Effects of one step are carried out in
// their order.
type Effect interface{ effect() }

type (
	// Deadline is what everybody goes by from now on, who asks whether the
	// lease is valid: until Drains it is, until At it drains. Both are Never
	// once it is fenced.
	Deadline struct{ Drains, At Time }
	// PhaseChanged says that the phase is another.
	PhaseChanged struct{ Phase driver.LeasePhase }
)

func (Deadline) effect()     {}
func (PhaseChanged) effect() {}

// Faults switch rules off, one each, for simulations that show that the rule
// is needed. In production none is set.
type Faults struct {
	// Revives lets a renewal make a fenced lease valid again.
	Revives bool
	// CountsFromAnswer counts the time granted from the answer's arrival, not
	// from the sending of the renewal.
	CountsFromAnswer bool
}

// Machine is the lease of one member. It is not safe for concurrent use.
type Machine struct {
	broken     Faults
	now, start Time
	drains, at Time
	phase      driver.LeasePhase
	out        []Effect
}

// New makes the clock of a lease that was granted by its registration; Start
// and TTL are as in any renewal. Nobody has been told of it yet: its deadline
// is read with [Machine.Deadline].
func New(granted Renewed) *Machine {
	m := &Machine{now: granted.Start, start: granted.Start}
	m.step(granted)
	m.out = nil
	return m
}

// Break switches rules off, for simulations.
func (m *Machine) Break(f Faults) { m.broken = f }

// Phase gives the phase at the time of the last step.
func (m *Machine) Phase() driver.LeasePhase { return m.phase }

// Deadline tells when the lease drains and when it ends, if nothing comes.
func (m *Machine) Deadline() Deadline { return Deadline{m.drains, m.at} }

// Wake tells when the phase changes if nothing comes; false when it never
// will.
func (m *Machine) Wake() (Time, bool) {
	switch m.phase {
	case driver.LeaseValid:
		return m.drains, true
	case driver.LeaseDraining:
		return m.at, true
	default:
		return 0, false
	}
}

// Step takes one event. A clock that goes back is taken to stand still.
func (m *Machine) Step(now Time, e Event) []Effect {
	m.now = max(m.now, now)
	m.look()
	m.step(e)
	out := m.out
	m.out = nil
	return out
}

func (m *Machine) step(e Event) {
	if m.phase == driver.LeaseFenced && !m.broken.Revives {
		return
	}
	switch e := e.(type) {
	case Renewed:
		m.renewed(e)
	case Lost:
		m.fence()
	case Tick:
	}
}

func (m *Machine) renewed(e Renewed) {
	start := min(e.Start, m.now)
	switch {
	case start < m.start:
		return
	case e.TTL <= 0:
		m.fence()
		return
	}
	m.start = start
	if m.broken.CountsFromAnswer {
		start = m.now
	}
	m.drains, m.at = after(start, e.TTL, 6), after(start, e.TTL, 9)
	m.out = append(m.out, Deadline{m.drains, m.at})
	if m.broken.Revives {
		m.become(driver.LeaseValid)
	}
	m.look()
}

// after gives the instant at which some tenths of the time granted have
// passed.
func after(start, ttl Time, tenths Time) Time {
	length := ttl/10*tenths + ttl%10*tenths/10
	if start > math.MaxInt64-length {
		return math.MaxInt64
	}
	return start + length
}

// look does what the clock says.
func (m *Machine) look() {
	switch {
	case m.phase == driver.LeaseFenced:
	case m.now >= m.at:
		m.fence()
	case m.now >= m.drains:
		m.become(driver.LeaseDraining)
	default:
		m.become(driver.LeaseValid)
	}
}

func (m *Machine) fence() {
	if m.phase == driver.LeaseFenced {
		return
	}
	m.drains, m.at = Never, Never
	m.out = append(m.out, Deadline{Never, Never})
	m.become(driver.LeaseFenced)
}

func (m *Machine) become(p driver.LeasePhase) {
	if m.phase != p {
		m.phase = p
		m.out = append(m.out, PhaseChanged{p})
	}
}
