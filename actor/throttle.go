package actor

import (
	"math"
	"sync"
	"time"
)

// Valve says whether a throttled thing is to be done.
type Valve int

const (
	// Open: do it.
	Open Valve = iota
	// Closing: do it; it is the last one of this period.
	Closing
	// Closed: leave it.
	Closed
)

// ShouldThrottle is asked before each time that something is done. It may be
// called by any goroutine.
type ShouldThrottle func() Valve

// NewThrottle lets something happen at most maxEventsInPeriod times in a period,
// which begins with its first event. At the end of a period in which more was
// asked for, throttledCallBack, if any, is told how many were left out, in a
// goroutine of its own. With a maxEventsInPeriod of 0 or less nothing is let
// through; with a period of 0 or less everything.
func NewThrottle(maxEventsInPeriod int32, period time.Duration, throttledCallBack func(omitted int32)) ShouldThrottle {
	t := &throttle{most: int64(max(maxEventsInPeriod, 0)), period: period, tell: throttledCallBack}
	return t.ask
}

type throttle struct {
	most   int64
	period time.Duration
	tell   func(omitted int32)

	mu    sync.Mutex
	ends  time.Time // guarded by mu: of the period
	asked int64     // guarded by mu: in the period
	// before is how many were left out of the period before; guarded by mu.
	before int64
}

func (t *throttle) ask() Valve {
	if t.period <= 0 {
		return Open
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); !now.Before(t.ends) {
		t.before = t.asked - t.most
		t.ends, t.asked = now.Add(t.period), 0
	}
	t.asked++
	if t.asked == t.most+1 && t.tell != nil {
		ends := t.ends
		time.AfterFunc(time.Until(ends), func() { t.report(ends) })
	}
	switch {
	case t.asked > t.most:
		return Closed
	case t.asked == t.most:
		return Closing
	default:
		return Open
	}
}

// report tells how many were left out of the period that ends at this moment.
func (t *throttle) report(ends time.Time) {
	t.mu.Lock()
	omitted := t.asked - t.most
	if !t.ends.Equal(ends) { // the next one has begun already
		omitted = t.before
	}
	t.mu.Unlock()
	t.tell(int32(min(omitted, math.MaxInt32)))
}
