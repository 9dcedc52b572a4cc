package cluster

import (
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// MemberLease is published on the event stream of the actor system when this
// member's lease changes. While it is draining the member takes no new
// activations of leased kinds; once it is fenced those that it has stop, and it
// joins again under a new id as soon as the provider can be reached. A member
// that has left, or was never taken into a view, is fenced at its end, too.
type MemberLease struct {
	Member driver.MemberID
	Phase  driver.LeasePhase
}

// Lease gives the phase of this member's lease: valid where there is none.
func (c *Cluster) Lease() driver.LeasePhase {
	if m := c.current.Load(); m != nil && m.lease != nil {
		return m.lease.Phase()
	}
	return driver.LeaseValid
}

// LeaseMargin tells how long this member's lease lasts if it is not renewed: 0 once
// it has ended. It is false where there is none, or its provider does not tell
// ([driver.LeaseMargin]).
func (c *Cluster) LeaseMargin() (time.Duration, bool) {
	if m := c.current.Load(); m != nil {
		if lease, tells := m.lease.(driver.LeaseMargin); tells {
			return lease.Margin(), true
		}
	}
	return 0, false
}

// keepLease acts on the phases of a membership's lease. Its goroutine ends with
// the membership.
func (c *Cluster) keepLease(m *membership) {
	if m.lease == nil {
		return
	}
	c.wg.Go(func() {
		for last := driver.LeaseValid; last != driver.LeaseFenced; {
			phase, err := m.lease.Watch(m.ctx, last)
			if err != nil {
				return
			}
			c.leaseChanged(m, phase)
			last = phase
		}
	})
}

func (c *Cluster) leaseChanged(m *membership, phase driver.LeasePhase) {
	switch phase {
	case driver.LeaseValid:
		c.logger.Info("cluster: the lease is renewed again", "member", m.self.ID)
	case driver.LeaseDraining:
		c.logger.Warn("cluster: the lease was not renewed; no new leased grains are taken; can the membership provider be reached?", "member", m.self.ID)
	case driver.LeaseFenced:
		close(m.fenced)
		if !c.isStopping() && m.hasJoined() {
			c.counters.fenced.Add(1)
			c.logger.Error("cluster: the lease has ended; the leased grains stop, and this member joins again once the provider can be reached", "member", m.self.ID)
		}
		c.activations.cancelWhere(func(a *activation) bool { return a.gate != nil && a.gate.lease == m.lease })
	}
	m.lookup.LeaseChanged()
	c.system.EventStream.Publish(&MemberLease{Member: m.self.ID, Phase: phase})
}

func (m *membership) isFenced() bool {
	select {
	case <-m.fenced:
		return true
	default:
		return m.lease != nil && m.lease.Phase() == driver.LeaseFenced
	}
}
