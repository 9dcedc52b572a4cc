package placement

import (
	"fmt"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

func TestSamples(t *testing.T) {
	o, h := NewOwner("o", OwnerConfig{}), NewHost("h", HostConfig{})
	if len(o.Sample(10)) != 0 || len(h.Sample(10)) != 0 || o.Load().Open != 0 {
		t.Error("something out of nothing")
	}
	const all = 5000
	for i := range all {
		id := driver.Identity{Kind: "K", Name: fmt.Sprint(i)}
		s, fence := SlotOf(id), driver.Fence{Term: 1, Seq: uint64(i + 1)}
		if o.slots[s] == nil {
			o.slots[s] = &ownedSlot{term: 1, grants: make(map[driver.Identity]*grant)}
		}
		o.slots[s].grants[id] = &grant{identity: id, fence: fence, host: "h", phase: granted}
		if h.slots.at(s).live == nil {
			h.slots.at(s).live = make(map[driver.Identity]*activation)
		}
		h.slots.at(s).live[id] = &activation{fence: fence, stopping: i%10 == 0}
	}
	slots := make(map[Slot]bool)
	seen := make(map[driver.Identity]bool)
	for _, p := range o.Sample(300) {
		slots[SlotOf(p.Identity)] = true
		seen[p.Identity] = true
		if p.Host != "h" || p.Fence.IsZero() {
			t.Errorf("%+v", p)
		}
	}
	if len(seen) != 300 || len(slots) != 300 {
		t.Errorf("%d of an owner, of %d slots", len(seen), len(slots))
	}
	clear(slots)
	clear(seen)
	pages := make(map[Slot]bool)
	for _, e := range h.Sample(300) {
		seen[e.Identity] = true
		pages[SlotOf(e.Identity)/slotPage] = true
		if h.Explain(e.Identity).Phase != Running {
			t.Errorf("%v does not run", e.Identity)
		}
	}
	if len(seen) != 300 || len(pages) < 40 {
		t.Errorf("%d of a host, of %d pages", len(seen), len(pages))
	}
	if n := len(o.Sample(10 * all)); n != all {
		t.Errorf("%d of all", n)
	}
	if n := len(h.Sample(10 * all)); n != all*9/10 {
		t.Errorf("%d of all that run", n)
	}
	if l := o.Load(); l.Entries != all || l.Open != len(o.slots) || len(l.Acquiring) != 0 {
		t.Errorf("%+v", l)
	}
	for s := range o.slots { // one that is on its way shows nothing
		o.slots[s].missing = []awaited{{host: "x"}}
		o.acquiring[s] = true
	}
	if l := o.Load(); l.Entries != 0 || l.Open != 0 || len(l.Acquiring) != len(o.slots) || len(o.Sample(10)) != 0 {
		t.Errorf("%+v", l)
	}
}
