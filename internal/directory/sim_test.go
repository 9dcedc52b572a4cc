package directory

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

var (
	simRuns = flag.Int("sim.runs", 300, "seeded runs of the directory simulation")
	simSeed = flag.Uint64("sim.seed", 0, "run only this seed, and print its trace")
)

const (
	ms         = Time(1_000_000)
	simQuiet   = 20_000 * ms // faults and calls end
	simEnd     = 60_000 * ms // everything is at rest
	simParts   = 2           // of the store, which lose their content apart
	simClients = 2
)

// sim runs members, clients and a store against one another. Every message, every
// operation, every view and every fault is an event.
type sim struct {
	rng     *rand.Rand
	now     Time
	events  []simEvent
	count   int
	tracing bool
	trace   []string
	failure string
	broken  faults

	view  driver.View // as published
	procs []*simProc
	ids   []driver.Identity
	last  map[driver.Identity]driver.Fence // the token of the last start
	store simStore
	asked int
	found int
}

type simEvent struct {
	at Time
	n  int
	do func()
}

// simProc is one process: a member, or a client if it has no host.
type simProc struct {
	id      driver.MemberID
	host    *Host
	view    driver.View
	dead    bool
	leaving bool
	clock   Time // how wrong its time of day is
	acts    map[driver.Identity]driver.Fence
	calls   map[uint64]func(Answer)
	calling uint64
	wake    Time
}

func newSim(seed uint64, broken faults, tracing bool) *sim {
	s := &sim{rng: rand.New(rand.NewPCG(seed, 7)), broken: broken, tracing: tracing, last: make(map[driver.Identity]driver.Fence)}
	s.store.empty()
	s.view = driver.View{Incarnation: "sim", Epoch: 1}
	for i := range 4 {
		s.ids = append(s.ids, driver.Identity{Kind: "k", Name: fmt.Sprint(i)})
	}
	return s
}

func simulate(seed uint64, broken faults, tracing bool) *sim {
	s := newSim(seed, broken, tracing)
	for range simClients {
		s.procs = append(s.procs, &simProc{})
	}
	for range 3 {
		s.join()
	}
	s.after(s.ms(200), s.nemesis)
	s.after(s.ms(50), s.caller)
	s.run(simQuiet)
	s.calm()
	s.run(simEnd)
	s.check()
	return s
}

func (s *sim) after(d Time, do func()) {
	s.count++
	ev := simEvent{s.now + max(d, 0), s.count, do}
	i, _ := slices.BinarySearchFunc(s.events, ev, func(a, b simEvent) int {
		if a.at != b.at {
			return int(min(max(b.at-a.at, -1), 1))
		}
		return b.n - a.n
	})
	s.events = slices.Insert(s.events, i, ev)
}

func (s *sim) run(until Time) {
	for s.failure == "" && len(s.events) > 0 {
		ev := s.events[len(s.events)-1]
		if ev.at > until {
			break
		}
		s.events = s.events[:len(s.events)-1]
		s.now = ev.at
		ev.do()
	}
	s.now = max(s.now, until)
}

func (s *sim) ms(most int) Time       { return Time(s.rng.IntN(most)+1) * ms }
func (s *sim) chance(in1000 int) bool { return s.now < simQuiet && s.rng.IntN(1000) < in1000 }

func (s *sim) note(f string, a ...any) {
	if s.tracing {
		s.trace = append(s.trace, fmt.Sprintf("%6d ms  ", s.now/ms)+fmt.Sprintf(f, a...))
	}
}

func (s *sim) failf(f string, a ...any) {
	if s.failure == "" {
		s.failure = fmt.Sprintf(f, a...)
		s.note("VIOLATION %s", s.failure)
	}
}

