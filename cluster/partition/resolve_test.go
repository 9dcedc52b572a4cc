package partition

import (
	"context"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// TestAnAnswerInTheInstantOfTheEnd resolves with a context that is done as the
// answer comes: whoever asked gets the one or the other, and not an activation
// of nobody.
func TestAnAnswerInTheInstantOfTheEnd(t *testing.T) {
	l, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	id := driver.Identity{Kind: "K", Name: "x"}
	done := make(chan struct{})
	close(done)
	l.flights[question{identity: id}] = &flight{
		askers: 1, cancel: func() {}, done: done, found: Activation{Member: driver.Member{ID: "m"}},
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // which of two open channels a select takes is chance
		if found, err := l.Resolve(ctx, id, "", driver.Fence{}); err == nil && found.Member.ID != "m" {
			t.Fatalf("%+v without an error", found)
		}
	}
}
