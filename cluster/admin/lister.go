package admin

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/granary-go/granary/cluster"
	pb "github.com/granary-go/granary/wire/adminpb"
)

const (
	// Who reads a second page will read a third: a look at all grains then keeps what
	// comes next, so many and for so long.
	keptAhead = 20_000
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
	turn   chan struct{} // holds one entry, for who uses what follows; one look is made at a time
	of     filter
	member string
	active int64
	ahead  []cluster.Activation // in order; all that there were between from and the last of them
	from   *pb.Grain
	whole  bool // nothing came behind
	at     time.Time
}

func newLister() lister { return lister{turn: make(chan struct{}, 1)} }

// first gives the first n behind a cursor, in order, and how many there are in all; an
// error if ctx ends before it is its turn.
func (l *lister) first(ctx context.Context, all iter.Seq[cluster.Activation], of filter, member string, after *pb.Grain, n int) ([]cluster.Activation, int64, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	if after != nil && l.of == of && l.member == member && time.Since(l.at) < keptFor && l.from != nil && compareGrains(after, l.from) >= 0 {
		at, _ := slices.BinarySearchFunc(l.ahead, after, func(a cluster.Activation, cursor *pb.Grain) int {
			if isBehind(a, member, cursor) {
				return 1
			}
			return -1
		})
		if left := l.ahead[at:]; len(left) >= n || l.whole {
			return left[:min(n, len(left))], l.active, nil
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
	return found[:min(n, len(found))], active, nil
}

// look looks at all activations. more says that others come behind those it gives.
func look(all iter.Seq[cluster.Activation], of filter, member string, after *pb.Grain, most int) (found []cluster.Activation, active int64, more bool) {
	first := firstActivations{most: most}
	for a := range all {
		if !of.takes(a) {
			continue
		}
		active++
		if isBehind(a, member, after) {
			first.add(a)
		}
	}
	first.cut()
	return first.all, active, first.more
}

// isBehind reports whether an activation of a member comes behind a cursor.
func isBehind(a cluster.Activation, member string, cursor *pb.Grain) bool {
	return cursor == nil || cmp.Or(strings.Compare(a.Kind, cursor.Kind), strings.Compare(a.Identity, cursor.Identity),
		strings.Compare(member, cursor.GetMember().GetId())) > 0
}

func compareActivations(a, b cluster.Activation) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Identity, b.Identity), a.Token.Compare(b.Token))
}

// firstActivations keeps those that come first, in the order of pages. Once it has twice as
// many as it is to keep, it sorts them and drops one half, and from then on what does not
// come before the last of the others.
type firstActivations struct {
	all  []cluster.Activation
	most int
	more bool // something was dropped
}

func (f *firstActivations) add(a cluster.Activation) {
	if f.more && compareActivations(a, f.all[f.most-1]) >= 0 {
		return
	}
	if f.all = append(f.all, a); len(f.all) >= 2*f.most {
		f.cut()
	}
}

func (f *firstActivations) cut() {
	slices.SortFunc(f.all, compareActivations)
	if len(f.all) > f.most {
		clear(f.all[f.most:])
		f.all, f.more = f.all[:f.most], true
	}
}
