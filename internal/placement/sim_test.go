package placement

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

const (
	simMillisecond = Time(1_000_000)
	simFaulty      = 6000 * simMillisecond // how long faults go on
	simCalm        = 8000 * simMillisecond // and how long the rest may take
)

// sim is a cluster in one heap of events: members that run the shipped
// machines, a network that loses, doubles and reorders, and a membership that
// publishes views in one order. Members see views late and may skip some. A
// member is removed only when it has crashed or is empty: no split is on.
type sim struct {
	engine
	broken faults

	view    driver.View
	table   *Table
	members map[driver.MemberID]*simMember
	born    int

	identities []driver.Identity
	live       map[driver.Identity]map[driver.MemberID]driver.Fence
	newest     map[driver.Identity]driver.Fence
	calls      map[uint64]*simCall
	asked      uint64
	answered   int
}

type simMember struct {
	id      driver.MemberID
	host    *Host
	owner   *Owner
	seen    uint64
	ticking bool
	leaving bool
	marks   map[Slot]driver.Fence
}

type simCall struct {
	identity driver.Identity
	suspect  driver.Fence
	request  uint64
}

func newSim(seed uint64, broken faults) *sim {
	s := &sim{
		engine: newEngine(seed), broken: broken,
		view:    driver.View{Incarnation: "sim", Epoch: 100},
		members: make(map[driver.MemberID]*simMember),
		live:    make(map[driver.Identity]map[driver.MemberID]driver.Fence),
		newest:  make(map[driver.Identity]driver.Fence),
		calls:   make(map[uint64]*simCall),
	}
	s.identities = simIdentities
	return s
}

// simIdentities are four of one slot, so that grants overtake one another and
// reports come in parts, and two of others.
var simIdentities = func() []driver.Identity {
	ids := []driver.Identity{{Kind: "k", Name: "0"}, {Kind: "k", Name: "1"}, {Kind: "k", Name: "2"}}
	for i := 3; len(ids) < 6; i++ {
		if id := (driver.Identity{Kind: "k", Name: fmt.Sprint(i)}); SlotOf(id) == SlotOf(ids[0]) {
			ids = append(ids, id)
		}
	}
	return ids
}()

// faulty is true with the given chance in a thousand while faults go on.
func (s *sim) faulty(chance int) bool { return s.now < simFaulty && s.rng.IntN(1000) < chance }

func (s *sim) run() string {
	for range 2 + s.rng.IntN(3) {
		s.join()
	}
	s.after(s.ms(200), s.churn)
	for range 12 {
		s.after(s.ms(2000), s.call)
	}
	s.runUntil(simFaulty + simCalm)
	s.atRest()
	return s.failure
}

// publish makes the next view; every member hears of it in its own time.
func (s *sim) publish(members []driver.Member) {
	s.view = driver.View{Incarnation: "sim", Epoch: s.view.Epoch + 1, Previous: s.view.Epoch, Members: members}
	s.table = narrowTable(s.view, simIdentities)
	s.logf("view %d %v", s.view.Epoch, members)
	for _, m := range members {
		s.deliver(m.ID, s.ms(120))
	}
}

// narrowTable is NewTable for the slots in play. The others would take nearly
// all of the time and show nothing.
func narrowTable(v driver.View, identities []driver.Identity) *Table {
	return newTable(v, func(yield func(Slot) bool) {
		for _, id := range identities {
			if !yield(SlotOf(id)) {
				return
			}
		}
	})
}

// deliver lets a member see whatever view is newest then: it may skip some.
func (s *sim) deliver(id driver.MemberID, d Time) {
	if s.faulty(100) {
		d += s.ms(1500)
	}
	s.after(d, func() {
		m := s.members[id]
		if m == nil || m.seen >= s.view.Epoch {
			return
		}
		if _, in := s.view.Member(id); !in {
			return
		}
		m.seen = s.view.Epoch
		ev := ViewChanged{View: s.view, Table: s.table}
		s.host(m, ev)
		s.owner(m, ev)
	})
}

