package placement

import (
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// leasedView has members that host "k" leased and "b" best effort.
func leasedView(epoch uint64, ids ...string) driver.View {
	view := viewOf(epoch, ids...)
	for i := range view.Members {
		view.Members[i].Kinds = []driver.Kind{{Name: "b"}, {Name: "k", Guarantee: driver.Leased}}
	}
	return view
}

// A host whose lease is not valid takes no activation of a leased kind, for
// good: what was refused is not accepted when the lease is renewed.
func TestHostRule11TakesNothingNew(t *testing.T) {
	bob := driver.Identity{Kind: "b", Name: "bob"}
	for _, phase := range []driver.LeasePhase{driver.LeaseDraining, driver.LeaseFenced} {
		h := NewHost("h", HostConfig{})
		h.Step(0, ViewChanged{View: leasedView(10, "o", "h")})
		h.Step(0, LeaseChanged{phase})
		got := verdict(t, h, "o", fence(10, 1))
		expect(t, phase.String(), []any{got.Verdict, got.Reason}, []any{Refused, LeaseEnding})
		other := theSent[*Spawned](t, h.Step(0, Received{From: "o", Message: &Spawn{bob, fence(10, 2)}})).message
		expect(t, "best effort while "+phase.String(), other.Verdict, Accepted)
		h.Step(0, LeaseChanged{driver.LeaseValid})
		got = verdict(t, h, "o", fence(10, 1))
		expect(t, "the same again", []any{got.Verdict, got.Reason}, []any{Refused, Overtaken})
		got = verdict(t, h, "o", fence(10, 3))
		if phase == driver.LeaseFenced { // it never comes back
			expect(t, "a new grant after the end", got.Reason, LeaseEnding)
		} else {
			expect(t, "a new grant", got.Verdict, Accepted)
		}
	}
}

// When the lease has ended the host stops what is leased, and reports it until
// it has stopped.
func TestHostRule11StopsWhatIsLeased(t *testing.T) {
	bob, carol := driver.Identity{Kind: "b", Name: "bob"}, driver.Identity{Kind: "k", Name: "carol"}
	h := NewHost("h", HostConfig{})
	h.Step(0, ViewChanged{View: leasedView(10, "o", "h")})
	for i, id := range []driver.Identity{carol, bob, alice} {
		h.Step(0, Received{From: "o", Message: &Spawn{id, fence(10, uint64(i+1))}})
	}
	h.Step(0, ViewChanged{View: leasedView(11, "o")}) // out of the view its kinds are what they were
	expect(t, "draining", len(h.Step(0, LeaseChanged{driver.LeaseDraining})), 0)
	expect(t, "fenced", h.Step(0, LeaseChanged{driver.LeaseFenced}),
		[]Effect{Stop{alice, fence(10, 3)}, Stop{carol, fence(10, 1)}})
	verify := h.Step(0, Received{From: "o", Message: &Verify{alice, fence(10, 3)}})
	expect(t, "verified", verify[0].(Send).Message.(*Verified).Phase, Stopping)
	h.Step(0, LeaseChanged{driver.LeaseValid})
	expect(t, "fenced again", len(h.Step(0, LeaseChanged{driver.LeaseFenced})), 0)
	expect(t, "report while it stops", prepare(h, "o", 10).Reports[0].Entries, []Entry{{alice, fence(10, 3)}})
	h.Step(0, Stopped{alice, fence(10, 3)})
	expect(t, "report when it has stopped", prepare(h, "o", 10).Empty, []Slot{slotA})
}

// An owner grants elsewhere what a host refused because of its lease.
func TestOwnerGoesRoundAHostWhoseLeaseEnds(t *testing.T) {
	o := NewOwner("o", OwnerConfig{})
	o.Step(0, ViewChanged{View: leasedView(10, "o", "h")})
	id := owned(o, 1)[0]
	for _, from := range []driver.MemberID{"o", "h"} {
		o.Step(0, Received{From: from, Message: &Promise{Term: 10, Empty: []Slot{SlotOf(id)}}})
	}
	spawn := theSent[*Spawn](t, ask(o, 0, id))
	next := theSent[*Spawn](t, answerSpawn(o, 0, spawn, Refused, LeaseEnding))
	if next.to == spawn.to {
		t.Errorf("granted to %s again", next.to)
	}
}
