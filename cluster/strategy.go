package cluster

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// Strategy chooses the member that a grain is activated on. All members give a
// kind the same one, by [WithStrategy]; Start refuses a member that does not. A
// grain stays where it is once it is active.
//
// The choice is made by the member that owns the identity, which need not host
// the kind: a member that does not have it, under [NewKind] with WithStrategy,
// has to know the strategy all the same if it is a custom one. A Strategy is
// an [Option] of Configure for that.
type Strategy struct {
	name string
	pick func(Placement) int
}

// Placement is what a [Strategy] chooses by. It is not to be changed, nor to be
// kept.
type Placement struct {
	Identity, Kind string
	// Members are those to choose from: active members that host the kind, the
	// one that has been in the view longest first. There is at least one. Members
	// that refused the grain or do not answer are left out.
	Members []driver.Member
	// Caller is the member on which the grain was called for; empty if that was
	// a client. It may not be among Members.
	Caller driver.MemberID
	// Turn is one more with each choice that this owner makes for the kind. Each
	// owner begins elsewhere.
	Turn uint64
}

// RoundRobin gives the choice that round robin makes, for strategies that know
// nothing better.
func (p Placement) RoundRobin() int { return int(p.Turn % uint64(len(p.Members))) }

// Built-in strategies, which every member knows.
var (
	roundRobin    = &Strategy{name: "round-robin", pick: Placement.RoundRobin}
	localAffinity = &Strategy{name: "local-affinity", pick: callerFirst}
	builtIn       = []*Strategy{roundRobin, localAffinity}
)

// RoundRobin is the default strategy: each owner takes the members in turn.
func RoundRobin() *Strategy { return roundRobin }

// LocalAffinity activates a grain on the member that calls it first, if that
// hosts the kind: calls between the two then stay within the process. Grains
// that a client calls are placed round robin.
func LocalAffinity() *Strategy { return localAffinity }

func callerFirst(p Placement) int {
	if i := slices.IndexFunc(p.Members, func(m driver.Member) bool { return m.ID == p.Caller }); i >= 0 {
		return i
	}
	return p.RoundRobin()
}

// NewStrategy makes a strategy of the application's own, once for all the kinds
// that have it. Its name, of at most [MaxStrategyLength] bytes, is how members
// tell which one a kind has. Pick gives an index into [Placement.Members]. It
// is called by one goroutine at a time for each cluster, and must be quick: no
// grain is placed meanwhile, and none is found whose location is not known to
// its caller. If it panics or gives an index that is out of range, the grain is
// placed round robin, and a warning is logged.
func NewStrategy(name string, pick func(Placement) int) *Strategy {
	return &Strategy{name: name, pick: pick}
}

// MaxStrategyLength bounds the name of a strategy, in bytes.
const MaxStrategyLength = driver.MaxKindLength

// Name is the strategy's name.
func (s *Strategy) Name() string { return s.name }

func (s *Strategy) applyCluster(c *Config) { c.known = append(c.known, s) }

// inView is the name by which the view tells of the strategy.
func (s *Strategy) inView() string {
	if s == roundRobin {
		return ""
	}
	return s.name
}

func (s *Strategy) validate() error {
	switch {
	case s == nil:
		return errors.New("a strategy is nil: RoundRobin() is the default")
	case slices.Contains(builtIn, s):
		return nil
	case s.name == "" || len(s.name) > MaxStrategyLength || !utf8.ValidString(s.name):
		return fmt.Errorf("the name %q of a strategy has %d bytes: it must be valid UTF-8 of 1 to %d", s.name, len(s.name), MaxStrategyLength)
	case slices.ContainsFunc(builtIn, func(b *Strategy) bool { return b.name == s.name }):
		return fmt.Errorf("strategy %q has the name of a built-in one: give it another", s.name)
	case s.pick == nil:
		return fmt.Errorf("strategy %q has no function to choose by", s.name)
	}
	return nil
}

// choose is a placement.Pick.
func (s *Strategy) choose(id driver.Identity, hosts []driver.Member, turn uint64, hint driver.MemberID) int {
	return s.pick(Placement{Identity: id.Name, Kind: id.Kind, Members: hosts, Caller: hint, Turn: turn})
}

// strategies are all that a configuration names, and the built-in ones.
func (c *Config) strategies() []*Strategy {
	all := slices.Concat(builtIn, c.known)
	for _, k := range c.kinds {
		if k != nil && k.placed {
			all = append(all, k.strategy)
		}
	}
	return all
}

// validateStrategies also finds two that share a name.
func (c *Config) validateStrategies() error {
	named := make(map[string]*Strategy)
	for _, s := range c.strategies() {
		if err := s.validate(); err != nil {
			return err
		}
		if other := named[s.name]; other != nil && other != s {
			return fmt.Errorf("two strategies are called %q: make it once, and give that to all its kinds", s.name)
		}
		named[s.name] = s
	}
	return nil
}

// picks are the strategies as the lookup wants them.
func (c *Config) picks() map[string]placement.Pick {
	picks := make(map[string]placement.Pick)
	for _, s := range c.strategies() {
		picks[s.inView()] = s.choose
	}
	return picks
}
