package boottime

import (
	"sync/atomic"
	"time"
)

const (
	// tolerance is how far wall and monotonic time may part until the kernel
	// is asked. Slewing by the time daemon parts them slowly.
	tolerance = 20 * time.Millisecond
	// tight is how long the reading of the three clocks may take for it to be
	// remembered: if it was interrupted, they belong to different instants.
	tight = time.Millisecond
)

var (
	system = &clock{now: now, kernel: kernel}
	start  = time.Now()
)

// now reads both of Go's clocks at one instant.
func now() moment {
	t := time.Now()
	return moment{mono: t.Sub(start), wall: time.Duration(t.UnixNano())}
}

// Now gives the time since boot, to within 20 ms of [Exact].
func Now() time.Duration { return system.read() }

// Exact gives the time since boot as the kernel has it. Where the kernel cannot
// be asked it is the same as [Now], and the zero of the clock is another.
func Exact() time.Duration { return system.exact() }

// clock makes a boot clock of two others.
type clock struct {
	now func() moment
	// kernel gives the time since boot; false if it cannot be had.
	kernel func() (time.Duration, bool)
	last   atomic.Pointer[reading]
}

// moment is what a monotonic clock, which stands still while the machine
// sleeps, and the wall clock showed at one instant.
type moment struct{ mono, wall time.Duration }

// reading adds the time since boot.
type reading struct {
	moment
	boot time.Duration
}

// passed gives the monotonic time since a reading, and by how much the wall
// clock got ahead of it.
func (r *reading) passed(m moment) (mono, ahead time.Duration) {
	mono = m.mono - r.mono
	return mono, m.wall - r.wall - mono
}

func within(d, limit time.Duration) bool { return -limit <= d && d <= limit }

func (c *clock) read() time.Duration {
	if r := c.last.Load(); r != nil {
		if mono, ahead := r.passed(c.now()); within(ahead, tolerance) {
			return r.boot + mono
		}
	}
	return c.exact()
}

func (c *clock) exact() time.Duration {
	before := c.now()
	boot, ok := c.kernel()
	if !ok {
		return c.jumps()
	}
	r := &reading{before, boot}
	if mono, ahead := r.passed(c.now()); mono <= tight && within(ahead, tight) {
		c.last.Store(r)
	}
	return boot
}

// jumps counts every jump of the wall clock ahead of the monotonic one.
func (c *clock) jumps() time.Duration {
	for {
		old, now := c.last.Load(), c.now()
		next := &reading{moment: now}
		if old != nil {
			mono, ahead := old.passed(now)
			if within(ahead, tolerance) {
				return old.boot + mono
			}
			next.boot = old.boot + mono + max(ahead, 0)
		}
		if c.last.CompareAndSwap(old, next) {
			return next.boot
		}
	}
}
