package directory

import (
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

var alice = driver.Identity{Kind: "k", Name: "alice"}

// viewOf makes a view whose members host the leased kind k.
func viewOf(epoch uint64, ids ...driver.MemberID) driver.View {
	v := driver.View{Incarnation: "script", Epoch: epoch}
	for _, id := range ids {
		v.Members = append(v.Members, driver.Member{ID: id, Address: string(id), Kinds: []driver.Kind{{Name: "k", Guarantee: driver.Leased}}})
	}
	return v
}

// firstEra is an open era of viewOf's members.
var firstEra = driver.Era{EraID: driver.EraID{Number: 7, Founder: "a-1"}, Incarnation: "script", Open: true}

// opened makes a host that is in a view and in the open era.
func opened(self driver.MemberID, broken faults, view driver.View) *Host {
	h := NewHost(self, HostConfig{})
	h.broken = broken
	h.Step(0, ViewChanged{view})
	h.Step(0, EraRead{Record: firstEra})
	for _, m := range view.Members {
		h.Step(0, GreetingSeen{m.ID, view.Epoch})
	}
	return h
}

// first gives the first effect of a type, and whether there is one.
func first[E Effect](effects []Effect) (found E, ok bool) {
	for _, e := range effects {
		if found, ok = e.(E); ok {
			return found, true
		}
	}
	return found, false
}

// claims has a host claim alice, and ends that.
func claims(t *testing.T, h *Host, result Result, entry driver.Entry) []Effect {
	t.Helper()
	claim, ok := first[Claim](h.Step(0, Place{Request: 1, Identity: alice}))
	if !ok {
		t.Fatal("the host does not claim")
	}
	if entry.IsZero() {
		entry = claim.Entry
		entry.Token = driver.Fence{Term: 7, Seq: 1}
	}
	return h.Step(0, ClaimEnded{claim.Attempt, alice, result, entry, "store x: down"})
}

// leaseEndsMeanwhile has the lease end between the claim and its answer.
func leaseEndsMeanwhile(t *testing.T, broken faults) (violation string) {
	t.Helper()
	h := opened("a", broken, viewOf(3, "a"))
	claim, _ := first[Claim](h.Step(0, Place{Request: 1, Identity: alice}))
	h.Step(0, LeaseChanged{driver.LeaseFenced})
	won := claim.Entry
	won.Token = driver.Fence{Term: 7, Seq: 1}
	out := h.Step(0, ClaimEnded{claim.Attempt, alice, Done, won, ""})
	if _, started := first[Start](out); started {
		return "it was started after the lease had ended"
	}
	if r, released := first[Release](out); !released || r.Token != won.Token {
		t.Errorf("the entry that was not started was not released: %+v", out)
	}
	if a, answered := first[Answer](out); !answered || a.Outcome != Refused {
		t.Errorf("the asker was answered %+v; want that this member refuses", a)
	}
	return ""
}

// newcomerUnknown has a newcomer be asked before the others know of it.
func newcomerUnknown(t *testing.T, broken faults) (violation string) {
	t.Helper()
	h := NewHost("b", HostConfig{})
	h.broken = broken
	h.Step(0, ViewChanged{viewOf(3, "a", "b")})
	h.Step(0, EraRead{Record: firstEra})
	if _, claims := first[Claim](h.Step(0, Place{Request: 1, Identity: alice})); claims {
		return "a newcomer hosts, and an era may be opened without it"
	}
	h.Step(0, GreetingSeen{"a", 3})
	if _, claims := first[Claim](h.Step(0, Place{Request: 2, Identity: alice})); !claims {
		t.Error("a newcomer that all know does not host")
	}
	return ""
}

// eraAgain has a store come up with the era that the host knows as open, but
// closed.
func TestEraIsNotClosedAgain(t *testing.T) {
	h := opened("a", faults{}, viewOf(3, "a"))
	again := firstEra
	again.Open = false
	h.Step(1e9, Tick{})
	begun, ok := first[WriteEra](h.Step(1e9, EraRead{Record: again}))
	if !ok || begun.Next.Number <= firstEra.Number {
		t.Errorf("an era that was closed again leads to %+v; want a later era", begun)
	}
}

// Who asks for what another member hosts is told where it is.
func TestLostClaim(t *testing.T) {
	other := driver.Entry{Identity: alice, Member: "b", Address: "b", Epoch: 2, Era: firstEra.EraID, Token: driver.Fence{Term: 7, Seq: 5}}
	for _, c := range []struct {
		name  string
		entry func(*driver.Entry)
		over  bool // it is claimed over
		want  Outcome
	}{
		{"its member is in the view", func(*driver.Entry) {}, false, Found},
		{"its member is gone", func(e *driver.Entry) { e.Member = "z" }, true, 0},
		{"its member may be new", func(e *driver.Entry) { e.Member, e.Epoch = "z", 4 }, false, Found},
		{"its member is of an earlier era, whose epochs were higher", func(e *driver.Entry) { e.Member, e.Epoch, e.Era.Number = "z", 99, 6 }, true, 0},
		{"it is the host's own", func(e *driver.Entry) { e.Member = "a" }, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, entry := opened("a", faults{}, viewOf(3, "a", "b")), other
			c.entry(&entry)
			out := claims(t, h, Claimed, entry)
			claim, over := first[Claim](out)
			if over != c.over || over && claim.Over != entry.Token {
				t.Errorf("claimed over: %v %+v; want %v", over, claim, c.over)
			}
			if a, _ := first[Answer](out); a.Outcome != c.want {
				t.Errorf("the answer is %+v; want %v", a, c.want)
			}
			if _, started := first[Start](out); started {
				t.Error("it was started")
			}
		})
	}
}

