package placement

import (
	"maps"
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// OwnerLoad is how much an owner has to do.
type OwnerLoad struct {
	// Epoch is that of the view that the owner goes by; 0 before the first.
	Epoch uint64
	// Open counts the slots that grant, Acquiring are the others that it owns, in
	// ascending order.
	Open      int
	Acquiring []Slot
	// Entries counts the identities in the tables of open slots, Waiting the
	// resolves that wait.
	Entries, Waiting int
}

// Load says how much the owner has to do. It looks at slots, not at identities.
func (o *Owner) Load() OwnerLoad {
	l := OwnerLoad{Epoch: o.view.Epoch, Acquiring: slices.Sorted(maps.Keys(o.acquiring)), Waiting: o.waiting}
	for _, s := range o.slots {
		if len(s.missing) == 0 {
			l.Open++
			l.Entries += len(s.grants)
		}
	}
	return l
}

// Placed is an activation with its host.
type Placed struct {
	Entry
	Host driver.MemberID
}

// Sample gives up to n of the activations that hosts have accepted, about as many of
// each open slot. Which ones is left to chance.
func (o *Owner) Sample(n int) []Placed {
	filled := 0
	for _, s := range o.slots {
		if len(s.missing) == 0 && len(s.grants) > 0 {
			filled++
		}
	}
	var out []Placed
	for _, s := range o.slots {
		if len(s.missing) > 0 {
			continue
		}
		left := share(n, filled)
		for id, g := range s.grants {
			if left == 0 || len(out) >= n {
				break
			}
			if g.phase == granted {
				out = append(out, Placed{Entry{id, g.fence}, g.host})
				left--
			}
		}
	}
	return out
}

// Sample gives up to n of the activations that are running, about as many of each slot.
// Which ones is left to chance.
func (h *Host) Sample(n int) []Entry {
	var filled []*hostSlot
	for _, page := range h.slots {
		if page == nil {
			continue
		}
		for s := range page {
			if len(page[s].live) > 0 {
				filled = append(filled, &page[s])
			}
		}
	}
	var out []Entry
	for i := range filled {
		// Slots have an order, unlike maps: a part of them is taken from all over.
		slot := filled[i*stride(len(filled))%len(filled)]
		left := share(n, len(filled))
		for id, a := range slot.live {
			if left == 0 || len(out) >= n {
				break
			}
			if !a.stopping {
				out = append(out, Entry{id, a.fence})
				left--
			}
		}
	}
	return out
}

// share is how many of n come from each of some slots.
func share(n, slots int) int { return (n + slots - 1) / max(slots, 1) }

// stride is a step that meets each of n places once, and spreads the first of them.
func stride(n int) int {
	const golden = 2531 // of 4096; a prime
	if n%golden == 0 {
		return 1
	}
	return golden
}