// publish makes a view, and lets everybody see it some time, or a later one.
func (s *sim) publish(change func([]driver.Member) []driver.Member) {
	s.view = driver.View{
		Incarnation: "sim", Epoch: s.view.Epoch + 1, Previous: s.view.Epoch, Members: change(slices.Clone(s.view.Members)),
	}
	s.note("view %d: %v", s.view.Epoch, s.view.Members)
	for _, p := range s.procs {
		late := s.ms(20)
		if s.chance(150) {
			late = s.ms(4000)
		}
		s.after(late, func() { s.sees(p) })
	}
}

func (s *sim) sees(p *simProc) {
	if p.dead || p.view.Epoch >= s.view.Epoch {
		return
	}
	p.view = s.view
	if p.host != nil {
		s.step(p, ViewChanged{s.view})
	}
}

func (s *sim) join() {
	p := &simProc{
		id: driver.MemberID(fmt.Sprintf("m%d", len(s.procs))), acts: make(map[driver.Identity]driver.Fence),
		calls: make(map[uint64]func(Answer)), clock: s.ms(60_000) - 30_000*ms,
	}
	p.host = NewHost(p.id, HostConfig{})
	p.host.broken = s.broken
	s.procs = append(s.procs, p)
	s.publish(func(m []driver.Member) []driver.Member {
		return append(m, driver.Member{ID: p.id, Address: string(p.id), Kinds: []driver.Kind{{Name: "k"}}})
	})
}

// nemesis does something bad from time to time.
func (s *sim) nemesis() {
	if s.now >= simQuiet {
		return
	}
	s.after(s.ms(1500), s.nemesis)
	p := s.procs[s.rng.IntN(len(s.procs))]
	switch s.rng.IntN(7) {
	case 0:
		if len(s.view.Members) < 5 {
			s.join()
		}
	case 1:
		if p.host != nil && !p.dead && len(s.view.Members) > 2 {
			s.note("%s crashes", p.id)
			p.dead = true
			s.after(s.ms(1000), func() { s.remove(p.id) })
		}
	case 2:
		if p.host != nil && !p.dead && !p.leaving && len(s.view.Members) > 2 {
			s.leave(p)
		}
	case 3:
		s.note("the store is emptied")
		s.store.empty()
	case 4:
		i := s.rng.IntN(simParts)
		s.note("part %d of the store fails over", i)
		s.store.failover(i)
	case 5:
		s.store.snapshot()
	case 6:
		s.store.down = s.now + s.ms(2000)
	}
}

func (s *sim) remove(id driver.MemberID) {
	s.publish(func(m []driver.Member) []driver.Member {
		return slices.DeleteFunc(m, func(m driver.Member) bool { return m.ID == id })
	})
}

// leave takes a member out of the view once it has seen that it is leaving, and
// is empty.
func (s *sim) leave(p *simProc) {
	s.note("%s leaves", p.id)
	p.leaving = true
	s.publish(func(m []driver.Member) []driver.Member {
		for i := range m {
			if m[i].ID == p.id {
				m[i].State = driver.Leaving
			}
		}
		return m
	})
	var goes func()
	goes = func() {
		me, in := p.view.Member(p.id)
		switch {
		case p.dead:
		case in && me.State == driver.Leaving && len(p.acts) == 0:
			p.dead = true
			s.remove(p.id)
		default:
			if me.State == driver.Leaving {
				for _, id := range s.ids {
					s.stop(p, id)
				}
			}
			s.after(50*ms, goes)
		}
	}
	s.after(10*ms, goes)
}

// stop lets an activation stop, which takes a while.
func (s *sim) stop(p *simProc, id driver.Identity) {
	token, active := p.acts[id]
	if p.dead || !active {
		return
	}
	s.step(p, StopBegun{id, token})
	s.after(s.ms(300), func() {
		if !p.dead && p.acts[id] == token {
			s.note("%s has stopped %s %v", p.id, id, token)
			delete(p.acts, id)
			s.step(p, Stopped{id, token})
		}
	})
}

