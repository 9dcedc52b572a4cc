package placement

import (
	"flag"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

var exploreFull = flag.Bool("explore.full", false, "search the whole of each scope of the placement protocol")

// scope bounds an exhaustive search: two members, two identities of one slot,
// the views in their order, and how often each thing may happen at most. What
// is on its way may come in any order, or never.
type scope struct {
	name  string
	views []driver.View
	// crashes is the member that crashes before it is missing in a view.
	crashes driver.MemberID
	// owner is the slot's in the view with the index in.
	owner string
	in    int
	most  budget
	// apart lets host and owner of one member see a view at different times.
	apart bool
}

// budget counts what may still happen.
type budget struct{ asks, suspicions, stops, ticks, lost, doubled int8 }

var (
	joins   = scope{name: "join", views: []driver.View{viewOf(1, "a"), viewOf(2, "a", "b")}, owner: "b", in: 1}
	crashes = scope{name: "crash", views: []driver.View{viewOf(1, "a", "b"), viewOf(2, "b")}, owner: "a", crashes: "a"}
	leaves  = scope{name: "leave", views: []driver.View{viewOf(1, "a", "b"), leaving(viewOf(2, "a", "b"), "a")}, owner: "a"}
	returns = scope{name: "return", views: []driver.View{viewOf(1, "a"), viewOf(2, "a", "b"), viewOf(3, "a")}, owner: "b", in: 1, crashes: "b", apart: true}
)

func leaving(v driver.View, id driver.MemberID) driver.View {
	for i := range v.Members {
		if v.Members[i].ID == id {
			v.Members[i].State = driver.Leaving
		}
	}
	return v
}

func (sc scope) within(b budget) scope {
	sc.most = b
	return sc
}

// searched are the scopes of go test, and of -explore.full.
var searched = map[bool][]scope{
	false: {
		joins.within(budget{asks: 2}),
		joins.within(budget{asks: 1, stops: 1}),
		crashes.within(budget{asks: 2, stops: 1}),
		leaves.within(budget{asks: 2}),
		returns.within(budget{asks: 1, stops: 1}),
	},
	true: {
		joins.within(budget{asks: 2, stops: 1, doubled: 1}),
		joins.within(budget{asks: 2, stops: 1, ticks: 1}),
		joins.within(budget{asks: 1, suspicions: 1, stops: 1, ticks: 1, lost: 1}),
		crashes.within(budget{asks: 2, stops: 1, doubled: 1}),
		crashes.within(budget{asks: 2, stops: 1, ticks: 1, lost: 1}),
		leaves.within(budget{asks: 2, stops: 1, doubled: 1}),
		leaves.within(budget{asks: 1, suspicions: 1, stops: 1, ticks: 1, lost: 1}),
		returns.within(budget{asks: 2, stops: 1}),
	},
}

// search is a depth-first search of all states of a scope.
type search struct {
	game   *game
	seen   map[[2]uint64]bool
	states int
	steps  int
	rests  int
}

var exploreSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// isNew reports whether a state was not met before. Two states are taken for
// one if both hashes of 64 bits are equal.
func (s *search) isNew(w *exploring) bool {
	key := w.key()
	sum := [2]uint64{maphash.Bytes(exploreSeeds[0], key), maphash.Bytes(exploreSeeds[1], key)}
	if s.seen[sum] {
		return false
	}
	s.seen[sum] = true
	s.states++
	return true
}

// all visits every state and gives the way to the first violation.
func (s *search) all() (violation string, path []action) {
	type node struct {
		world *exploring
		next  []action
		by    action
	}
	start := s.game.start()
	s.isNew(start)
	stack := []node{{world: start, next: start.actions()}}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if len(top.next) == 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		a := top.next[0]
		top.next = top.next[1:]
		w := top.world
		if len(top.next) > 0 {
			w = w.clone()
		}
		w.do(a)
		s.steps++
		if w.atRest() {
			s.rests++
		}
		if w.violation != "" {
			for _, n := range stack[1:] {
				path = append(path, n.by)
			}
			return w.violation, append(path, a)
		}
		if s.isNew(w) {
			stack = append(stack, node{w, w.actions(), a})
		}
	}
	return "", nil
}

