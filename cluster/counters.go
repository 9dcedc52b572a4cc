package cluster

import "sync/atomic"

// Counters say what this process has refused or held back since it was made.
// Those that are not zero have a log line each time, or a dead letter.
type Counters struct {
	// RefusedViews: views of the provider that repeated or went back, or that
	// no cluster can have.
	RefusedViews int64
	// Fenced: leases of this process that ended while it was in the view,
	// before it left.
	Fenced int64
	// RefusedTurns: messages to leased grains that came after the lease had
	// ended.
	RefusedTurns int64
	// Withheld: replies and messages of leased grains that did not get out,
	// because the lease had ended or a strict grain's write was not
	// acknowledged.
	Withheld int64
	// Evicted: activations that were stopped because there were more than
	// [WithMaxActivations]. They have no log line.
	Evicted int64
}

type counters struct {
	views, fenced, refused, withheld, evicted atomic.Int64
}

// ActiveGrains tells how many activations this process has of each kind that it
// was configured with.
func (c *Cluster) ActiveGrains() map[string]int {
	active := make(map[string]int, len(c.activations.kinds))
	for kind, counts := range c.activations.kinds {
		active[kind] = int(counts.active.Load())
	}
	return active
}

// Counters gives the counts at this moment.
func (c *Cluster) Counters() Counters {
	return Counters{
		RefusedViews: c.counters.views.Load(), Fenced: c.counters.fenced.Load(),
		RefusedTurns: c.counters.refused.Load(), Withheld: c.counters.withheld.Load(),
		Evicted: c.counters.evicted.Load(),
	}
}
