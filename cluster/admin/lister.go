package admin

import (
	"cmp"
	"container/heap"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/granary-go/granary/cluster"
	pb "github.com/granary-go/granary/wire/adminpb"
)

const (
	// Who reads a second page will read a third: a look at all grains then keeps what
	// comes next, so many and for so long.
	keptAhead = 50_000
	keptFor   = 10 * time.Second
)

// filter is what a listing is of; empty words stand for all.
type filter struct{ kind, prefix string }

func (f filter) takes(a cluster.Activation) bool {
	return (f.kind == "" || a.Kind == f.kind) && strings.HasPrefix(a.Identity, f.prefix)
}

// lister lists the activations of this process in the order of pages. To find those that
// come first it looks at all of them. It remembers what comes behind a page for whoever
// goes on from there.
type lister struct {
	mu     sync.Mutex // guards what follows; one look is made at a time
	of     filter
	member string
	active int64
	ahead  []cluster.Activation // in order; all that there were between from and the last of them
	from   *pb.Grain
	whole  bool // nothing came behind
	at     time.Time
}

// first gives the first n behind a cursor, in order, and how many there are in all.
func (l *lister) first(all iter.Seq[cluster.Activation], of filter, member string, after *pb.Grain, n int) ([]cluster.Activation, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if after != nil && l.of == of && l.member == member && time.Since(l.at) < keptFor && l.from != nil && compareGrains(after, l.from) >= 0 {
		at, _ := slices.BinarySearchFunc(l.ahead, after, func(a cluster.Activation, cursor *pb.Grain) int {
			if isBehind(a, member, cursor) {
				return 1
			}
			return -1
		})
		if left := l.ahead[at:]; len(left) >= n || l.whole {
			return left[:min(n, len(left))], l.active
		}
	}
	most := n
	if after != nil {
		most = max(n, keptAhead)
	}
	found, active, more := look(all, of, member, after, most)
	if after != nil {
		l.of, l.member, l.active, l.ahead, l.from, l.whole, l.at = of, member, active, found, after, !more, time.Now()
	}
	return found[:min(n, len(found))], active
}

// look looks at all activations. more says that others come behind those it gives.
func look(all iter.Seq[cluster.Activation], of filter, member string, after *pb.Grain, most int) (found []cluster.Activation, active int64, more bool) {
	first := firstActivations{most: most}
	for a := range all {
		if !of.takes(a) {
			continue
		}
		active++
		switch behind := isBehind(a, member, after); {
		case behind && first.takes(a):
			more = more || len(first.all) == most
			first.add(a)
		case behind:
			more = true
		}
	}
	slices.SortFunc(first.all, compareActivations)
	return first.all, active, more
}

// isBehind reports whether an activation of a member comes behind a cursor.
func isBehind(a cluster.Activation, member string, cursor *pb.Grain) bool {
	return cursor == nil || cmp.Or(strings.Compare(a.Kind, cursor.Kind), strings.Compare(a.Identity, cursor.Identity),
		strings.Compare(member, cursor.GetMember().GetId())) > 0
}

func compareActivations(a, b cluster.Activation) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Identity, b.Identity), a.Token.Compare(b.Token))
}

// firstActivations keeps those that come first, in the order of pages: the last of them
// is at the top of a heap.
type firstActivations struct {
	all  []cluster.Activation
	most int
}

func (f *firstActivations) takes(a cluster.Activation) bool {
	return len(f.all) < f.most || compareActivations(a, f.all[0]) < 0
}

func (f *firstActivations) add(a cluster.Activation) {
	if len(f.all) < f.most {
		heap.Push(f, a)
		return
	}
	f.all[0] = a
	heap.Fix(f, 0)
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (f *firstActivations) Len() int           { return len(f.all) }
func (f *firstActivations) Less(i, j int) bool { return compareActivations(f.all[i], f.all[j]) > 0 }
func (f *firstActivations) Swap(i, j int)      { f.all[i], f.all[j] = f.all[j], f.all[i] }

// Push implements heap.Interface.
func (f *firstActivations) Push(x any) {
	if a, ok := x.(cluster.Activation); ok {
		f.all = append(f.all, a)
	}
}

// Pop implements heap.Interface.
func (f *firstActivations) Pop() any {
	last := f.all[len(f.all)-1]
	f.all = f.all[:len(f.all)-1]
	return last
}