// A claim of which nobody knows whether it succeeded is told with the store's
// own words, and tried again by the next who asks.
func TestClaimWithoutAnswer(t *testing.T) {
	h := opened("a", faults{}, viewOf(3, "a"))
	if a, _ := first[Answer](claims(t, h, Failed, driver.Entry{})); a.Outcome != NoStore || a.Why != "store x: down" {
		t.Errorf("the answer is %+v; want the store's error", a)
	}
	if a, _ := first[Answer](claims(t, h, Done, driver.Entry{})); a.Outcome != Found {
		t.Errorf("the answer is %+v; want Found", a)
	}
}

// Who waits for the end of an activation gets the next one; nobody before the
// entry is released.
func TestNextActivationWaitsForTheRelease(t *testing.T) {
	h := opened("a", faults{}, viewOf(3, "a"))
	claims(t, h, Done, driver.Entry{})
	token := driver.Fence{Term: 7, Seq: 1}
	h.Step(0, StopBegun{alice, token})
	if out := h.Step(0, Place{Request: 2, Identity: alice}); len(out) > 0 {
		t.Errorf("while it stops: %+v", out)
	}
	if _, released := first[Release](h.Step(0, Stopped{alice, token})); !released {
		t.Fatal("it was not released when it had stopped")
	}
	if out := h.Step(0, ReleaseEnded{alice, token, Failed}); len(out) > 0 {
		t.Errorf("when the release had failed: %+v", out)
	}
	if _, again := first[Release](h.Step(1e9, Tick{})); !again {
		t.Fatal("it was not released again")
	}
	if _, claimed := first[Claim](h.Step(1e9, ReleaseEnded{alice, token, Done})); !claimed {
		t.Error("the one who waited was forgotten")
	}
}

// Of two that were written back, the one with the lower token is stopped.
func TestOutdone(t *testing.T) {
	h := opened("a", faults{}, viewOf(3, "a", "b"))
	claims(t, h, Done, driver.Entry{})
	h.Step(1e9, Tick{})
	next := driver.Era{EraID: driver.EraID{Number: 8, Founder: "b-1"}, Incarnation: "script"}
	restore, ok := first[Restore](h.Step(1e9, EraRead{Record: next}))
	if !ok || len(restore.Entries) != 1 || restore.Entries[0].Era != next.EraID {
		t.Fatalf("it wrote back %+v; want alice in the new era", restore)
	}
	out := h.Step(1e9, RestoreEnded{Done, []driver.Entry{{Identity: alice, Member: "b", Token: driver.Fence{Term: 7, Seq: 9}}}})
	if _, stopped := first[Stop](out); !stopped || h.Violations() != 1 {
		t.Errorf("stopped %v, %d violations; want both", stopped, h.Violations())
	}
}

func TestAskersDoNotWaitForEver(t *testing.T) {
	h := opened("a", faults{}, viewOf(3, "a"))
	h.Step(0, Place{Request: 1, Identity: alice})
	if a, ok := first[Answer](h.Step(defaultPatience, Tick{})); !ok || a.Outcome != Wait || a.Request != 1 {
		t.Errorf("after a long time: %+v; want Wait", a)
	}
}
