package view

import (
	"hash/fnv"

	"github.com/granary-go/granary/cluster/driver"
)

const (
	idBits = 16
	// maxCount leaves the counter room to rise for ever, whatever a peer says
	// it has reached: 2^47 is the year 6429 in milliseconds.
	maxCount = 1 << 47
)

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
