package dashboard

import (
	"testing"
	"time"
)

// A member that has counted a moment ago tells the old number again: the rate does not jump by that.
func TestRates(t *testing.T) {
	r, start := newRates(), time.Unix(1000, 0)
	told := uint64(0)
	for i := range 40 {
		if i%3 != 1 { // else it is told again
			told = uint64(400 * i)
		}
		got := r.of("x", start.Add(time.Duration(i)*time.Second), told)
		if i > 3 && (got == nil || *got != 400) {
			t.Errorf("after %d s: %v", i, got)
		}
	}
	end := start.Add(time.Minute)
	var rest *float64
	for i := range 12 {
		rest = r.of("x", end.Add(time.Duration(i)*time.Second), told)
	}
	if rest == nil || *rest != 0 {
		t.Errorf("at rest: %v", rest)
	}
	if again := r.of("x", end.Add(time.Hour), 3); again != nil {
		t.Errorf("of a new process: %v", *again)
	}
	r.forget()
	r.forget()
	if len(r.counters) > 0 {
		t.Error("a counter that is gone is kept")
	}
}
