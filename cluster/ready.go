package cluster

import (
	"context"
	"fmt"

	"github.com/granary-go/granary/cluster/driver"
)

// Unready says why this process should be given no work; nothing if it is ready.
//
// A member is ready when it is in the view and not leaving, its lease is valid, and the
// slots that it owns are open. For the last it is asked only until it was so once:
// after a crash, slots of all members may wait for the lease of the one that is gone, and
// if they all took themselves out of service the grains that are not concerned would be
// out of reach, too. A client is ready when it has a view. The context bounds a
// question to this process itself; without a deadline that is the request timeout.
func (i Inspector) Unready(ctx context.Context) []string {
	c := i.cluster
	if c.isStopping() {
		return []string{"it is shutting down, or has done so"}
	}
	if c.isStarting() {
		return []string{"it is starting, and in no view yet"}
	}
	m, err := c.running()
	if err != nil {
		return []string{err.Error()}
	}
	view := m.lookup.View()
	if !m.isMember() {
		if len(view.Members) == 0 {
			return []string{"it has no view with members yet"}
		}
		return nil
	}
	return c.unreadyMember(ctx, m, view)
}

func (c *Cluster) unreadyMember(ctx context.Context, m *membership, view driver.View) (why []string) {
	switch me, in := view.Member(m.self.ID); {
	case !m.hasJoined():
		why = append(why, "it is not in the view yet")
	case !in || m.isFenced():
		why = append(why, "it is no longer in the view, or its lease has ended; it joins again")
	case me.State != driver.Active:
		why = append(why, "it is leaving")
	}
	if m.lease != nil && m.lease.Phase() == driver.LeaseDraining {
		why = append(why, "its lease was not renewed; can the membership provider be reached?")
	}
	slots, ok := m.lookup.(memberLookup)
	if len(why) > 0 || !ok || m.opened.Load() {
		return why
	}
	ctx, cancel := c.bounded(ctx, callSettings{})
	defer cancel()
	switch load, err := slots.Load(ctx); {
	case err != nil:
		return []string{"the owner of its slots does not answer: " + err.Error()}
	case load.Epoch < view.Epoch:
		return []string{"it has not taken over its slots yet"}
	case len(load.Acquiring) > 0:
		return []string{fmt.Sprintf("%d of its %d slots are not open yet", len(load.Acquiring), len(load.Acquiring)+load.Open)}
	}
	m.opened.Store(true)
	return nil
}
