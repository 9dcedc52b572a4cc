package partition

import (
	"fmt"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// chooser picks the member of a new activation by the strategy that the view
// names for its kind. It belongs to the owner actor.
type chooser struct {
	cfg  *Config
	told map[complaint]bool
}

// complaint is told once in the life of a lookup, however often and in however
// many ways a strategy fails.
type complaint struct{ kind, strategy string }

func newChooser(cfg *Config) *chooser { return &chooser{cfg: cfg, told: make(map[complaint]bool)} }

// pick is a placement.Pick. What a strategy cannot decide, round robin does.
func (c *chooser) pick(id driver.Identity, hosts []driver.Member, turn uint64, hint driver.MemberID) int {
	kind, _ := hosts[0].Kind(id.Kind)
	if kind.Strategy == "" {
		return placement.RoundRobin(id, hosts, turn, hint)
	}
	strategy := c.cfg.Strategies[kind.Strategy]
	if strategy == nil {
		c.complain(kind, "this member does not know it: its configuration needs the strategy, too")
		return placement.RoundRobin(id, hosts, turn, hint)
	}
	i, failure := choose(strategy, id, hosts, turn, hint)
	if failure != "" {
		c.complain(kind, failure)
		return placement.RoundRobin(id, hosts, turn, hint)
	}
	return i
}

// choose asks a strategy, which is the application's: what it does wrong must
// not end the owner.
func choose(
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

func (c *chooser) complain(kind driver.Kind, why string) {
	key := complaint{kind.Name, kind.Strategy}
	if c.told[key] {
		return
	}
	c.told[key] = true
	c.cfg.Logger.Warn("partition: a kind is placed round robin, because its strategy failed",
		"kind", kind.Name, "strategy", kind.Strategy, "member", c.cfg.Self, "reason", why)
}