func (s *sim) join() {
	s.born++
	id := driver.MemberID(fmt.Sprintf("m%d", s.born))
	m := &simMember{
		id: id, marks: make(map[Slot]driver.Fence),
		host:  NewHost(id, HostConfig{ReportBytes: 48}),
		owner: NewOwner(id, OwnerConfig{Patience: 2000 * simMillisecond}),
	}
	m.host.broken, m.owner.broken = s.broken, s.broken
	s.members[id] = m
	s.publish(append(slices.Clone(s.view.Members), driver.Member{
		ID: id, Address: string(id), Kinds: []driver.Kind{{Name: "k"}},
	}))
}

// churn is one change of membership, and the next one to come.
func (s *sim) churn() {
	if s.now > simFaulty {
		return
	}
	// Changes come in bursts, so that members skip views in which a slot was
	// somebody else's.
	pause := s.ms(900)
	if s.rng.IntN(3) == 0 {
		pause = s.ms(80)
	}
	s.after(pause, s.churn)
	active := slices.DeleteFunc(slices.Clone(s.view.Members), func(m driver.Member) bool {
		return m.State != driver.Active || s.members[m.ID] == nil
	})
	switch pick := s.rng.IntN(4); {
	case len(active) < 2, pick == 0 && len(active) < 5:
		s.join()
	case pick == 1:
		s.crash(active[s.rng.IntN(len(active))].ID)
	case pick == 2:
		s.leave(active[s.rng.IntN(len(active))].ID)
	default:
		s.publish(slices.Clone(s.view.Members)) // nothing but a new epoch
	}
}

func (s *sim) crash(id driver.MemberID) {
	s.logf("%s crashes", id)
	delete(s.members, id)
	for _, at := range s.live {
		delete(at, id)
	}
	s.after(s.ms(500), func() { s.remove(id) })
}

func (s *sim) remove(id driver.MemberID) {
	if _, in := s.view.Member(id); in {
		s.publish(slices.DeleteFunc(slices.Clone(s.view.Members), func(m driver.Member) bool { return m.ID == id }))
	}
}

func (s *sim) leave(id driver.MemberID) {
	s.logf("%s leaves", id)
	members := slices.Clone(s.view.Members)
	for i := range members {
		if members[i].ID == id {
			members[i].State = driver.Leaving
		}
	}
	s.members[id].leaving = true
	s.publish(members)
	s.after(s.ms(300), func() { s.emptied(id) })
}

// emptied stops what a leaving member hosts, and removes it when it is empty
// and knows that it takes nothing new.
func (s *sim) emptied(id driver.MemberID) {
	m := s.members[id]
	if m == nil {
		return
	}
	hosted := 0
	for _, ident := range s.identities {
		if f, on := s.live[ident][id]; on {
			hosted++
			s.stop(id, ident, f)
		}
	}
	if hosted > 0 || !m.host.leaving {
		s.after(s.ms(200), func() { s.emptied(id) })
		return
	}
	s.logf("%s is gone", id)
	delete(s.members, id)
	s.remove(id)
}

// send is the network.
func (s *sim) send(from driver.MemberID, e Send) {
	if s.faulty(80) {
		s.logf("lost: %s→%s %T%+v", from, e.To, e.Message, e.Message)
		return
	}
	copies := 1
	if s.faulty(80) {
		copies = 2
	}
	for range copies {
		d := s.ms(20)
		if s.faulty(60) {
			d += s.ms(1200)
		}
		s.after(d, func() {
			m := s.members[e.To]
			if m == nil {
				return
			}
			if s.tracing {
				s.logf("%s→%s %T %+v", from, e.To, e.Message, brief(e.Message))
			}
			switch e.Message.(type) {
			case *Prepare, *Spawn, *Verify, *StopOrder, *DeactivatedAck:
				s.host(m, Received{from, e.Message, string(from)})
			default:
				s.owner(m, Received{from, e.Message, string(from)})
			}
		})
	}
}

func brief(m Message) any {
	switch m := m.(type) {
	case *Prepare:
		return fmt.Sprintf("term %d, %d slots", m.Term, len(m.Slots))
	case *Promise:
		return fmt.Sprintf("term %d, empty %d, stale %d, %+v", m.Term, len(m.Empty), len(m.Stale), m.Reports)
	default:
		return m
	}
}

