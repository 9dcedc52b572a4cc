package record

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// sim is a store with one value, keys with leases, and machines above it that
// read late, lose writes, crash, pause, drain, leave and come again.
type sim struct {
	rng    *rand.Rand
	now    Time
	broken Faults

	found    bool
	record   Record
	version  int
	emptied  bool
	keys     map[driver.MemberID]Time // when they end
	who      map[driver.MemberID]driver.Member
	nodes    []*simNode
	born     int
	lastSeen map[driver.MemberID]bool // ids that were in a view and are not
	failure  string
}

// simNode is one process.
type simNode struct {
	machine     *Machine
	self        driver.Member
	cut         Time // until when it reaches nothing
	renewed     Time
	version     int  // of the last read
	hadKey      bool // at the last read
	pending     *Write
	gone        bool
	left        bool
	last        uint64
	incarnation string // of the views that it published
	fenced      bool
}

func newSim(seed uint64, broken Faults) *sim {
	return &sim{
		rng: rand.New(rand.NewPCG(seed, 0x7265636f7264)), broken: broken, keys: make(map[driver.MemberID]Time),
		who: make(map[driver.MemberID]driver.Member), lastSeen: make(map[driver.MemberID]bool),
	}
}

func (s *sim) failf(format string, args ...any) {
	if s.failure == "" {
		s.failure = fmt.Sprintf("at %d ms: ", s.now/ms) + fmt.Sprintf(format, args...)
	}
}

// join starts a process.
func (s *sim) join() {
	s.born++
	self := named(fmt.Sprintf("%c%d", 'a'+s.rng.IntN(26), s.born))
	n := &simNode{self: self, renewed: s.now, machine: New(Config{Self: self, Incarnation: "by " + string(self.ID), FoundAfter: ttl})}
	n.machine.Break(s.broken)
	s.nodes = append(s.nodes, n)
	s.keys[self.ID], s.who[self.ID] = s.now+ttl, self
}

