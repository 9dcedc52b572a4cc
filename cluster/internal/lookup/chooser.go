package lookup

import (
	"fmt"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// Chooser picks the member of a new activation by the strategy that the view names for its kind. It is used by one
// goroutine at a time.
type Chooser struct {
	cfg  *Config
	told map[complaint]bool
}

// complaint is told once in the life of a lookup, however often and in however many ways a strategy fails.
type complaint struct{ kind, strategy string }

// NewChooser makes one.
func NewChooser(cfg *Config) *Chooser { return &Chooser{cfg: cfg, told: make(map[complaint]bool)} }

// Pick is a placement.Pick. What a strategy cannot decide, round robin does.
func (c *Chooser) Pick(id driver.Identity, hosts []driver.Member, turn uint64, hint driver.MemberID) int {
	kind, _ := hosts[0].Kind(id.Kind)
	if kind.Strategy == "" {
		return placement.RoundRobin(id, hosts, turn, hint)
	}
	failure := "this process does not know it: its configuration needs the strategy, too"
	if strategy := c.cfg.Strategies[kind.Strategy]; strategy != nil {
		var i int
		if i, failure = ask(strategy, id, hosts, turn, hint); failure == "" {
			return i
		}
	}
	c.complain(kind, failure)
	return placement.RoundRobin(id, hosts, turn, hint)
}

// ask asks a strategy, which is the application's: what it does wrong must not end the process.
func ask(strategy placement.Pick, id driver.Identity, hosts []driver.Member, turn uint64, hint driver.MemberID) (i int, failure string) {
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

func (c *Chooser) complain(kind driver.Kind, why string) {
	key := complaint{kind.Name, kind.Strategy}
	if c.told[key] {
		return
	}
	c.told[key] = true
	c.cfg.Logger.Warn("lookup: a kind is placed round robin, because its strategy failed",
		"kind", kind.Name, "strategy", kind.Strategy, "member", c.cfg.Self, "reason", why)
}
