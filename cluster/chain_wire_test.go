package cluster

import (
	"testing"

	"github.com/granary-go/granary/cluster/driver"
	pb "github.com/granary-go/granary/cluster/internal/grainpb"
)

// What a member of a former version passes on has no cluster's name: such a turn may be of any.
func TestChainWithoutNames(t *testing.T) {
	id, fence := driver.Identity{Kind: "Stock", Name: "lamp"}, driver.Fence{Term: 7, Seq: 1}
	named := chainOut(&waiting{cluster: "shop", identity: id, fence: fence, depth: 1})
	for _, c := range []struct {
		wire   []*pb.Waiting
		called string
		fence  driver.Fence
		want   bool
	}{
		{named, "shop", fence, true},
		{named, "shop", driver.Fence{Term: 8, Seq: 1}, false},
		{named, "depot", fence, false},
		{[]*pb.Waiting{{Kind: id.Kind, Name: id.Name, Term: 7, Seq: 1}}, "depot", fence, true},
		{[]*pb.Waiting{{Kind: id.Kind, Name: id.Name, Term: 7, Seq: 1}}, "depot", driver.Fence{Term: 8, Seq: 1}, false},
		{[]*pb.Waiting{{Kind: id.Kind, Name: id.Name, Term: 7, Seq: 1, Open: true}}, "depot", fence, false},
	} {
		chain, err := chainIn(c.wire)
		if err != nil {
			t.Fatal(err)
		}
		again, err := chainIn(chainOut(chain))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range []*waiting{chain, again} {
			if got := w.meets(c.called, id) && w.holds(c.called, id, c.fence); got != c.want {
				t.Errorf("a call of %v %v in %q behind %v: a cycle %t, want %t", id, c.fence, c.called, c.wire, got, c.want)
			}
		}
	}
}
