package providers

import (
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/test/fleet"
)

// emptiedSlack is what members may take beyond two lease times to be back after their service was emptied.
const emptiedSlack = 5 * time.Second

// TestEmptied empties the service behind a cluster under calls: all members are soon back, under new ids, and the tokens
// go on rising. A store that has nothing to do with the service would refuse them otherwise.
func TestEmptied(t *testing.T) {
	for _, b := range backends[1:] {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel() // what it does most is wait
			emptied(t, b, b.start(t))
		})
	}
}

func emptied(t *testing.T, b backend, s service) {
	store := t.TempDir()
	c := newCrew(t, b, s, members, func(c *crew) { c.state = store })
	names := fleet.Names(grains/3, kind, strictKind)
	seen := &tokens{errorf: t.Errorf, newest: make(map[fleet.Name]position)}
	l := c.load(c.client(), names, seen.see)
	l.Every(t, limit, names)
	before := seen.all()

	l.Reset()
	s.empty()
	began := time.Now()
	for _, m := range c.members {
		if err := m.joins(t); err != nil {
			t.Fatal(err)
		}
	}
	back := time.Since(began)
	answered := l.Every(t, limit, names)
	f := l.Since()
	t.Logf("%s: all members were back under new ids after %s, all grains answered %s later; %d calls, failed: %s", b.name, back, answered, f.Calls, f.Text())
	if most := 2*b.lease + emptiedSlack; back > most {
		t.Errorf("the members were back after %s, want at most %s", back, most)
	}
	for name, now := range seen.all() {
		if now.at.Fence.Compare(before[name].at.Fence) <= 0 {
			t.Errorf("%s has token %s, and had %s before the service was emptied", name, now.at.Fence, before[name].at.Fence)
		}
		if now.at.Member == before[name].at.Member {
			t.Errorf("%s is on %s, which was a member before", name, now.at.Member)
		}
	}
	l.Stop()
	c.end()
}

// position is how far a counter was seen to have come.
type position struct {
	at    fleet.Activation
	count int
}

// tokens checks, answer by answer, that what a counter answers with does not go back.
type tokens struct {
	errorf func(format string, args ...any)
	mu     sync.Mutex // guards newest
	newest map[fleet.Name]position
}

func (s *tokens) see(n fleet.Name, a fleet.Activation, count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.newest[n]
	kind, _ := n.Split()
	switch order := a.Fence.Compare(was.at.Fence); {
	case order < 0:
		s.errorf("%s answers after %s", a, was.at)
	case kind == strictKind && count <= was.count:
		s.errorf("%s has counted to %d, and %s to %d before", a, count, was.at, was.count)
	case order == 0 && count <= was.count:
		s.errorf("%s has counted to %d after %d", a, count, was.count)
	}
	s.newest[n] = position{a, count}
}

func (s *tokens) all() map[fleet.Name]position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.newest)
}

func TestTokensSeeWhatGoesBack(t *testing.T) {
	one, two := driver.Fence{Term: 1, Seq: 1}, driver.Fence{Term: 1, Seq: 2}
	for _, c := range []struct {
		name        fleet.Name
		first, then position
		wrong       bool
	}{
		{"Counter/a", position{fleet.Activation{Fence: one}, 1}, position{fleet.Activation{Fence: one}, 2}, false},
		{"Counter/a", position{fleet.Activation{Fence: one}, 5}, position{fleet.Activation{Fence: two}, 1}, false},
		{"Counter/a", position{fleet.Activation{Fence: one}, 5}, position{fleet.Activation{Fence: one}, 5}, true},
		{"Counter/a", position{fleet.Activation{Fence: two}, 5}, position{fleet.Activation{Fence: one}, 6}, true},
		{"Strict/a", position{fleet.Activation{Fence: one}, 5}, position{fleet.Activation{Fence: two}, 5}, true},
		{"Strict/a", position{fleet.Activation{Fence: one}, 5}, position{fleet.Activation{Fence: two}, 6}, false},
	} {
		found := false
		s := &tokens{errorf: func(string, ...any) { found = true }, newest: make(map[fleet.Name]position)}
		s.see(c.name, c.first.at, c.first.count)
		s.see(c.name, c.then.at, c.then.count)
		if found != c.wrong {
			t.Errorf("%+v: %t", c, found)
		}
	}
}
