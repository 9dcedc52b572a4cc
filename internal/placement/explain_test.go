package placement

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// explained is the life of an owner's entry, as Explain and History tell it.
func TestOwnerExplains(t *testing.T) {
	o := NewOwner("o", OwnerConfig{})
	v := viewOf(5, "o", "h")
	v.Members[0].Kinds = nil
	id := driver.Identity{Kind: "k", Name: "x"}
	expect(t, "before a view", o.Explain(id), OwnerState{Slot: SlotOf(id)})
	asked := o.Step(1, ViewChanged{View: v})
	id = owned(o, 1)[0]
	slot := SlotOf(id)
	ask(o, 2, id)
	expect(t, "acquiring", o.Explain(id), OwnerState{
		Slot: slot, Epoch: 5, State: SlotAcquiring, Term: 5, Missing: []driver.MemberID{"o", "h"}, Waiting: 1,
	})
	for _, p := range sent[*Prepare](asked) {
		o.Step(3, Received{From: p.to, Message: &Promise{Term: 5, Empty: p.message.Slots}})
	}
	entry := &EntryState{Phase: EntryGranting, Fence: fence(5, 1), Host: "h", Asking: true, Waiting: 1}
	state := OwnerState{Slot: slot, Epoch: 5, State: SlotOpen, Term: 5, Seq: 1, Entry: entry}
	expect(t, "granting", o.Explain(id), state)
	o.Step(second, Tick{})
	o.Step(2*second, Tick{})
	entry.Resent, entry.Silent = 2, true
	expect(t, "silent", o.Explain(id), state)
	o.Step(4, Received{From: "h", Message: &Spawned{Identity: id, Fence: fence(5, 1), Verdict: Accepted}})
	*entry = EntryState{Phase: EntryGranted, Fence: fence(5, 1), Host: "h", Resent: 2}
	expect(t, "granted", o.Explain(id), state)
	o.Step(5, Received{From: "h", Message: &Deactivated{[]Entry{{id, fence(5, 1)}}}})
	state.Entry = nil
	expect(t, "ended", o.Explain(id), state)
	history := []Transition{
		{At: 1, What: SlotAcquired, Fence: fence(5, 0)},
		{At: 3, What: SlotOpened, Fence: fence(5, 0)},
		{At: 3, What: GrantMade, Fence: fence(5, 1), Host: "h"},
		{At: 4, What: GrantSettled, Fence: fence(5, 1), Host: "h"},
		{At: 5, What: GrantEnded, Why: WhyDeactivated, Fence: fence(5, 1), Host: "h"},
	}
	expect(t, "history", o.History(id, 0), history)
	expect(t, "the last of it", o.History(id, 2), history[3:])
	expect(t, "another's", len(o.History(driver.Identity{Kind: "k", Name: "y"}, 0)) < 3, true)
}

// What ends a grant is told, and what refused it.
func TestOwnerRemembersWhy(t *testing.T) {
	last := func(o *Owner, id driver.Identity) []Why {
		var out []Why
		for _, e := range o.History(id, 0) {
			if e.What == GrantRefused || e.What == GrantEnded {
				out = append(out, e.Why)
			}
		}
		return out
	}
	o := newTestOwner(t, OwnerConfig{}, "h", "g")
	ids := owned(o, 4)
	answerSpawn(o, 0, theSent[*Spawn](t, ask(o, 0, ids[0])), Refused, LeaseEnding)
	expect(t, "refused", last(o, ids[0]), []Why{Why(LeaseEnding)})
	answerSpawn(o, 0, theSent[*Spawn](t, ask(o, 0, ids[1])), Stale, 0)
	expect(t, "stale", last(o, ids[1]), []Why{WhyStale})
	s := activate(t, o, 0, ids[2])
	o.Step(0, Resolve{Epoch: 5, Identity: ids[2], Suspect: s.message.Fence})
	o.Step(0, Received{From: s.to, Message: &Verified{ids[2], s.message.Fence, Absent}})
	expect(t, "absent", last(o, ids[2]), []Why{WhyAbsent})
	on := string(activate(t, o, 0, ids[3]).to)
	v := viewOf(6, "o", "h", "g")
	v.Members = append(v.Members[:1], viewOf(6, map[string]string{"h": "g", "g": "h"}[on]).Members...)
	v.Members[0].Kinds = nil
	o.Step(0, ViewChanged{View: v})
	expect(t, "gone", last(o, ids[3]), []Why{WhyHostGone})
	moved := v
	moved.Epoch, moved.Previous = 9, 8
	o.Step(0, ViewChanged{View: moved})
	whats := []What{}
	for _, e := range o.History(ids[3], 2) {
		whats = append(whats, e.What)
	}
	expect(t, "skipped", whats, []What{SlotLost, SlotAcquired})
}

func TestOwnerExplainsLosers(t *testing.T) {
	o, _ := conflict()
	id := owned(o, 1)[0]
	expect(t, "losers", o.Explain(id).Losers, []Entry{{id, fence(4, 1)}})
	found := false
	for _, e := range o.History(id, 0) {
		found = found || reflect.DeepEqual(e, Transition{0, StopOrdered, WhyConflict, fence(4, 1), "h"})
	}
	expect(t, "told to stop", found, true)
}