// read gives what the store holds at this moment.
func (s *sim) read() Read {
	r := Read{Found: s.found, Record: s.record, Unix: uint64(1e6 + s.now/ms)}
	for id, ends := range s.keys {
		if ends > s.now {
			r.Alive = append(r.Alive, s.who[id])
		}
	}
	slices.SortFunc(r.Alive, func(a, b driver.Member) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return r
}

// write is the store's compare-and-set, and where what the machines do is
// checked.
func (s *sim) write(n *simNode, r Record) {
	if n.version != s.version {
		return
	}
	old := s.record.View
	if v := r.View; s.found && (v.Incarnation != old.Incarnation || v.Epoch != old.Epoch+1 || v.Previous != old.Epoch) {
		s.failf("%v made view %d<%d of %q from %d of %q", n.self, v.Previous, v.Epoch, v.Incarnation, old.Epoch, old.Incarnation)
	} else if !s.found && s.emptied && v.Epoch <= old.Epoch {
		s.failf("founded with epoch %d after %d", v.Epoch, old.Epoch)
	}
	if !s.found {
		for _, other := range s.nodes {
			if other != n && other.machine.phase == joined && !other.gone && s.holdsLease(other) {
				s.failf("%v founded beside %v, whose lease runs", n.self, other.self)
			}
		}
	}
	for _, m := range r.View.Members {
		if s.lastSeen[m.ID] {
			s.failf("%v came back in view %d", m, r.View.Epoch)
		}
	}
	for _, m := range old.Members {
		if _, still := r.View.Member(m.ID); still || !s.found {
			continue
		}
		s.lastSeen[m.ID] = true
		for _, other := range s.nodes {
			if other.self.ID == m.ID && other != n && s.holdsLease(other) && !other.gone {
				s.failf("%v removed %v, whose lease runs", n.self, other.self)
			}
		}
	}
	if err := r.View.Validate(); err != nil {
		s.failf("%v", err)
	}
	if !n.hadKey {
		s.failf("%v wrote %v after its key had ended", n.self, r.View.Members)
	}
	s.record, s.found = r, true
	s.version++
}

func (s *sim) holdsLease(n *simNode) bool { return s.now < n.renewed+ttl/10*9 && !n.fenced }

// step lets something happen to a process.
func (s *sim) step(n *simNode, e Event) {
	for _, effect := range n.machine.Step(s.now, e) {
		switch effect := effect.(type) {
		case Write:
			n.pending = &effect
		case Publish:
			if effect.View.Epoch <= n.last {
				s.failf("%v published %d after %d", n.self, effect.View.Epoch, n.last)
			}
			if n.incarnation != "" && n.incarnation != effect.View.Incarnation {
				s.failf("%v went over from %q to %q", n.self, n.incarnation, effect.View.Incarnation)
			}
			n.last, n.incarnation = effect.View.Epoch, effect.View.Incarnation
		case Removed:
			n.fenced = true
			if effect.Outside {
				delete(s.keys, n.self.ID)
			}
		case Left:
			n.left, n.fenced = true, true
			delete(s.keys, n.self.ID)
		}
	}
}

// turn is a moment of a process that reaches the store.
func (s *sim) turn(n *simNode) {
	if !n.fenced && s.now >= n.renewed+ttl/10*9 && !s.broken.WritesFenced {
		n.fenced = true
		s.step(n, Fenced{})
	}
	switch {
	case s.now < n.cut || n.gone:
		return
	case n.pending != nil:
		w := n.pending
		n.pending = nil
		if s.rng.IntN(10) > 0 {
			s.write(n, w.Record)
		}
		if s.rng.IntN(3) == 0 {
			return // its read comes later
		}
	case s.rng.IntN(4) == 0 && !n.fenced && s.keys[n.self.ID] > s.now:
		s.keys[n.self.ID], n.renewed = s.now+ttl, s.now
		return
	}
	n.version, n.hadKey = s.version, s.keys[n.self.ID] > s.now
	s.step(n, s.read())
}

// fault does something to a process, or to the store.
func (s *sim) fault() {
	n := s.nodes[s.rng.IntN(len(s.nodes))]
	switch s.rng.IntN(10) {
	case 0:
		n.gone = true
	case 1, 2:
		n.cut = s.now + Time(s.rng.Int64N(int64(2*ttl)))
	case 3:
		s.step(n, Drain{})
	case 4:
		s.step(n, Leave{})
	case 5:
		if s.rng.IntN(4) == 0 && s.found {
			s.found, s.emptied = false, true
			s.version++
			clear(s.keys)
		}
	case 6:
		if s.rng.IntN(4) == 0 && s.found { // somebody put another record in its place
			s.record.View.Incarnation += "'"
			s.record.View.Epoch++
			s.version++
		}
	case 7:
		other := s.nodes[s.rng.IntN(len(s.nodes))]
		s.step(n, Suspect{other.self.ID})
	default:
		if len(s.nodes) < 8 {
			s.join()
		}
	}
}

func (s *sim) run() string {
	for range 3 {
		s.join()
	}
	for s.now < 400*second && s.failure == "" {
		s.now += 20 * ms
		if s.now < 300*second && s.rng.IntN(100) == 0 {
			s.fault()
		}
		for _, n := range s.nodes {
			if s.rng.IntN(3) == 0 {
				s.turn(n)
			}
		}
		s.nodes = slices.DeleteFunc(s.nodes, func(n *simNode) bool {
			return n.gone || n.left || n.machine.phase == over && !n.machine.quitting
		})
		for len(s.nodes) < 3 {
			s.join()
		}
	}
	s.atRest()
	return s.failure
}

// atRest checks that the record holds who is alive, and everybody knows it.
func (s *sim) atRest() {
	var alive, members []driver.MemberID
	for _, n := range s.nodes {
		alive = append(alive, n.self.ID)
		if n.last != s.record.View.Epoch {
			s.failf("at rest %v knows view %d, the record has %d", n.self, n.last, s.record.View.Epoch)
		}
	}
	for _, m := range s.record.View.Members {
		members = append(members, m.ID)
	}
	slices.Sort(alive)
	slices.Sort(members)
	if !slices.Equal(alive, members) {
		s.failf("at rest %v are alive and the record has %v", alive, members)
	}
}

func TestSimulation(t *testing.T) {
	for seed := range uint64(40) {
		if failure := newSim(seed, Faults{}).run(); failure != "" {
			t.Fatalf("seed %d: %s", seed, failure)
		}
	}
}

func TestSimulationNotices(t *testing.T) {
	for _, broken := range []Faults{{RemoveEarly: true}, {FoundAtOnce: true}, {WritesFenced: true}, {KeepsIncarnation: true}} {
		failure, seed := "", uint64(0)
		for ; failure == "" && seed < 100; seed++ {
			failure = newSim(seed, broken).run()
		}
		if t.Logf("%+v: after %d runs: %s", broken, seed, failure); failure == "" {
			t.Errorf("%+v goes unnoticed", broken)
		}
	}
}
