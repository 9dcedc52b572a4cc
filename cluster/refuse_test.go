package cluster

import (
	"errors"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// A grain that calls its own identity would wait for itself; in another cluster the identity is another grain.
func TestCallOfTheSameIdentity(t *testing.T) {
	self := driver.Identity{Kind: "Stock", Name: "lamp"}
	for name, c := range map[string]struct {
		caller *waiting
		same   bool
		want   error
	}{
		"itself":                        {&waiting{identity: self, depth: 1}, true, ErrCallCycle},
		"itself, which goes on":         {&waiting{identity: self, depth: 1, open: true}, true, nil},
		"that of another cluster":       {&waiting{identity: self, depth: 1}, false, nil},
		"nobody calls":                  {nil, false, nil},
		"at the end of the chain":       {&waiting{identity: driver.Identity{Kind: "a", Name: "b"}, depth: MaxCallDepth}, true, ErrCallDepth},
		"there, and in another cluster": {&waiting{identity: self, depth: MaxCallDepth}, false, ErrCallDepth},
	} {
		if err := c.caller.refuse("shop", self, c.same); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
