package record

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/lease"
)

// holder is the [driver.Lease] of a session.
type holder struct {
	now func() time.Duration
	// at and drains are the deadlines, for those who ask without the lock.
	at, drains atomic.Int64
	over       chan struct{} // closed when the lease is fenced

	mu      sync.Mutex // guards the fields below
	machine *lease.Machine
	phase   driver.LeasePhase // as it was told last
	closed  bool
	changed chan struct{} // closed by the next change
}

func newHolder(now func() time.Duration, start, granted time.Duration) *holder {
	h := &holder{
		now: now, over: make(chan struct{}), changed: make(chan struct{}),
		machine: lease.New(lease.Renewed{Start: lease.Time(start), TTL: lease.Time(granted)}),
	}
	h.publish(h.machine.Deadline())
	if h.phase = h.machine.Phase(); h.phase == driver.LeaseFenced {
		close(h.over)
	}
	return h
}

func (h *holder) publish(d lease.Deadline) {
	h.drains.Store(int64(d.Drains))
	h.at.Store(int64(d.At))
}

// Valid implements [driver.Lease].
func (h *holder) Valid() bool {
	now := h.now()
	return int64(now) < h.at.Load() || !h.ended(now)
}

// Margin implements [driver.LeaseMargin].
func (h *holder) Margin() time.Duration {
	now, at := h.now(), h.at.Load()
	if at == int64(lease.Never) {
		return 0
	}
	return max(time.Duration(at)-now, 0)
}

// Phase implements [driver.Lease].
func (h *holder) Phase() driver.LeasePhase {
	switch now := h.now(); {
	case int64(now) >= h.at.Load() && h.ended(now):
		return driver.LeaseFenced
	case int64(now) >= h.drains.Load():
		return driver.LeaseDraining
	default:
		return driver.LeaseValid
	}
}

// ended reports whether the lease ends at a reading of the clock that is not
// before its deadline, as it was read. Whoever is told so acts on it for good, so
// that it has to stay so: a renewal that is answered in this instant comes either
// before, or too late.
func (h *holder) ended(now time.Duration) bool {
	if h.at.Load() == int64(lease.Never) {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.carry(now, lease.Tick{})
	return h.phase == driver.LeaseFenced
}

// Watch implements [driver.Lease].
func (h *holder) Watch(ctx context.Context, last driver.LeasePhase) (driver.LeasePhase, error) {
	for {
		h.step(lease.Tick{})
		h.mu.Lock()
		phase, closed, changed := h.phase, h.closed, h.changed
		h.mu.Unlock()
		switch {
		case closed:
			return phase, driver.ErrClosed
		case phase != last:
			return phase, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return phase, ctx.Err()
		}
	}
}

// step feeds the machine and tells those who watch what has changed.
func (h *holder) step(e lease.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.carry(h.now(), e)
}

// carry is step at a given time, under the lock.
func (h *holder) carry(now time.Duration, e lease.Event) {
	for _, effect := range h.machine.Step(lease.Time(now), e) {
		switch effect := effect.(type) {
		case lease.Deadline:
			h.publish(effect)
		case lease.PhaseChanged:
			h.phase = effect.Phase
			if effect.Phase == driver.LeaseFenced {
				close(h.over)
			}
			h.wake()
		}
	}
}

func (h *holder) wake() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// close ends the lease and all who watch it.
func (h *holder) close() {
	h.step(lease.Lost{})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.wake()
}

// next gives how long it takes until the phase changes; false when it never
// will. The machine may sleep meanwhile, which timers do not count: nobody is
// told later than by a twentieth of the lease time.
func (h *holder) next(ttl time.Duration) (time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	wake, wanted := h.machine.Wake()
	return min(time.Duration(wake)-h.now(), ttl/20), wanted
}
