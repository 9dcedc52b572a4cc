package cluster

import (
	"fmt"
	"slices"
	"strings"

	"github.com/granary-go/granary/cluster/driver"
	pb "github.com/granary-go/granary/cluster/internal/grainpb"
)

// MaxCallDepth is how many grains may wait for each other in a row: a grain that
// calls a grain that calls a grain, and so on. The call beyond it fails with
// [ErrCallDepth].
const MaxCallDepth = 64

// waiting is a turn of a grain that waits for a call to return. It travels with
// the call, and with it the turns that wait for that turn: together they are the
// chain of the call. It does not change once it is made.
type waiting struct {
	// cluster is the name of the grain's cluster; empty where a member that does not tell it has passed the turn on.
	cluster  string
	identity driver.Identity
	fence    driver.Fence // of the activation
	depth    int          // of the chain, with this one
	open     bool         // the grain goes on with other messages meanwhile
	by       *waiting     // nil if no grain waits for this turn
}

// waits gives the chain of what is called with a grain's context. A turn that has
// returned waits for nothing, and nobody waits for one whose caller has given up.
func (g *grainContext) waits() *waiting {
	if g == nil || g.over.Load() {
		return nil
	}
	self := &waiting{cluster: g.cluster.config.name, identity: g.activation.identity, fence: g.activation.fence, depth: 1, open: g.awaiting.Load()}
	if g.chain != nil && g.Err() == nil {
		self.by, self.depth = g.chain, g.chain.depth+1
	}
	return self
}

// meets reports whether a turn of the identity, in a cluster of this name, is in the chain.
func (w *waiting) meets(cluster string, id driver.Identity) bool {
	for ; w != nil; w = w.by {
		if w.identity == id && w.in(cluster) && !w.open {
			return true
		}
	}
	return false
}

// holds reports whether a turn of this very activation is in the chain: it
// could not come to the call before the call has returned.
func (w *waiting) holds(cluster string, id driver.Identity, f driver.Fence) bool {
	for ; w != nil; w = w.by {
		if w.identity == id && w.fence == f && w.in(cluster) && !w.open {
			return true
		}
	}
	return false
}

// in reports whether the turn may be one of a grain in a cluster of this name. Of a turn without a name nobody knows: it is
// taken for one, so that no cycle is missed. Two clusters seldom give a grain the same token.
func (w *waiting) in(cluster string) bool { return w.cluster == cluster || w.cluster == "" }

// refuse gives the error of a call that no grain could answer, as far as the chain
// alone tells; see holds for the rest. The grain that calls is of the cluster
// that it calls in, or not: then one of the same identity is another.
func (w *waiting) refuse(cluster string, id driver.Identity, same bool) error {
	switch {
	case w == nil:
		return nil
	case same && w.identity == id && !w.open:
		return w.cycle(cluster, id)
	case w.depth >= MaxCallDepth:
		return fmt.Errorf("%w: %d grains wait for each other, which is the limit: %s", ErrCallDepth, w.depth, w.path(cluster, id))
	default:
		return nil
	}
}

func (w *waiting) cycle(cluster string, id driver.Identity) error {
	return fmt.Errorf("%w: %s", ErrCallCycle, w.path(cluster, id))
}

// shownGrains is how many grains of either end of a chain an error names.
const shownGrains = 4

// path names the grains of the chain, the first caller first, and who is called. Those of another cluster than the one that is
// called in are named with it.
func (w *waiting) path(cluster string, id driver.Identity) string {
	words := []string{id.String()}
	for ; w != nil; w = w.by {
		word := w.identity.String()
		if !w.in(cluster) {
			word += fmt.Sprintf(" (of cluster %q)", w.cluster)
		}
		words = append(words, word)
	}
	slices.Reverse(words)
	if skipped := len(words) - 2*shownGrains; skipped > 0 {
		words = slices.Replace(words, shownGrains, shownGrains+skipped, "…")
	}
	return strings.Join(words, " → ")
}

// chainOut is the wire form of a chain, the first caller first.
func chainOut(w *waiting) []*pb.Waiting {
	if w == nil {
		return nil
	}
	out := make([]*pb.Waiting, w.depth)
	for ; w != nil; w = w.by {
		out[w.depth-1] = &pb.Waiting{
			Kind: w.identity.Kind, Name: w.identity.Name, Term: w.fence.Term, Seq: w.fence.Seq, Open: w.open, Cluster: w.cluster,
		}
	}
	return out
}

// chainIn is the reverse of chainOut.
func chainIn(in []*pb.Waiting) (w *waiting, err error) {
	if len(in) > MaxCallDepth {
		return nil, fmt.Errorf("cluster: a call of %d grains that wait for each other: the limit is %d", len(in), MaxCallDepth)
	}
	for i, turn := range in {
		w = &waiting{
			cluster: turn.GetCluster(), identity: driver.Identity{Kind: turn.GetKind(), Name: turn.GetName()},
			fence: driver.Fence{Term: turn.GetTerm(), Seq: turn.GetSeq()}, depth: i + 1, open: turn.GetOpen(), by: w,
		}
	}
	return w, nil
}
