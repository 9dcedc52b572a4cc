package directory

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// chooser picks the member of a new activation by the strategy that the view
// names for its kind. The one who asks for the grain chooses.
type chooser struct {
	cfg *Config

	mu    sync.Mutex // guards the fields below, and is held while a strategy is asked
	turns map[string]uint64
	told  map[string]bool // kinds whose strategy has been complained of
}

func newChooser(cfg *Config) *chooser {
	return &chooser{cfg: cfg, turns: make(map[string]uint64), told: make(map[string]bool)}
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
	return hosts[c.pick(id, hosts, turn, hint)], true
}

// pick asks the strategy. What it cannot decide, round robin does.
func (c *chooser) pick(id driver.Identity, hosts []driver.Member, turn uint64, hint driver.MemberID) int {
	kind, _ := hosts[0].Kind(id.Kind)
	if kind.Strategy == "" {
		return placement.RoundRobin(id, hosts, turn, hint)
	}
	strategy, why := c.cfg.Strategies[kind.Strategy], "this process does not know it: its configuration needs the strategy, too"
	if strategy != nil {
		var i int
		if i, why = ask(strategy, id, hosts, turn, hint); why == "" {
			return i
		}
	}
	if !c.told[id.Kind] {
		c.told[id.Kind] = true
		c.cfg.Logger.Warn("directory: a kind is placed round robin, because its strategy failed",
			"kind", kind.Name, "strategy", kind.Strategy, "member", c.cfg.Self, "reason", why)
	}
	return placement.RoundRobin(id, hosts, turn, hint)
}

// ask asks a strategy, which is the application's: what it does wrong must not
// end the process.
func ask(
	strategy placement.Pick, id driver.Identity, hosts []driver.Member, turn uint64, hint driver.MemberID,
) (i int, failure string) {
	defer func() {
		if r := recover(); r != nil {
			failure = fmt.Sprint("it panicked: ", r)
		}
	}()
	if i = strategy(id, hosts, turn, hint); i < 0 || i >= len(hosts) {
		return 0, "it chose a member that is none of those to choose from"
	}
	return i, ""
}