func (s *sim) step(p *simProc, ev Event) {
	if p.dead || s.failure != "" {
		return
	}
	for _, e := range p.host.Step(s.now, ev) {
		s.carry(p, e)
	}
	if p.wake <= s.now {
		s.arm(p)
	}
}

func (s *sim) arm(p *simProc) {
	p.wake = max(p.host.Wake(s.now), s.now+ms)
	s.after(p.wake-s.now, func() { s.step(p, Tick{}) })
}

func (s *sim) carry(p *simProc, e Effect) {
	switch e := e.(type) {
	case Start:
		s.started(p, e)
	case Stop:
		s.stop(p, e.Identity)
	case Answer:
		if answered := p.calls[e.Request]; answered != nil {
			delete(p.calls, e.Request)
			answered(e)
		}
	case Greet:
		s.send(e.To, func(to *simProc) { s.step(to, Greeted{p.id, e.Epoch}) })
	case SeeGreeting:
		s.send(e.To, func(to *simProc) { s.step(to, GreetingSeen{p.id, e.Epoch}) })
	case Refresh:
		s.after(s.ms(100), func() { s.sees(p) })
	case Violation:
		s.failf("%s says: %s: %s", p.id, e.Identity, e.What)
	case EraChanged:
		s.note("%s: era %v, open %v", p.id, e.Era, e.Open)
	default:
		s.operate(p, e)
	}
}

func (s *sim) started(p *simProc, e Start) {
	s.note("%s starts %s %v", p.id, e.Identity, e.Token)
	for _, other := range s.procs {
		if other.dead || other.host == nil {
			continue
		}
		if token, active := other.acts[e.Identity]; active {
			s.failf("invariant 1: %s starts %s %v, and %s has it as %v", p.id, e.Identity, e.Token, other.id, token)
		}
	}
	if s.last[e.Identity].Compare(e.Token) >= 0 {
		s.failf("invariant 2: %s starts %s %v after %v", p.id, e.Identity, e.Token, s.last[e.Identity])
	}
	s.last[e.Identity] = e.Token
	p.acts[e.Identity] = e.Token
}

// send gives a message to a process, or loses it.
func (s *sim) send(to driver.MemberID, deliver func(*simProc)) {
	if s.chance(50) {
		return
	}
	for _, p := range s.procs {
		if p.id == to && p.host != nil {
			s.after(s.ms(10), func() {
				if !p.dead {
					deliver(p)
				}
			})
		}
	}
}

// caller calls an identity from somewhere, and stops one now and then.
func (s *sim) caller() {
	if s.now >= simQuiet {
		return
	}
	s.after(s.ms(30), s.caller)
	p, id := s.procs[s.rng.IntN(len(s.procs))], s.ids[s.rng.IntN(len(s.ids))]
	if s.chance(250) {
		if p.host != nil {
			s.stop(p, id)
		}
		return
	}
	s.asked++
	s.ask(p, id, driver.Fence{}, 0)
}

// ask is what a lookup does: it reads, judges, and asks a member to place.
func (s *sim) ask(p *simProc, id driver.Identity, suspect driver.Fence, tries int) {
	if p.dead {
		s.asked-- // nobody waits
		return
	}
	again := func() { s.after(s.ms(100), func() { s.ask(p, id, suspect, tries+1) }) }
	s.inStore(func() (driver.Entry, bool) {
		e, ok := s.store.read(id)
		return e, ok
	}, func(e driver.Entry, ok bool) {
		if !ok || p.dead {
			again()
			return
		}
		verdict := Judge(p.view, e, 0)
		switch {
		case verdict == Live && e.Token != suspect:
			s.call(p, id, e, tries)
		case verdict == Live:
			s.placeAt(p, e.Member, id, e.Token, tries)
		default:
			if verdict == Unknown && !s.broken.voidUnseen {
				s.after(s.ms(100), func() { s.sees(p) })
				e.Token = driver.Fence{}
			}
			if len(p.view.Members) == 0 {
				again()
				return
			}
			s.placeAt(p, p.view.Members[s.rng.IntN(len(p.view.Members))].ID, id, e.Token, tries)
		}
	})
}

