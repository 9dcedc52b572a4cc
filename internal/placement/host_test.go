package placement

import (
	"reflect"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

var (
	alice = driver.Identity{Kind: "k", Name: "alice"}
	slotA = SlotOf(alice)
)

func fence(term, seq uint64) driver.Fence { return driver.Fence{Term: term, Seq: seq} }

func newTestHost() *Host {
	h := NewHost("h", HostConfig{})
	h.Step(0, ViewChanged{View: viewOf(10, "o", "p", "h")})
	return h
}

// verdict sends a Spawn from o and gives the host's answer.
func verdict(t *testing.T, h *Host, from driver.MemberID, f driver.Fence) *Spawned {
	t.Helper()
	return theSent[*Spawned](t, h.Step(0, Received{From: from, Message: &Spawn{alice, f}})).message
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

func prepare(h *Host, from driver.MemberID, term uint64) *Promise {
	effects := h.Step(0, Received{From: from, Message: &Prepare{Term: term, Slots: []Slot{slotA}}})
	if len(effects) != 1 {
		return nil
	}
	return effects[0].(Send).Message.(*Promise)
}

func TestHostRule2(t *testing.T) {
	h := newTestHost()
	expect(t, "first", prepare(h, "o", 5).Empty, []Slot{slotA})
	expect(t, "lower term", prepare(h, "p", 4).Stale, []Slot{slotA})
	expect(t, "equal term, another owner", prepare(h, "p", 5).Stale, []Slot{slotA})
	expect(t, "equal term, same owner", prepare(h, "o", 5).Empty, []Slot{slotA})
	expect(t, "a stranger", prepare(h, "stranger", 7), (*Promise)(nil))
	effects := h.Step(0, Received{From: "p", Message: &Prepare{Term: 11, Slots: []Slot{slotA}}})
	expect(t, "a term above the view", effects, []Effect{Refresh{11}})
	effects = h.Step(0, ViewChanged{View: viewOf(11, "o", "p", "h")})
	expect(t, "and promised with the view", len(effects), 1)
	term, owner := h.Promised(slotA)
	expect(t, "promised", []any{term, owner}, []any{uint64(11), driver.MemberID("p")})
}

func TestHostRule3(t *testing.T) {
	h := newTestHost()
	prepare(h, "o", 5)
	expect(t, "first", verdict(t, h, "o", fence(5, 2)).Verdict, Accepted)
	expect(t, "resent", verdict(t, h, "o", fence(5, 2)).Verdict, Accepted)
	expect(t, "overtaken", *verdict(t, h, "o", fence(5, 1)),
		Spawned{Identity: alice, Fence: fence(5, 1), Verdict: Refused, Reason: Overtaken})
	expect(t, "stale", verdict(t, h, "p", fence(4, 9)).Verdict, Stale)
	expect(t, "another while it runs", *verdict(t, h, "o", fence(5, 3)),
		Spawned{Identity: alice, Fence: fence(5, 3), Verdict: Exists, Existing: fence(5, 2)})
	h.Step(0, StopBegun{alice, fence(5, 2)})
	expect(t, "another while it stops", verdict(t, h, "o", fence(5, 4)).Reason, Busy)
	expect(t, "resent while it stops", verdict(t, h, "o", fence(5, 2)).Verdict, Accepted)
	h.Step(0, Stopped{alice, fence(5, 2)})
	expect(t, "resent after it stopped", verdict(t, h, "o", fence(5, 2)).Verdict, Refused)
	expect(t, "what was refused is refused later", verdict(t, h, "o", fence(5, 4)).Verdict, Refused)
	expect(t, "the next", verdict(t, h, "o", fence(5, 5)).Verdict, Accepted)
}

// An owner that hears Accepted sends callers to the activation at once.
func TestHostStartsBeforeItAccepts(t *testing.T) {
	effects := newTestHost().Step(0, Received{From: "o", Message: &Spawn{alice, fence(5, 1)}})
	expect(t, "effects", effects, []Effect{
		Start{alice, fence(5, 1)}, Send{"o", &Spawned{Identity: alice, Fence: fence(5, 1), Verdict: Accepted}},
	})
}

func TestHostRefusesWhatItCannotHost(t *testing.T) {
	h := newTestHost()
	unknown := driver.Identity{Kind: "other", Name: "x"}
	effects := h.Step(0, Received{From: "o", Message: &Spawn{unknown, fence(5, 1)}})
	expect(t, "unknown kind", effects[0].(Send).Message.(*Spawned).Reason, UnknownKind)
	expect(t, "nothing started", len(effects), 1)
	v := viewOf(11, "o", "p", "h")
	v.Members[2].State = driver.Leaving
	h.Step(0, ViewChanged{View: v})
	expect(t, "leaving", verdict(t, h, "o", fence(5, 1)).Reason, HostLeaving)
}

// Rule 9: absent is said only after a Spawn still under way has lost.
func TestHostRaisesItsMarkBeforeAbsent(t *testing.T) {
	h := newTestHost()
	for _, f := range []driver.Fence{fence(5, 3), fence(6, 1)} {
		effects := h.Step(0, Received{From: "o", Message: &Verify{alice, f}})
		expect(t, "verify", effects[0].(Send).Message.(*Verified).Phase, Absent)
		expect(t, "the late spawn", verdict(t, h, "o", f).Verdict, Refused)
	}
}

func TestHostTellsTheEndUntilAcknowledged(t *testing.T) {
	h := newTestHost()
	verdict(t, h, "o", fence(5, 1))
	notice := []Entry{{alice, fence(5, 1)}}
	effects := h.Step(0, Stopped{alice, fence(5, 1)})
	expect(t, "notice", effects, []Effect{Send{"o", &Deactivated{notice}}})
	expect(t, "too soon", h.Step(defaultResend-1, Tick{}), []Effect(nil))
	prepare(h, "p", 6)
	effects = h.Step(defaultResend, Tick{})
	expect(t, "to the owner of the highest term", effects, []Effect{Send{"p", &Deactivated{notice}}})
	h.Step(0, Received{From: "p", Message: &DeactivatedAck{notice}})
	expect(t, "pending after the acknowledgement", h.Pending(), false)
	expect(t, "a second end", h.Step(0, Stopped{alice, fence(5, 1)}), []Effect(nil))
}

func TestReportInParts(t *testing.T) {
	h := NewHost("h", HostConfig{ReportBytes: 100})
	h.Step(0, ViewChanged{View: viewOf(10, "o", "h")})
	var ids []driver.Identity
	for i := 0; len(ids) < 5; i++ {
		id := driver.Identity{Kind: "k", Name: string(rune('A' + i))}
		ids = append(ids, id)
		h.Step(0, Received{From: "o", Message: &Spawn{id, fence(5, 1)}})
	}
	var slots []Slot
	for s := range Slot(SlotCount) {
		slots = append(slots, s)
	}
	seen := make(map[driver.Identity]bool)
	messages := h.Step(0, Received{From: "o", Message: &Prepare{Term: 6, Slots: slots}})
	reported := make(map[Slot]bool)
	for _, effect := range messages {
		p := effect.(Send).Message.(*Promise)
		size := 0
		for _, s := range p.Empty {
			reported[s] = true
		}
		for _, r := range p.Reports {
			reported[r.Slot] = true
			size += sizeOf(r.Entries)
			for _, e := range r.Entries {
				seen[e.Identity] = true
			}
		}
		if len(p.Reports) > 1 && size > 100 {
			t.Errorf("a message of %d bytes, the limit is 100", size)
		}
	}
	if len(seen) != len(ids) || len(reported) != SlotCount || len(messages) < 2 {
		t.Errorf("%d identities, %d slots in %d messages", len(seen), len(reported), len(messages))
	}
}

// Rule 7: what a host finds active when it is told to stop it is a violation,
// counted once; what it does not find has ended.
func TestHostStopsALoser(t *testing.T) {
	h := newTestHost()
	order := Received{From: "o", Message: &StopOrder{alice, fence(5, 1)}}
	expect(t, "not here", h.Step(0, order), []Effect{Send{"o", &Deactivated{[]Entry{{alice, fence(5, 1)}}}}})
	verdict(t, h, "o", fence(5, 2))
	order.Message = &StopOrder{alice, fence(5, 2)}
	effects := h.Step(0, order)
	expect(t, "stop", the[Stop](t, effects), Stop{alice, fence(5, 2)})
	expect(t, "audit", the[Violation](t, effects).Identity, alice)
	expect(t, "told again", h.Step(0, order), []Effect{Stop{alice, fence(5, 2)}})
	expect(t, "violations", h.Violations(), 1)
}
