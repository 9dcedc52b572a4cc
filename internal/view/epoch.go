package view

import (
	"hash/fnv"

	"github.com/granary-go/granary/cluster/driver"
)

const (
	idBits = 16
	// maxCount bounds the counter of whatever is taken for an epoch: 2^47 is
	// the year 6429 in milliseconds. What a machine goes by is bounded more
	// tightly, by its lead.
	maxCount = 1 << 47
	// maxLead is how far the counter of a view that is taken may be ahead of
	// the own wall clock, in milliseconds: a year.
	maxLead = 365 * 24 * 3600 * 1000
)

// wall gives the wall clock in Unix milliseconds, as it was set when the
// machine was made.
func (m *Machine) wall() int64 { return m.cfg.UnixMilli + int64(m.now-m.cfg.Start)/1e6 }

// ahead reports whether an epoch is too high to be gone by. The bound rises
// with the clock, faster than views are made, so that whatever is taken has
// successors that all others take, at the latest when their clocks are there.
func (m *Machine) ahead(epoch uint64) bool {
	return int64(epoch>>idBits)-m.wall() > maxLead
}

// nextEpoch gives the number of a view that a coordinator makes: above the
// highest it knows, and different from what another coordinator would give.
// Floor is the least counter: the Unix time in milliseconds for a first view,
// zero for all others.
func nextEpoch(known uint64, floor int64, coordinator driver.MemberID) uint64 {
	count := known>>idBits + 1
	if floor > 0 {
		count = max(count, uint64(floor))
	}
	h := fnv.New32a()
	h.Write([]byte(coordinator))
	sum := h.Sum32()
	return count<<idBits | uint64(sum>>idBits^sum&(1<<idBits-1))
}
