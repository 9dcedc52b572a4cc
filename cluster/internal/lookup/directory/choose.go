package directory

import (
	"math/rand/v2"
	"sync"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup"
)

// chooser picks the member of a new activation by the strategy that the view
// names for its kind. The one who asks for the grain chooses.
type chooser struct {
	mu    sync.Mutex // guards the fields below, and is held while a strategy is asked
	pick  *lookup.Chooser
	turns map[string]uint64
}

func newChooser(cfg *lookup.Config) *chooser {
	return &chooser{pick: lookup.NewChooser(cfg), turns: make(map[string]uint64)}
}

// choose picks one of the members that take new activations of the kind, but
// those to avoid, as long as there are others; false if there is none at all.
func (c *chooser) choose(view driver.View, id driver.Identity, hint driver.MemberID, avoid map[driver.MemberID]bool) (driver.Member, bool) {
	var hosts, all []driver.Member
	for _, m := range view.Members {
		if m.Hosts(id.Kind) {
			all = append(all, m)
			if !avoid[m.ID] {
				hosts = append(hosts, m)
			}
		}
	}
	if len(all) == 0 {
		return driver.Member{}, false
	}
	if len(hosts) == 0 {
		clear(avoid)
		hosts = all
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	turn, begun := c.turns[id.Kind]
	if !begun {
		turn = uint64(rand.Uint32()) // each process begins elsewhere
	}
	c.turns[id.Kind] = turn + 1
	return hosts[c.pick.Pick(id, hosts, turn, hint)], true
}
