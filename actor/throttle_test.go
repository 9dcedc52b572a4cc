package actor

import (
	"testing"
	"testing/synctest"
	"time"
)

// A period whose end is told after the next one has begun.
func TestThrottleTellsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []int32
		throttle := &throttle{most: 1, period: time.Second}
		for range 4 {
			throttle.ask()
		}
		ends := throttle.ends
		throttle.tell = func(n int32) { told = append(told, n) }
		<-time.After(time.Second)
		throttle.ask() // another period
		throttle.report(ends)
		if len(told) != 1 || told[0] != 3 {
			t.Errorf("told %v, want 3", told)
		}
	})
}