func TestHostExplains(t *testing.T) {
	h := NewHost("h", HostConfig{})
	expect(t, "before a view", h.Explain(alice), HostState{Slot: slotA, Leaving: true, Phase: Absent})
	h.Step(1, ViewChanged{View: leasedView(10, "o", "h")})
	prepare(h, "o", 7)
	h.Step(2, Received{From: "o", Message: &Spawn{alice, fence(7, 3)}})
	h.Step(3, Received{From: "o", Message: &Spawn{alice, fence(7, 2)}})
	state := HostState{
		Slot: slotA, Epoch: 10, Promised: 7, PromisedTo: "o", Seq: 3, Phase: Running, Fence: fence(7, 3),
	}
	expect(t, "running", h.Explain(alice), state)
	h.Step(4, StopBegun{alice, fence(7, 3)})
	h.Step(4, StopBegun{alice, fence(7, 3)})
	state.Phase = Stopping
	expect(t, "stopping", h.Explain(alice), state)
	h.Step(5, Received{From: "o", Message: &StopOrder{alice, fence(7, 3)}})
	h.Step(6, Stopped{alice, fence(7, 3)})
	state.Phase, state.Fence, state.Notices = Absent, driver.Fence{}, []driver.Fence{fence(7, 3)}
	expect(t, "stopped", h.Explain(alice), state)
	h.Step(7, LeaseChanged{driver.LeaseDraining})
	h.Step(7, Received{From: "o", Message: &DeactivatedAck{[]Entry{{alice, fence(7, 3)}}}})
	h.Step(8, Received{From: "o", Message: &Spawn{alice, fence(7, 4)}})
	state.Notices, state.Lease, state.Seq = nil, driver.LeaseDraining, 4
	expect(t, "lease", h.Explain(alice), state)
	expect(t, "history", h.History(alice, 0), []Transition{
		{2, ActivationStarted, 0, fence(7, 3), "o"},
		{3, GrantRefused, Why(Overtaken), fence(7, 2), "o"},
		{4, ActivationStopping, 0, fence(7, 3), ""},
		{5, StopOrdered, WhyConflict, fence(7, 3), "o"},
		{6, ActivationStopped, 0, fence(7, 3), ""},
		{8, GrantRefused, Why(LeaseEnding), fence(7, 4), "o"},
	})
}

// The history is bounded: the oldest is forgotten, and a negative bound is none.
func TestHistoryForgets(t *testing.T) {
	h := NewHost("h", HostConfig{History: 3})
	none := NewHost("h", HostConfig{History: -1})
	for _, h := range []*Host{h, none} {
		h.Step(0, ViewChanged{View: viewOf(10, "o", "h")})
		for i := range Time(5) {
			h.Step(i, Received{From: "o", Message: &Spawn{alice, fence(5, uint64(i+1))}})
		}
	}
	var at []Time
	for _, e := range h.History(alice, 0) {
		at = append(at, e.At)
	}
	expect(t, "the last", at, []Time{2, 3, 4})
	expect(t, "its memory", len(h.past.identities.past), 3)
	expect(t, "none", none.History(alice, 0), []Transition{})
}

// Every word that can be told has a text.
func TestTransitionsHaveWords(t *testing.T) {
	for w := SlotAcquired; w <= ActivationStopped; w++ {
		if w.String() == fmt.Sprintf("what(%d)", uint8(w)) {
			t.Errorf("no word for what %d", w)
		}
	}
	for w := WhyStale; w <= WhyLeaseEnded; w++ {
		if w.String() == fmt.Sprintf("why(%d)", uint8(w)) {
			t.Errorf("no word for why %d", w)
		}
	}
	for r := Overtaken; r <= LeaseEnding; r++ {
		if Why(r).String() == fmt.Sprintf("why(%d)", uint8(r)) || Why(r) >= WhyStale {
			t.Errorf("no word for reason %d", r)
		}
	}
	expect(t, "unknown", []string{What(0).String(), What(99).String(), Why(0).String(), Why(99).String()},
		[]string{"what(0)", "what(99)", "", "why(99)"})
}

// BenchmarkHistory is the life of an activation in both machines, with and
// without a history.
func BenchmarkHistory(b *testing.B) {
	for _, c := range []struct {
		name    string
		history int
	}{{"kept", 0}, {"none", -1}} {
		b.Run(c.name, func(b *testing.B) {
			o, h := NewOwner("o", OwnerConfig{History: c.history}), NewHost("o", HostConfig{History: c.history})
			v := viewOf(10, "o")
			h.Step(0, ViewChanged{View: v})
			to := func(ev Event) { // the owner, and back until nothing is said
				for effects := o.Step(0, ev); len(effects) > 0; {
					next := effects
					effects = nil
					for _, e := range next {
						if s, ok := e.(Send); ok {
							for _, back := range h.Step(0, Received{From: "o", Message: s.Message}) {
								if s, ok := back.(Send); ok {
									effects = append(effects, o.Step(0, Received{From: "o", Message: s.Message})...)
								}
							}
						}
					}
				}
			}
			to(ViewChanged{View: v})
			ids := owned(o, 10_000)
			i, request := 0, uint64(0)
			for b.Loop() {
				id := ids[i%len(ids)]
				i++
				request++
				to(Resolve{Request: request, Epoch: 10, Identity: id})
				f := h.Explain(id).Fence
				h.Step(0, StopBegun{id, f})
				for _, e := range h.Step(0, Stopped{id, f}) {
					to(Received{From: "o", Message: e.(Send).Message})
				}
			}
			if o.Pending() || h.Pending() {
				b.Fatal("not at rest")
			}
		})
	}
}
