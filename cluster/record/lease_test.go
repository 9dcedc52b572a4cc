package record

import (
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/boottime"
	"github.com/granary-go/granary/internal/lease"
)

// TestTheClockIsLookedAt asks a lease whose ticks are late.
func TestTheClockIsLookedAt(t *testing.T) {
	var now time.Duration
	h := newHolder(func() time.Duration { return now }, 0, 10*time.Second)
	for _, c := range []struct {
		at    time.Duration
		valid bool
		phase driver.LeasePhase
	}{
		{0, true, driver.LeaseValid},
		{6*time.Second - 1, true, driver.LeaseValid},
		{6 * time.Second, true, driver.LeaseDraining},
		{9*time.Second - 1, true, driver.LeaseDraining},
		{9 * time.Second, false, driver.LeaseFenced},
		{time.Hour, false, driver.LeaseFenced},
	} {
		if now = c.at; h.Valid() != c.valid || h.Phase() != c.phase {
			t.Errorf("at %v: valid %v, phase %v; want %v, %v", c.at, h.Valid(), h.Phase(), c.valid, c.phase)
		}
	}
	h.step(lease.Renewed{Start: lease.Time(59 * time.Minute), TTL: lease.Time(time.Hour)})
	if h.Valid() || h.Phase() != driver.LeaseFenced {
		t.Error("a renewal that was answered after the deadline revived the lease")
	}
}

// TestAnEndThatWasToldIsOne asks a lease at its deadline, just before a renewal is
// taken in that was answered in time: the two readings of the clock may be taken
// in one order, and come to the lock in the other.
func TestAnEndThatWasToldIsOne(t *testing.T) {
	for name, ended := range map[string]func(*holder) bool{
		"Valid": func(h *holder) bool { return !h.Valid() },
		"Phase": func(h *holder) bool { return h.Phase() == driver.LeaseFenced },
	} {
		t.Run(name, func(t *testing.T) {
			now := 9 * time.Second
			h := newHolder(func() time.Duration { return now }, 0, 10*time.Second)
			if !ended(h) {
				t.Fatal("the lease goes on after its deadline")
			}
			now--
			h.step(lease.Renewed{Start: lease.Time(8 * time.Second), TTL: lease.Time(10 * time.Second)})
			if !ended(h) {
				t.Error("a lease whose end somebody was told goes on")
			}
		})
	}
}

func BenchmarkValid(b *testing.B) {
	h := newHolder(boottime.Now, boottime.Exact(), time.Hour)
	for b.Loop() {
		if !h.Valid() {
			b.Fatal("not valid")
		}
	}
}
