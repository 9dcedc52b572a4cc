package placement

import (
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// conflict gives an owner to which two hosts have reported an activation of
// its first identity each, h the older one.
func conflict() (*Owner, []Effect) {
	o := NewOwner("o", OwnerConfig{})
	asked := o.Step(0, ViewChanged{View: viewOf(10, "o", "h", "g")})
	id := owned(o, 1)[0]
	var effects []Effect
	reports := map[driver.MemberID]driver.Fence{"h": fence(4, 1), "g": fence(4, 2)}
	for _, p := range sent[*Prepare](asked) {
		promise := &Promise{Term: 10}
		for _, s := range p.message.Slots {
			if f := reports[p.to]; s == SlotOf(id) && !f.IsZero() {
				promise.Reports = []SlotReport{{Slot: s, Report: 1, Parts: 1, Entries: []Entry{{id, f}}}}
			} else {
				promise.Empty = append(promise.Empty, s)
			}
		}
		effects = append(effects, o.Step(0, Received{From: p.to, Message: promise})...)
	}
	return o, effects
}

func TestLoserIsToldUntilItHasStopped(t *testing.T) {
	o, effects := conflict()
	id := owned(o, 1)[0]
	end := &Deactivated{[]Entry{{id, fence(4, 1)}}}
	order := Send{"h", &StopOrder{id, fence(4, 1)}}
	expect(t, "order", theSent[*StopOrder](t, effects), sentTo[*StopOrder]{"h", &StopOrder{id, fence(4, 1)}})
	expect(t, "too soon", o.Step(defaultResend-1, Tick{}), []Effect(nil))
	expect(t, "again", o.Step(defaultResend, Tick{}), []Effect{order})
	expect(t, "too soon", o.Step(defaultResend+1, Tick{}), []Effect(nil))
	expect(t, "and again", o.Step(2*defaultResend, Tick{}), []Effect{order})
	o.Step(0, Received{From: "g", Message: end})
	expect(t, "pending after another's end", o.Pending(), true)
	theSent[*DeactivatedAck](t, o.Step(0, Received{From: "h", Message: end}))
	expect(t, "pending", o.Pending(), false)
	expect(t, "the winner", the[Answer](t, ask(o, 0, id)).Fence, fence(4, 2))
}

func TestLoserEndsWithItsHostOrItsSlot(t *testing.T) {
	o, _ := conflict()
	o.Step(0, ViewChanged{View: viewOf(11, "o", "g")})
	if len(o.losers) > 0 {
		t.Error("a host that is gone is told to stop something")
	}
	o, _ = conflict()
	v := viewOf(11, "o", "h", "g")
	v.Members[0].State = driver.Leaving
	o.Step(0, ViewChanged{View: v})
	if len(o.losers) > 0 {
		t.Error("losers of a slot that is another owner's")
	}
}

// A host that does not have what it is to stop says so: the order was late.
func TestHostAnswersALateStopOrder(t *testing.T) {
	h := newTestHost()
	verdict(t, h, "o", fence(5, 1))
	order := Received{From: "o", Message: &StopOrder{alice, fence(5, 1)}}
	expect(t, "order", the[Stop](t, h.Step(0, order)), Stop{alice, fence(5, 1)})
	h.Step(0, Stopped{alice, fence(5, 1)})
	h.Step(0, Received{From: "o", Message: &DeactivatedAck{[]Entry{{alice, fence(5, 1)}}}})
	expect(t, "late order", h.Step(0, order), []Effect{Send{"o", &Deactivated{[]Entry{{alice, fence(5, 1)}}}}})
	expect(t, "pending", h.Pending(), false)
}

// The end of the former activation is what a busy identity waits for.
func TestBusyIdentityIsGrantedWhenTheFormerHasStopped(t *testing.T) {
	for _, how := range []struct {
		name string
		end  Message
	}{
		{"told", &Deactivated{[]Entry{{alice, fence(4, 7)}}}},
		{"verified", &Verified{alice, fence(4, 7), Absent}},
	} {
		t.Run(how.name, func(t *testing.T) {
			o := NewOwner("o", OwnerConfig{})
			openOwner(t, o, viewOf(5, "o"))
			spawn := theSent[*Spawn](t, ask(o, 0, alice))
			h := newTestHost()
			verdict(t, h, "o", fence(4, 7))
			h.Step(0, StopBegun{alice, fence(4, 7)})
			busy := theSent[*Spawned](t, h.Step(0, Received{From: "o", Message: spawn.message})).message
			expect(t, "existing", busy.Existing, fence(4, 7))
			expect(t, "busy", o.Step(0, Received{From: "o", Message: busy}), []Effect(nil))
			expect(t, "verify", theSent[*Verify](t, o.Step(defaultResend, Tick{})).message.Fence, fence(4, 7))
			again := theSent[*Spawn](t, o.Step(1, Received{From: "o", Message: how.end}))
			expect(t, "granted anew", again.message.Fence, fence(5, 2))
		})
	}
}

// Rule 14: a member is believed only at its own address, also when it spoke
// before the view that has it came.
func TestMessagesFromElsewhereAreRefused(t *testing.T) {
	h := newTestHost()
	spawn := &Spawn{alice, fence(5, 1)}
	forged := []Effect{Forged{"o", "elsewhere:1"}}
	expect(t, "forged", h.Step(0, Received{"o", spawn, "elsewhere:1"}), forged)
	expect(t, "forged, early", h.Step(0, Received{"o", &Spawn{alice, fence(11, 1)}, "elsewhere:1"}), forged)
	early := &Spawn{alice, fence(12, 1)}
	expect(t, "early", h.Step(0, Received{"new", early, "elsewhere:1"}), []Effect{Refresh{12}})
	expect(t, "taken up", h.Step(0, ViewChanged{View: viewOf(12, "o", "h", "new")}), []Effect{Forged{"new", "elsewhere:1"}})
	expect(t, "its own", started(h.Step(0, Received{"new", early, "new:1"})), 1)

	o := newTestOwner(t, OwnerConfig{}, "h")
	s := theSent[*Spawn](t, ask(o, 0, owned(o, 1)[0]))
	answer := &Spawned{Identity: s.message.Identity, Fence: s.message.Fence, Verdict: Accepted}
	expect(t, "forged answer", o.Step(0, Received{"h", answer, "elsewhere:1"}), []Effect{Forged{"h", "elsewhere:1"}})
	expect(t, "its own answer", the[Answer](t, o.Step(0, Received{"h", answer, "h:1"})).Outcome, Found)
}
