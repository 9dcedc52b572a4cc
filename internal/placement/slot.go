package placement

import (
	"iter"
	"math/bits"

	"github.com/granary-go/granary/cluster/driver"
)

// ProtocolVersion names the rules, the hash and the slot count that members
// must have in common.
const ProtocolVersion = 1

// SlotCount is the number of slots that identities are spread over.
const SlotCount = 4096

// Slot is one share of the identities, from 0 to SlotCount-1.
type Slot uint16

// FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// SlotOf gives the slot of an identity. The lengths of both words go into the
// hash, so that a/bc and ab/c are different identities here too.
func SlotOf(id driver.Identity) Slot {
	h := uint64(fnvOffset)
	h = hashWord(h, id.Kind)
	h = hashWord(h, id.Name)
	return Slot(mix(h) % SlotCount)
}

func hashWord(h uint64, word string) uint64 {
	for n, i := uint64(len(word)), 0; i < 8; i++ {
		h = (h ^ n&0xff) * fnvPrime
		n >>= 8
	}
	for i := range len(word) {
		h = (h ^ uint64(word[i])) * fnvPrime
	}
	return h
}

// mix is the finaliser of MurmurHash3 (fmix64): every input bit reaches every
// output bit, which FNV alone does not give for short words.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Table says who owns each slot in one view. It is immutable.
type Table struct {
	// owners are indices into members, plus one; zero is nobody.
	owners  [SlotCount]uint16
	members []driver.Member
	owned   [][]Slot // by member, in ascending order
}

// NewTable computes the owners of a view by rendezvous hashing (Thaler and
// Ravishankar, 1998) with equal weights over all active members, whatever
// kinds they host: each slot goes to the member with the highest hash of
// member and slot, so a view that gains or loses one member moves only that
// member's share. A view without active members owns nothing.
func NewTable(view driver.View) *Table {
	return newTable(view, func(yield func(Slot) bool) {
		for s := range Slot(SlotCount) {
			if !yield(s) {
				return
			}
		}
	})
}

// newTable computes the owners of some slots, which come once each and in
// ascending order; the others belong to nobody.
func newTable(view driver.View, slots iter.Seq[Slot]) *Table {
	t, seeds := new(Table), []uint64(nil)
	for _, m := range view.Members {
		if m.State == driver.Active {
			t.members = append(t.members, m)
			seeds = append(seeds, mix(hashWord(fnvOffset, string(m.ID))))
		}
	}
	if len(t.members) == 0 {
		return t
	}
	all, counts := []Slot(nil), make([]int, len(t.members))
	for s := range slots {
		i := t.winner(s, seeds)
		t.owners[s] = uint16(i + 1)
		counts[i]++
		all = append(all, s)
	}
	t.owned = make([][]Slot, len(t.members))
	for i, n := range counts {
		t.owned[i] = make([]Slot, 0, n)
	}
	for _, s := range all {
		i := t.owners[s] - 1
		t.owned[i] = append(t.owned[i], s)
	}
	return t
}

func (t *Table) winner(s Slot, seeds []uint64) int {
	best, high, slot := -1, uint64(0), mix(uint64(s)+1)
	for i, seed := range seeds {
		w := mix(seed ^ bits.RotateLeft64(slot, 32) + slot)
		if best < 0 || w > high || w == high && t.members[i].ID < t.members[best].ID {
			best, high = i, w
		}
	}
	return best
}

// Owner gives the member that owns a slot; false when no member is active.
func (t *Table) Owner(s Slot) (driver.Member, bool) {
	if i := t.owners[s]; i > 0 {
		return t.members[i-1], true
	}
	return driver.Member{}, false
}

// OwnedBy reports whether a member owns a slot.
func (t *Table) OwnedBy(s Slot, id driver.MemberID) bool {
	i := t.owners[s]
	return i > 0 && t.members[i-1].ID == id
}

// Moved counts the slots that another member owns than in an earlier table: none if
// there is no earlier one, also not those that nobody owned before.
func (t *Table) Moved(before *Table) (n int) {
	if before == nil {
		return 0
	}
	for s, i := range before.owners {
		if i > 0 && !t.OwnedBy(Slot(s), before.members[i-1].ID) {
			n++
		}
	}
	return n
}

// ownedBy gives the slots of a member in ascending order.
func (t *Table) ownedBy(id driver.MemberID) []Slot {
	for i := range t.members {
		if t.members[i].ID == id {
			return t.owned[i]
		}
	}
	return nil
}
