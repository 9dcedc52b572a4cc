package partition

import (
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// explain answers from what the machine shows of itself: it does not tell a
// granted activation from one that is still asked for, nor which of its slots
// are being acquired. While any is, a slot without an entry counts as one.
func (a *ownerActor) explain(r *explainRequest) *OwnerExplanation {
	e := &OwnerExplanation{Member: MemberRef{ID: a.lookup.cfg.Self}, Epoch: a.view.Epoch, State: slotNotOwned}
	table := a.lookup.state.Load().table
	if table == nil || !table.OwnedBy(placement.SlotOf(r.Identity), e.Member.ID) {
		return e
	}
	a.machine.Each(func(x placement.Entry, host driver.MemberID) bool {
		if x.Identity != r.Identity {
			return true
		}
		e.Term = x.Fence.Term
		e.Entry = &EntryExplanation{Phase: "granted", Token: x.Fence.String(), Host: MemberRef{ID: host}}
		return false
	})
	if e.State = slotOpen; e.Entry == nil && a.machine.Acquiring() > 0 {
		e.State = slotAcquiring
	}
	return e
}

func (a *hostActor) explain(r *explainRequest) *HostExplanation {
	e := &HostExplanation{Member: MemberRef{ID: a.lookup.cfg.Self}, Epoch: a.view.Epoch}
	e.Promised, e.PromisedTo.ID = a.machine.Promised(placement.SlotOf(r.Identity))
	a.machine.Each(func(x placement.Entry, stopping bool) bool {
		if x.Identity != r.Identity {
			return true
		}
		e.Token = x.Fence.String()
		if e.Phase = "running"; stopping {
			e.Phase = "stopping"
		}
		return false
	})
	if lease := a.lookup.cfg.Lease; lease != nil {
		e.Lease = lease.Phase().String()
	}
	return e
}