// shortest visits states in the order of their distance and gives the shortest
// way to a violation. It keeps ways, not states, and takes each again.
func (s *search) shortest(most int) (violation string, path []action) {
	type node struct {
		parent int
		by     action
	}
	nodes := []node{{parent: -1}}
	way := func(n int) (path []action) {
		for ; n > 0; n = nodes[n].parent {
			path = append(path, nodes[n].by)
		}
		slices.Reverse(path)
		return path
	}
	s.isNew(s.game.start())
	for at := 0; at < len(nodes) && s.states < most; at++ {
		here := s.game.start()
		for _, a := range way(at) {
			here.do(a)
		}
		for _, a := range here.actions() {
			w := here.clone()
			w.do(a)
			s.steps++
			if w.atRest(); w.violation != "" {
				return w.violation, append(way(at), a)
			}
			if s.isNew(w) {
				nodes = append(nodes, node{at, a})
			}
		}
	}
	return "", nil
}

func newSearch(sc scope, broken faults) *search {
	return &search{game: newGame(sc, broken), seen: make(map[[2]uint64]bool)}
}

// TestExhaustiveSearch visits every state of small scopes: no order of messages,
// losses, doubles, stops and views within them breaks an invariant.
func TestExhaustiveSearch(t *testing.T) {
	for _, sc := range searched[*exploreFull] {
		t.Run(sc.name, func(t *testing.T) {
			began := time.Now()
			s := newSearch(sc, faults{})
			if violation, path := s.all(); violation != "" {
				t.Errorf("%s\n%s", violation, s.game.tell(path))
			}
			if s.rests == 0 {
				t.Error("no state is at rest: the search does not do its work")
			}
			t.Logf("%+v: %d states, %d steps, %d times at rest, %v",
				sc.most, s.states, s.steps, s.rests, time.Since(began).Round(time.Millisecond))
		})
	}
}

// found are the rules whose absence the search finds, and where.
var found = []struct {
	broken faults
	in     scope
}{
	{faults{noPromise: true}, joins.within(budget{asks: 2})},
	{faults{grantAfterTimeout: true}, crashes.within(budget{asks: 1, ticks: 2})},
	{faults{omitStopping: true}, joins.within(budget{asks: 2, stops: 1})},
	{faults{noDedupe: true}, crashes.within(budget{asks: 1, stops: 1, doubled: 1})},
	{faults{refuseResent: true}, crashes.within(budget{asks: 1, doubled: 1})},
	{faults{openEarly: true}, joins.within(budget{asks: 2})},
	{faults{keepOverSkipped: true}, returns.within(budget{asks: 1})},
	{faults{deactivateEarly: true}, crashes.within(budget{asks: 2, stops: 1})},
	{faults{ackWhileAcquiring: true}, joins.within(budget{asks: 1, stops: 1})},
	{faults{dropOnSuspicion: true}, crashes.within(budget{asks: 1, suspicions: 1})},
}

// TestExhaustiveSearchFindsMutations shows that the search would find what a
// rule prevents. What it does not find needs two views of one epoch
// (equalTermTwice), two activations (lastReportWins), a Verify before the answer
// to its Spawn (absentWithoutMark), or parts of different reports, for which a
// slot must have three identities (mixReports).
func TestExhaustiveSearchFindsMutations(t *testing.T) {
	for _, m := range found {
		t.Run(m.broken.name(t), func(t *testing.T) {
			s := newSearch(m.in, m.broken)
			violation, path := s.shortest(200_000)
			if violation == "" {
				t.Fatalf("not found in %d states of %s", s.states, m.in.name)
			}
			t.Logf("%s, %d steps, %d states:\n%s", m.in.name, len(path), s.states, s.game.tell(path))
			t.Log(violation)
		})
	}
}

// tell takes a way again and says what happens.
func (g *game) tell(path []action) string {
	w := g.start()
	w.trace = new(strings.Builder)
	for i, a := range path {
		fmt.Fprintf(w.trace, "%3d  %s\n", i+1, a)
		w.do(a)
	}
	return w.trace.String()
}
