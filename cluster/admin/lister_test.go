package admin

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"

	"github.com/granary-go/granary/cluster"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// Whoever reads page after page has all grains looked at once in a while, not for each
// page, and gets every grain once.
func TestLister(t *testing.T) {
	const n, page = 2*keptAhead + 20_000, 1000
	order, looks := rand.Perm(n), 0
	all := iter.Seq[cluster.Activation](func(yield func(cluster.Activation) bool) {
		looks++
		for _, i := range order {
			if !yield(cluster.Activation{Kind: "K", Identity: fmt.Sprintf("%06d", i)}) {
				return
			}
		}
	})
	l := newLister()
	var after *pb.Grain
	seen := 0
	for {
		found, active, err := l.first(t.Context(), all, filter{kind: "K"}, "m", after, page+1)
		if err != nil || active != n {
			t.Fatalf("%d are active", active)
		}
		for i, a := range found[:min(page, len(found))] {
			if want := fmt.Sprintf("%06d", seen+i); a.Identity != want {
				t.Fatalf("%s, want %s", a.Identity, want)
			}
		}
		if seen += min(page, len(found)); len(found) <= page {
			break
		}
		last := found[page-1]
		after = &pb.Grain{Kind: last.Kind, Identity: last.Identity, Member: &pb.MemberRef{Id: "m"}}
	}
	if seen != n || looks > 5 {
		t.Errorf("%d grains with %d looks", seen, looks)
	}
	looks = 0
	for _, of := range []filter{{kind: "K"}, {kind: "other"}, {prefix: "0000"}} { // another question is another look
		found, _, err := l.first(t.Context(), all, of, "m", &pb.Grain{}, 5)
		if err != nil || looks == 0 || len(found) != map[string]int{"K": 5}[of.kind]+len(of.prefix)/4*5 {
			t.Errorf("%v: %d with %d looks", of, len(found), looks)
		}
		looks = 0
	}
}

// Who waits for another's look does so no longer than his context says.
func TestListerIsTaken(t *testing.T) {
	l := newLister()
	l.turn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := l.first(ctx, func(func(cluster.Activation) bool) {}, filter{}, "m", nil, 1); err == nil {
		t.Error("it has listed at the same time")
	}
}

// A member that had more to tell than fits holds the page back to where it has told all.
func TestMerged(t *testing.T) {
	pageOf := func(member, next string, identities ...string) *pb.GrainsResponse {
		p := &pb.GrainsResponse{Next: next, Active: 10}
		for _, id := range identities {
			p.Grains = append(p.Grains, &pb.Grain{Kind: "K", Identity: id, Member: &pb.MemberRef{Id: member}})
		}
		return p
	}
	for name, c := range map[string]struct {
		pages []*pb.GrainsResponse
		limit uint32
		want  string
		next  string
	}{
		"all have told all":    {[]*pb.GrainsResponse{pageOf("1", "", "a", "d"), pageOf("2", "", "b")}, 10, "abd", ""},
		"one has more":         {[]*pb.GrainsResponse{pageOf("1", "more", "a", "d"), pageOf("2", "", "b", "e")}, 10, "abd", "d"},
		"both have more":       {[]*pb.GrainsResponse{pageOf("1", "more", "a", "d"), pageOf("2", "more", "b", "c")}, 10, "abc", "c"},
		"the limit":            {[]*pb.GrainsResponse{pageOf("1", "", "a", "d"), pageOf("2", "", "b", "e")}, 2, "ab", "b"},
		"one does not answer":  {[]*pb.GrainsResponse{nil, pageOf("2", "", "b")}, 10, "b", ""},
		"nobody has something": {[]*pb.GrainsResponse{pageOf("1", ""), nil}, 10, "", ""},
	} {
		out, got := merged(c.pages, &pb.GrainsRequest{Limit: c.limit}), ""
		for _, g := range out.Grains {
			got += g.Identity
		}
		next, err := cursorIn(out.Next)
		if err != nil || got != c.want || next.GetIdentity() != c.next {
			t.Errorf("%s: %q and then behind %q, want %q and %q", name, got, next.GetIdentity(), c.want, c.next)
		}
	}
}
