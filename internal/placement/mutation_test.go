package placement

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// simulated are the rules whose absence the simulation finds.
var simulated = []faults{
	{noPromise: true},
	{grantAfterTimeout: true},
	{omitStopping: true},
	{noDedupe: true},
	{refuseResent: true},
	{openEarly: true},
	{keepOverSkipped: true},
	{deactivateEarly: true},
	{ackWhileAcquiring: true},
	{dropOnSuspicion: true},
	{mixReports: true},
}

// scripted are the rules that guard against what the simulation does not do or
// hardly ever: two views of one epoch, two activations of one identity, a
// Spawn that is later than the end of all that was asked about it.
var scripted = []struct {
	broken faults
	script func(broken faults) (violation string)
}{
	{faults{equalTermTwice: true}, twoOwnersOfOneTerm},
	{faults{absentWithoutMark: true}, spawnOvertakenByVerify},
	{faults{lastReportWins: true}, newestReportFirst},
}

// name gives the one rule that is switched off.
func (f faults) name(t *testing.T) string {
	t.Helper()
	var off []string
	for field, v := range reflect.ValueOf(f).Fields() {
		if v.Bool() {
			off = append(off, field.Name)
		}
	}
	if len(off) != 1 {
		t.Fatalf("%v are switched off; want one", off)
	}
	return off[0]
}

// TestMutations shows that each rule is needed: without it the simulation
// finds a violation.
func TestMutations(t *testing.T) {
	for _, broken := range simulated {
		t.Run(broken.name(t), func(t *testing.T) {
			for seed := range uint64(*simRuns) {
				if s := simulate(seed, broken); s.failure != "" {
					t.Logf("found in run %d: %s", seed+1, s.failure)
					return
				}
			}
			t.Errorf("not found in %d runs", *simRuns)
		})
	}
}

func TestMutationsByScript(t *testing.T) {
	for _, m := range scripted {
		t.Run(m.broken.name(t), func(t *testing.T) {
			if violation := m.script(faults{}); violation != "" {
				t.Errorf("with all rules: %s", violation)
			}
			violation := m.script(m.broken)
			if violation == "" {
				t.Error("not found")
			}
			t.Log(violation)
		})
	}
}

// No rule is left out of both lists.
func TestEveryRuleIsSwitchedOff(t *testing.T) {
	tried := make(map[string]int)
	for _, broken := range simulated {
		tried[broken.name(t)]++
	}
	for _, m := range scripted {
		tried[m.broken.name(t)]++
	}
	for field := range reflect.TypeFor[faults]().Fields() {
		if tried[field.Name] != 1 {
			t.Errorf("%s is switched off by %d tests; want 1", field.Name, tried[field.Name])
		}
	}
}

// brokenHost is a host whose rules may be switched off.
func brokenHost(id driver.MemberID, broken faults, view driver.View) *Host {
	h := NewHost(id, HostConfig{})
	h.broken = broken
	h.Step(0, ViewChanged{View: view})
	return h
}

// started counts the activations that begin.
func started(effects []Effect) int {
	n := 0
	for _, e := range effects {
		if _, ok := e.(Start); ok {
			n++
		}
	}
	return n
}

// twoOwnersOfOneTerm has two members acquire a slot in one term, as when two
// views were given the same epoch. Both grant on what was promised.
func twoOwnersOfOneTerm(broken faults) string {
	view := viewOf(10, "o", "p", "h", "g")
	hosts := []*Host{brokenHost("h", broken, view), brokenHost("g", broken, view)}
	promised := make(map[driver.MemberID]int)
	for _, owner := range []driver.MemberID{"o", "p"} {
		for _, h := range hosts {
			promised[owner] += len(prepare(h, owner, 10).Empty)
		}
	}
	starts := 0
	for i, owner := range []driver.MemberID{"o", "p"} {
		if promised[owner] == len(hosts) {
			starts += started(hosts[i].Step(0, Received{From: owner, Message: &Spawn{alice, fence(10, 1)}}))
		}
	}
	if starts > 1 {
		return fmt.Sprintf("invariant 1: %d activations by two owners of one term", starts)
	}
	return ""
}

// spawnOvertakenByVerify has a Spawn come after its host has said that the
// activation is not there, upon which the owner has granted it to another.
func spawnOvertakenByVerify(broken faults) string {
	view := viewOf(10, "o", "h", "g")
	late, other := brokenHost("h", broken, view), brokenHost("g", broken, view)
	prepare(late, "o", 10)
	prepare(other, "o", 10)
	starts := 0
	for _, e := range late.Step(0, Received{From: "o", Message: &Verify{alice, fence(10, 1)}}) {
		if e.(Send).Message.(*Verified).Phase == Absent {
			starts += started(other.Step(0, Received{From: "o", Message: &Spawn{alice, fence(10, 2)}}))
		}
	}
	starts += started(late.Step(0, Received{From: "o", Message: &Spawn{alice, fence(10, 1)}}))
	if starts > 1 {
		return fmt.Sprintf("invariant 1: %d activations, one after it was said to be absent", starts)
	}
	return ""
}

// newestReportFirst has two hosts report an activation, the newer one first.
func newestReportFirst(broken faults) string {
	o := NewOwner("o", OwnerConfig{})
	o.broken = broken
	view := viewOf(10, "o", "h", "g")
	id := alice
	for table, i := NewTable(view), 0; !table.OwnedBy(SlotOf(id), "o"); i++ {
		id.Name = fmt.Sprint(i)
	}
	o.Step(0, ViewChanged{View: view})
	for _, r := range []struct {
		from driver.MemberID
		f    driver.Fence
	}{{"g", fence(4, 2)}, {"h", fence(4, 1)}} {
		o.Step(0, Received{From: r.from, Message: &Promise{Term: 10, Reports: []SlotReport{
			{Slot: SlotOf(id), Report: 1, Parts: 1, Entries: []Entry{{id, r.f}}},
		}}})
	}
	o.Step(0, Received{From: "o", Message: &Promise{Term: 10, Empty: []Slot{SlotOf(id)}}})
	for _, e := range ask(o, 0, id) {
		if a := e.(Answer); a.Fence != fence(4, 2) {
			return fmt.Sprintf("invariant 4: %v is named after %v", a.Fence, fence(4, 2))
		}
	}
	return ""
}