func (s *sim) placeAt(p *simProc, at driver.MemberID, id driver.Identity, over driver.Fence, tries int) {
	done := false
	s.after(1000*ms, func() {
		if !done {
			done = true
			s.ask(p, id, driver.Fence{}, tries+1)
		}
	})
	s.send(at, func(host *simProc) {
		host.calling++
		host.calls[host.calling] = func(a Answer) {
			s.after(s.ms(10), func() {
				if done {
					return
				}
				done = true
				if a.Outcome == Found {
					s.call(p, id, a.Entry, tries)
				} else {
					s.after(s.ms(100), func() { s.ask(p, id, driver.Fence{}, tries+1) })
				}
			})
		}
		s.step(host, Place{Request: host.calling, Identity: id, Over: over})
	})
}

// call calls the activation that an entry names. If it is not there, that is
// suspected.
func (s *sim) call(p *simProc, id driver.Identity, e driver.Entry, tries int) {
	if s.now >= simEnd-5000*ms || tries > 2000 {
		return
	}
	answered := false
	s.send(e.Member, func(host *simProc) {
		if host.acts[id] == e.Token {
			answered = true
			s.found++
		}
	})
	s.after(30*ms, func() {
		if !answered {
			s.ask(p, id, e.Token, tries+1)
		}
	})
}

// calm ends what is going on, and lets everybody call everything once more.
func (s *sim) calm() {
	s.store.down = 0
	for _, p := range s.procs {
		s.after(ms, func() { s.sees(p) })
	}
	// The claims of new ones find out if a part has lost its content.
	for _, id := range append(s.ids, driver.Identity{Kind: "k", Name: "8"}, driver.Identity{Kind: "k", Name: "9"}) {
		s.asked++
		s.ask(s.procs[0], id, driver.Fence{}, 0)
	}
}

// check is what holds at rest.
func (s *sim) check() {
	if s.found != s.asked {
		s.failf("invariant 4: %d calls, %d answers", s.asked, s.found)
	}
	entries := s.store.entries()
	acts := make(map[driver.Identity]driver.Fence)
	for _, p := range s.procs {
		if p.dead || p.host == nil {
			continue
		}
		maps.Copy(acts, p.acts)
		if _, open := p.host.Era(); !open {
			s.failf("at rest, %s is in no open era: %+v, record %+v", p.id, p.host.keeper, s.store.record)
		}
		for id, token := range p.acts {
			if e := entries[id]; e.Token != token || e.Member != p.id {
				s.failf("invariant 3: %s has %s %v, and the entry is %+v", p.id, id, token, e)
			}
		}
		if len(p.host.asking) > 0 || len(p.host.ending) > 0 || len(p.host.greet) > 0 {
			s.failf("at rest, %s has %d askers, %d ends and %d greetings", p.id, len(p.host.asking), len(p.host.ending), len(p.host.greet))
		}
	}
}

func TestSimulation(t *testing.T) {
	t.Parallel()
	if *simSeed != 0 {
		s := simulate(*simSeed, faults{}, true)
		t.Logf("%s", strings.Join(s.trace, "\n"))
		if s.failure != "" {
			t.Error(s.failure)
		}
		return
	}
	calls := 0
	for seed := uint64(1); seed <= uint64(*simRuns); seed++ {
		s := simulate(seed, faults{}, false)
		calls += s.found
		if s.failure != "" {
			trace := simulate(seed, faults{}, true).trace
			t.Fatalf("seed %d: %s\nreplay with -run='^TestSimulation$' -args -sim.seed=%d; the end of its trace:\n%s",
				seed, s.failure, seed, strings.Join(trace[max(0, len(trace)-60):], "\n"))
		}
	}
	t.Logf("%d runs, %d calls answered", *simRuns, calls)
}
