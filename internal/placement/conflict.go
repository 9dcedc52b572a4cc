package placement

import (
	"cmp"
	"maps"
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// loser is an activation that lost against a newer one of its identity. Its
// host is told to stop it until it says that it has, or leaves the view.
type loser struct {
	Entry
	host driver.MemberID
}

// adopt is rule 7: the newest of two activations wins, the other is stopped.
// Two reports are no proof of two activations: the older may have ended after its
// host had reported it. Its host knows, when it is told to stop it.
func (o *Owner) adopt(now Time, slot *ownedSlot, host driver.MemberID, e Entry) []Effect {
	mine := &grant{identity: e.Identity, fence: e.Fence, host: host, phase: granted}
	if slot.grants == nil {
		slot.grants = make(map[driver.Identity]*grant)
	}
	other, conflict := slot.grants[e.Identity]
	o.note(mine, GrantSettled, WhyReported)
	if !conflict || other.fence == e.Fence {
		slot.grants[e.Identity] = mine
		return nil
	}
	lost := other
	if e.Fence.Compare(other.fence) < 0 && !o.broken.lastReportWins {
		lost = mine
	} else {
		slot.grants[e.Identity] = mine
	}
	o.note(lost, StopOrdered, WhyConflict)
	l := loser{Entry{lost.identity, lost.fence}, lost.host}
	o.losers[l] = now + o.cfg.Resend
	return []Effect{l.order()}
}

func (l loser) order() Send {
	return Send{l.host, &StopOrder{Identity: l.Identity, Fence: l.Fence}}
}

// stopLosers orders again what has not been done.
func (o *Owner) stopLosers(now Time) []Effect {
	var out []Effect
	for _, l := range slices.SortedFunc(maps.Keys(o.losers), compareLosers) {
		if o.losers[l] <= now {
			o.losers[l] = now + o.cfg.Resend
			out = append(out, l.order())
		}
	}
	return out
}

func compareLosers(a, b loser) int {
	return cmp.Or(compareEntries(a.Entry, b.Entry), compareIDs(a.host, b.host))
}

// violation counts what the protocol says cannot be.
func (o *Owner) violation(id driver.Identity, what string) Violation {
	o.violations++
	return Violation{id, what}
}

// Violations counts the Violation effects since the machine was made.
func (o *Owner) Violations() int { return o.violations }
