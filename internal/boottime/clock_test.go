package boottime

import (
	"sync"
	"testing"
	"time"
)

// machine is a computer whose clocks the test moves.
type machine struct {
	mono  time.Duration // since it was started, without sleep
	slept time.Duration
	wall  time.Duration // what the wall clock was set forward by, or back
	asked int
	no    bool   // the kernel refuses
	amid  func() // happens while the kernel is asked
}

// clock makes a boot clock of the machine's own.
func (m *machine) clock() *clock {
	return &clock{
		now: func() moment { return moment{mono: m.mono, wall: m.mono + m.slept + m.wall} },
		kernel: func() (time.Duration, bool) {
			if m.asked++; m.amid != nil {
				m.amid()
			}
			return m.mono + m.slept, !m.no
		},
	}
}

// pass lets time pass.
func (m *machine) pass(d time.Duration) { m.mono += d }

// sleep lets the machine sleep.
func (m *machine) sleep(d time.Duration) { m.slept += d }

// check compares the clock with the truth.
func (m *machine) check(t *testing.T, what string, got time.Duration) {
	t.Helper()
	if want := m.mono + m.slept; got < want-tolerance || got > want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestAsksTheKernelOnlyWhenTheClocksPart(t *testing.T) {
	m := &machine{mono: time.Hour}
	c := m.clock()
	m.check(t, "at first", c.read())
	for range 100 {
		m.pass(time.Minute)
		m.check(t, "awake", c.read())
	}
	if m.asked != 1 {
		t.Errorf("the kernel was asked %d times while nothing happened", m.asked)
	}
	m.sleep(time.Hour)
	m.check(t, "after a sleep", c.read())
	m.wall -= 30 * time.Minute
	m.pass(time.Second)
	m.check(t, "after the wall clock was set back", c.read())
	m.wall += 40 * time.Minute
	m.check(t, "after the wall clock was set forward", c.read())
	if m.asked != 4 {
		t.Errorf("the kernel was asked %d times for four reasons", m.asked)
	}
	m.pass(time.Second)
	m.sleep(tolerance + 1)
	if got := c.exact(); got != m.mono+m.slept || m.asked != 5 {
		t.Errorf("an exact reading is %v, want %v", got, m.mono+m.slept)
	}
}

func TestShortSleepsAddUpToTheTolerance(t *testing.T) {
	m := new(machine)
	c := m.clock()
	c.read()
	for range 10 {
		m.sleep(8 * time.Millisecond)
		m.check(t, "after a nap", c.read())
	}
}

func TestWithoutAKernelJumpsAheadAreSleep(t *testing.T) {
	m := &machine{no: true}
	c := m.clock()
	c.read()
	for _, want := range []struct{ jump, total time.Duration }{
		{time.Hour, time.Hour}, {-2 * time.Hour, time.Hour}, {time.Minute, time.Hour + time.Minute}, {tolerance, time.Hour + time.Minute},
	} {
		m.wall += want.jump
		m.pass(time.Second)
		if got := c.read(); got != m.mono+want.total {
			t.Errorf("after a jump of %v: %v, want %v", want.jump, got, m.mono+want.total)
		}
		if got := c.exact(); got != m.mono+want.total {
			t.Errorf("exactly, after a jump of %v: %v, want %v", want.jump, got, m.mono+want.total)
		}
	}
}

func TestAnInterruptedReadingIsNotRemembered(t *testing.T) {
	for name, amid := range map[string]func(*machine){
		"asleep":    func(m *machine) { m.sleep(time.Minute) },
		"scheduled": func(m *machine) { m.pass(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			m := new(machine)
			c := m.clock()
			m.amid = func() { amid(m) }
			m.check(t, "interrupted", c.read())
			m.amid = nil
			m.check(t, "afterwards", c.read())
			if m.asked != 2 {
				t.Errorf("the kernel was asked %d times: a reading of clocks at different instants was remembered", m.asked)
			}
		})
	}
}

func TestSystem(t *testing.T) {
	before := Exact()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				if now := Now(); now < before-tolerance {
					t.Errorf("the clock went back from %v to %v", before, now)
				}
			}
		})
	}
	wg.Wait()
	if now, after := Now(), Exact(); now > after+tolerance {
		t.Errorf("now is %v, later it is %v", now, after)
	}
}

func BenchmarkNow(b *testing.B) {
	for b.Loop() {
		Now()
	}
}

func BenchmarkExact(b *testing.B) {
	for b.Loop() {
		Exact()
	}
}

func BenchmarkTimeNow(b *testing.B) {
	for b.Loop() {
		time.Now()
	}
}
