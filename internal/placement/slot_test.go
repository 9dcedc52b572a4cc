package placement

import (
	"fmt"
	"slices"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

func viewOf(epoch uint64, ids ...string) driver.View {
	v := driver.View{Incarnation: "test", Epoch: epoch, Previous: epoch - 1}
	for _, id := range ids {
		v.Members = append(v.Members, driver.Member{
			ID: driver.MemberID(id), Address: id + ":1", Kinds: []driver.Kind{{Name: "k"}},
		})
	}
	return v
}

// The hash belongs to the protocol version: members that disagree about it
// would disagree about owners. The numbers were computed by another
// implementation, from the description in slot.go.
func TestHashIsPinned(t *testing.T) {
	for _, c := range []struct {
		id   driver.Identity
		want Slot
	}{
		{driver.Identity{}, 2058},
		{driver.Identity{Kind: "a", Name: "bc"}, 947},
		{driver.Identity{Kind: "ab", Name: "c"}, 3559},
		{driver.Identity{Kind: "Ponger", Name: "ponger-1"}, 2740},
		{driver.Identity{Kind: "k", Name: "ünï"}, 3292},
	} {
		if got := SlotOf(c.id); got != c.want {
			t.Errorf("SlotOf(%v) = %d, want %d", c.id, got, c.want)
		}
	}
}

func TestIdentitiesSpreadOverSlots(t *testing.T) {
	counts := make(map[Slot]int)
	const n = 64 * SlotCount
	for i := range n {
		counts[SlotOf(driver.Identity{Kind: "k", Name: fmt.Sprint(i)})]++
	}
	for s := range Slot(SlotCount) {
		if c := counts[s]; c < 20 || c > 130 { // 64 ± about 5 σ and more
			t.Errorf("slot %d has %d of %d identities", s, c, n)
		}
	}
}

func TestOwnersShareAndMoveLittle(t *testing.T) {
	before := NewTable(viewOf(1, "a", "b", "c"))
	after := NewTable(viewOf(2, "a", "b", "c", "d"))
	owned, moved := make(map[driver.MemberID]int), 0
	for s := range Slot(SlotCount) {
		was, _ := before.Owner(s)
		is, ok := after.Owner(s)
		if !ok {
			t.Fatalf("slot %d has no owner", s)
		}
		owned[is.ID]++
		if was.ID != is.ID {
			moved++
			if is.ID != "d" {
				t.Errorf("slot %d moved from %s to %s, which was there before", s, was.ID, is.ID)
			}
		}
	}
	for id, n := range owned {
		if n < SlotCount/5 || n > SlotCount/3 {
			t.Errorf("%s owns %d of %d slots", id, n, SlotCount)
		}
	}
	if moved != owned["d"] {
		t.Errorf("%d slots moved, the new member owns %d", moved, owned["d"])
	}
}

func TestOnlyActiveMembersOwn(t *testing.T) {
	v := viewOf(1, "a", "b")
	v.Members[0].State = driver.Leaving
	table := NewTable(v)
	for s := range Slot(SlotCount) {
		if !table.OwnedBy(s, "b") {
			t.Fatalf("slot %d is not owned by the only active member", s)
		}
	}
	v.Members[1].State = driver.Leaving
	if m, ok := NewTable(v).Owner(0); ok {
		t.Errorf("%v owns a slot in a view without active members", m)
	}
}

func TestOwnersDoNotDependOnOrder(t *testing.T) {
	one, other := NewTable(viewOf(1, "a", "b", "c")), NewTable(viewOf(1, "c", "a", "b"))
	for s := range Slot(SlotCount) {
		a, _ := one.Owner(s)
		b, _ := other.Owner(s)
		if a.ID != b.ID {
			t.Fatalf("slot %d: %s or %s", s, a.ID, b.ID)
		}
	}
}

func TestSlotsOfAMember(t *testing.T) {
	v := viewOf(1, "a", "b", "c")
	v.Members[1].State = driver.Leaving
	table, total := NewTable(v), 0
	for _, m := range v.Members {
		var want []Slot
		for s := range Slot(SlotCount) {
			if table.OwnedBy(s, m.ID) {
				want = append(want, s)
			}
		}
		total += len(want)
		if got := table.ownedBy(m.ID); !slices.Equal(got, want) {
			t.Errorf("%s owns %d slots; want %d", m.ID, len(got), len(want))
		}
	}
	if total != SlotCount {
		t.Errorf("%d slots have owners", total)
	}
}

// BenchmarkOwnerViewChanged is what a view costs an owner of which nothing
// moves.
func BenchmarkOwnerViewChanged(b *testing.B) {
	v := viewOf(1, "a", "b", "c", "d", "e")
	o := NewOwner("a", OwnerConfig{})
	table := NewTable(v)
	for _, p := range sent[*Prepare](o.Step(0, ViewChanged{View: v, Table: table})) {
		o.Step(0, Received{From: p.to, Message: &Promise{Term: 1, Empty: p.message.Slots}})
	}
	for b.Loop() {
		v.Previous = v.Epoch
		v.Epoch++
		o.Step(0, ViewChanged{View: v, Table: table})
	}
}

func BenchmarkSlotOf(b *testing.B) {
	id := driver.Identity{Kind: "Counter", Name: "customer-4711"}
	for b.Loop() {
		SlotOf(id)
	}
}

func BenchmarkTable(b *testing.B) {
	v := viewOf(1, "a", "b", "c", "d", "e")
	for b.Loop() {
		NewTable(v)
	}
}

func TestMovedSlots(t *testing.T) {
	view := func(ids ...string) *Table {
		v := driver.View{}
		for _, id := range ids {
			v.Members = append(v.Members, driver.Member{ID: driver.MemberID(id), State: driver.Active})
		}
		return NewTable(v)
	}
	three, two, none := view("a", "b", "c"), view("a", "c"), view()
	for what, test := range map[string]struct{ got, want int }{
		"no view before": {three.Moved(nil), 0}, "the same members": {three.Moved(view("a", "b", "c")), 0},
		"one left": {two.Moved(three), len(three.ownedBy("b"))}, "one came": {three.Moved(two), len(three.ownedBy("b"))},
		"all left": {none.Moved(two), SlotCount}, "the first came": {two.Moved(none), 0},
	} {
		if test.got != test.want {
			t.Errorf("%s: %d slots moved; want %d", what, test.got, test.want)
		}
	}
}