func (s *sim) host(m *simMember, ev Event) {
	effects := m.host.Step(s.now, ev)
	for _, id := range s.identities {
		slot := SlotOf(id)
		mark := driver.Fence{Term: m.host.slots.at(slot).promised, Seq: m.host.slots.at(slot).seq}
		if mark.Compare(m.marks[slot]) < 0 {
			s.failf("invariant 2: %s lowered its marks of slot %d from %v to %v", m.id, slot, m.marks[slot], mark)
		}
		m.marks[slot] = mark
	}
	s.carry(m, effects)
}

func (s *sim) owner(m *simMember, ev Event) {
	effects := m.owner.Step(s.now, ev)
	if _, promise := receivedMessage(ev).(*Promise); promise {
		s.noGhosts(m)
	}
	if _, changed := ev.(ViewChanged); changed {
		s.notDeposed(m)
	}
	s.carry(m, effects)
}

func receivedMessage(ev Event) Message {
	r, _ := ev.(Received)
	return r.Message
}

// notDeposed checks that what an owner keeps open is still its own: no host has
// promised the slot to a later owner in a view that this one has seen.
func (s *sim) notDeposed(m *simMember) {
	for _, id := range s.identities {
		slot := m.owner.slots[SlotOf(id)]
		if slot == nil || len(slot.missing) > 0 {
			continue
		}
		for _, host := range s.members {
			if term, to := host.host.Promised(SlotOf(id)); term > slot.term && term <= m.owner.view.Epoch {
				s.failf("invariant 3: %s keeps slot %d open in term %d, %s has promised %d to %s",
					m.id, SlotOf(id), slot.term, host.id, term, to)
			}
		}
	}
}

// noGhosts checks what an owner has learnt from reports: an entry is alive on
// its host, or the host still has a notice of its end to deliver.
func (s *sim) noGhosts(m *simMember) {
	m.owner.Each(func(e Entry, host driver.MemberID) bool {
		h := s.members[host]
		if h == nil || s.live[e.Identity][host] == e.Fence || h.host.ended[e] != nil {
			return true
		}
		if g := m.owner.slots[SlotOf(e.Identity)].grants[e.Identity]; g.phase == granted && !g.verifying {
			s.failf("invariant 9: %s has %s %v, which ended on %s and was acknowledged", m.id, e.Identity, e.Fence, host)
		}
		return true
	})
}

func (s *sim) carry(m *simMember, effects []Effect) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case Send:
			s.send(m.id, e)
		case Start:
			s.start(m, e)
		case Stop:
			s.stop(m.id, e.Identity, e.Fence)
		case Answer:
			s.answer(m, e)
		case Refresh:
			s.deliver(m.id, s.ms(30))
		case Forged:
			s.failf("invariant: %s refused a message of %s from %s", m.id, e.From, e.Address)
		case Violation:
			s.failf("audit at %s: %s: %s", m.id, e.Identity, e.What)
		}
	}
	s.tick(m)
}

func (s *sim) tick(m *simMember) {
	if m.ticking || !m.host.Pending() && !m.owner.Pending() {
		return
	}
	m.ticking = true
	s.after(50*simMillisecond, func() {
		m.ticking = false
		if s.members[m.id] == m {
			s.host(m, Tick{})
			s.owner(m, Tick{})
		}
	})
}

// start checks invariants 1 and 4.
func (s *sim) start(m *simMember, e Start) {
	s.logf("%s starts %s %v", m.id, e.Identity, e.Fence)
	if s.live[e.Identity] == nil {
		s.live[e.Identity] = make(map[driver.MemberID]driver.Fence)
	}
	if others := s.live[e.Identity]; len(others) > 0 {
		s.failf("invariant 1: %s starts %s while it is active on %v", m.id, e.Identity, others)
	}
	if e.Fence.Compare(s.newest[e.Identity]) <= 0 {
		s.failf("invariant 4: %s of %s is not above %v", e.Fence, e.Identity, s.newest[e.Identity])
	}
	s.newest[e.Identity] = e.Fence
	s.live[e.Identity][m.id] = e.Fence
	if s.rng.IntN(3) > 0 { // passivated after a while
		s.after(s.ms(1500), func() { s.stop(m.id, e.Identity, e.Fence) })
	}
}

func (s *sim) stop(on driver.MemberID, id driver.Identity, f driver.Fence) {
	m := s.members[on]
	if m == nil || s.live[id][on] != f {
		return
	}
	s.logf("%s stops %s %v", on, id, f)
	s.host(m, StopBegun{id, f})
	s.after(s.ms(400), func() {
		if s.members[on] == m && s.live[id][on] == f {
			s.logf("%s has stopped %s %v", on, id, f)
			delete(s.live[id], on)
			s.host(m, Stopped{id, f})
		}
	})
}

// call asks a random member's idea of the owner, as long as there is one.
func (s *sim) call() {
	if s.now < simFaulty {
		s.after(s.ms(800), s.call)
	}
	s.ask(&simCall{identity: s.identities[s.rng.IntN(len(s.identities))]})
}

func (s *sim) ask(c *simCall) {
	owner, ok := s.table.Owner(SlotOf(c.identity))
	m := s.members[owner.ID]
	if !ok || m == nil {
		s.after(s.ms(100), func() { s.ask(c) })
		return
	}
	s.asked++
	c.request = s.asked
	s.calls[c.request] = c
	epoch := s.view.Epoch
	s.after(s.ms(20), func() {
		if s.members[owner.ID] == m {
			s.owner(m, Resolve{Request: c.request, Epoch: epoch, Identity: c.identity, Suspect: c.suspect})
		}
	})
	s.after(3000*simMillisecond, func() { // an answer that does not come is asked for again
		if s.calls[c.request] == c {
			delete(s.calls, c.request)
			s.ask(c)
		}
	})
}

func (s *sim) answer(m *simMember, a Answer) {
	c := s.calls[a.Request]
	if c == nil {
		return
	}
	delete(s.calls, a.Request)
	s.logf("%s answers %s: %d %s %v", m.id, c.identity, a.Outcome, a.Host, a.Fence)
	if a.Outcome != Found {
		s.after(s.ms(60), func() { s.ask(c) })
		return
	}
	s.after(s.ms(20), func() {
		// The call itself may be lost though the activation is there.
		if s.live[c.identity][a.Host] == a.Fence && !s.faulty(100) {
			s.answered++
			return
		}
		c.suspect = a.Fence
		s.ask(c)
	})
}

// atRest checks what must hold when nothing has been wrong for a while.
func (s *sim) atRest() {
	if s.failure != "" {
		return
	}
	for _, c := range s.calls {
		s.failf("invariant 10: no answer for %s", c.identity)
	}
	tables := make(map[Entry]driver.MemberID)
	for _, m := range s.members {
		if m.host.Pending() || m.owner.Pending() || m.owner.waiting != 0 {
			s.failf("invariant 9: %s is not at rest: host %v, owner %v, %d waiting",
				m.id, m.host.Pending(), m.owner.Pending(), m.owner.waiting)
		}
		m.owner.Each(func(e Entry, host driver.MemberID) bool {
			tables[e] = host
			return true
		})
	}
	hosted := 0
	for id, at := range s.live {
		for on, f := range at {
			hosted++
			if tables[Entry{id, f}] != on {
				s.failf("invariant 9: %s %v on %s is in no owner's table", id, f, on)
			}
		}
	}
	if hosted != len(tables) && s.failure == "" {
		s.failf("invariant 9: owners know %d activations, hosts have %d: %v", len(tables), hosted, tables)
	}
}

func simulate(seed uint64, broken faults) *sim {
	s := newSim(seed, broken)
	s.run()
	return s
}

func TestSimulation(t *testing.T) {
	var answered atomic.Int64
	runSeeds(t, *simRuns, func(seed uint64, traced bool) *engine {
		s := newSim(seed, faults{})
		s.tracing = traced
		s.run()
		answered.Add(int64(s.answered))
		return &s.engine
	})
	least := int64(30 * *simRuns)
	if *simSeed == 0 && answered.Load() < least && !t.Failed() {
		t.Errorf("%d calls were answered, not even %d: the simulation does not do its work", answered.Load(), least)
	}
	t.Logf("%d calls answered", answered.Load())
}
