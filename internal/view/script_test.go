package view

import (
	"fmt"
	"strings"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// script is a machine whose peers the test plays.
type script struct {
	t       *testing.T
	machine *Machine
	now     Time
	effects []Effect
}

func entry(name string) Entry {
	return Entry{Member: driver.Member{ID: driver.MemberID(name), Address: name + ":1"}, Ping: name + ":2"}
}

// newScript makes a machine that is called m and knows the peers by its list.
func newScript(t *testing.T, peers ...string) *script {
	t.Helper()
	s := &script{t: t}
	c := Config{Cluster: "c", Self: entry("m"), Interval: second, Quick: 200 * ms, Missed: 3, Incarnation: "new", UnixMilli: 1000}
	for _, p := range peers {
		c.Hosts = append(c.Hosts, p+":2")
	}
	s.machine = New(c)
	for _, h := range c.Hosts {
		s.do(Resolved{Host: h, Addresses: []string{h}})
	}
	return s
}

// do steps the machine and gives what it wants done.
func (s *script) do(e Event) []Effect {
	effects := s.machine.Step(s.now, e)
	s.effects = append(s.effects, effects...)
	return effects
}

// pass lets time pass, with a tick whenever one is wanted.
func (s *script) pass(d Time) {
	for end := s.now + d; ; s.do(Tick{}) {
		wake, wanted := s.machine.Wake()
		if !wanted || wake > end {
			s.now = end
			return
		}
		s.now = max(s.now, wake)
	}
}

// view makes a view of the named members, with m's entry as it is.
func (s *script) view(epoch uint64, names ...string) View {
	v := View{Incarnation: "old", Epoch: epoch, Previous: epoch - 1}
	for _, n := range names {
		v.Entries = append(v.Entries, entry(n))
	}
	return v
}

// member is what somebody in a view says.
func member(name string, v View) Greeting {
	return Greeting{Cluster: "c", Sender: entry(name), Phase: Joined, Incarnation: v.Incarnation, Epoch: v.Epoch, View: &v}
}

func newcomer(name string) Greeting {
	return Greeting{Cluster: "c", Sender: entry(name)}
}

// hear gives the machine a ping and returns its answer.
func (s *script) hear(g Greeting) Greeting {
	s.t.Helper()
	effects := s.do(Received{g})
	answer, ok := effects[len(effects)-1].(Answer)
	if !ok {
		s.t.Fatalf("%v was answered by %v", g, effects)
	}
	return answer.Greeting
}

// reply answers the ping that is under way to a peer, as that peer.
func (s *script) reply(g Greeting) {
	s.t.Helper()
	p := s.machine.peers[g.Sender.Ping]
	if p == nil || p.seq == 0 {
		s.t.Fatalf("%s was not pinged", g.Sender.Member)
	}
	s.do(Answered{Address: g.Sender.Ping, Seq: p.seq, Greeting: g})
}

// miss lets the ping that is under way to a peer fail.
func (s *script) miss(name string) {
	s.t.Helper()
	p := s.machine.peers[name+":2"]
	if p == nil || p.seq == 0 {
		s.t.Fatalf("%s was not pinged", name)
	}
	s.do(Failed{Address: name + ":2", Seq: p.seq, Why: "no answer"})
}

// members names those in the view, in order; "-" if m is in none.
func (s *script) members() string {
	v, in := s.machine.View()
	if !in {
		return "-"
	}
	var names []string
	for _, e := range v.Entries {
		name := string(e.Member.ID)
		if e.Member.State == driver.Leaving {
			name += "!"
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func (s *script) want(members string) {
	s.t.Helper()
	if got := s.members(); got != members {
		s.t.Fatalf("the view is %q, want %q; effects: %v", got, members, s.effects)
	}
}

// joined makes a script in which m is the last of a view, or the only one.
func joined(t *testing.T, names ...string) *script {
	t.Helper()
	s := newScript(t, names...)
	s.pass(0)
	if len(names) == 0 {
		s.pass(second)
	} else {
		s.hear(member(names[0], s.view(10<<idBits, append(names, "m")...)))
	}
	s.want(strings.Join(append(names, "m"), " "))
	return s
}

func (s *script) has(want Effect) bool {
	for _, e := range s.effects {
		if fmt.Sprintf("%T", e) == fmt.Sprintf("%T", want) {
			return true
		}
	}
	return false
}

func TestFoundsAloneWhenHostsFailedTwice(t *testing.T) {
	s := newScript(t, "a", "m")
	s.pass(0)
	s.reply(newcomer("m"))
	s.miss("a")
	s.pass(500 * ms)
	s.want("-")
	s.miss("a")
	s.want("m")
	v, _ := s.machine.View()
	if v.Incarnation != "new" || v.Previous != 0 || v.Epoch>>idBits != 1000+500 {
		t.Errorf("first view %+v", v)
	}
}

func TestListensForOthersWhenNobodyAnswers(t *testing.T) {
	s := newScript(t, "a")
	for range 14 {
		s.pass(200 * ms)
		s.miss("a")
		s.want("-")
	}
	s.pass(200 * ms)
	s.want("m")
}

func TestLowestNewcomerFoundsWithThoseItReaches(t *testing.T) {
	s := newScript(t, "m", "z", "y", "x")
	s.pass(0)
	s.reply(newcomer("m"))
	s.reply(newcomer("z"))
	s.reply(newcomer("y"))
	s.miss("x")
	s.pass(400 * ms)
	s.reply(newcomer("m"))
	s.reply(newcomer("z"))
	s.reply(newcomer("y"))
	s.want("-")
	s.miss("x")
	s.want("m y z")

	s = newScript(t, "a")
	s.pass(0)
	s.reply(newcomer("a"))
	s.pass(10 * second)
	s.want("-") // a is lower
	if why := s.machine.Waiting(); why != "waiting for a(a:1) to make the first view" {
		t.Errorf("waiting: %q", why)
	}
}

func TestWaitsWhereSomebodyHasAView(t *testing.T) {
	s := newScript(t, "a", "b")
	s.pass(0)
	s.reply(member("a", s.view(5, "a")))
	s.miss("b")
	s.pass(second)
	s.miss("b")
	s.pass(10 * second)
	s.want("-")
	if why := s.machine.Waiting(); !strings.Contains(why, "waiting to be taken in") {
		t.Errorf("waiting: %q", why)
	}
	// A member that dies meanwhile must fail as often as any member.
	for i := range 3 {
		s.want("-")
		s.miss("a")
		s.pass(second)
		if i == 1 {
			s.want("-")
		}
	}
	s.miss("b")
	s.want("m")
	if v, _ := s.machine.View(); v.Epoch <= 5 {
		t.Errorf("epoch %d", v.Epoch)
	}
}

func TestOneMissedPingNeverRemoves(t *testing.T) {
	s := joined(t, "a", "b")
	for range 20 {
		for range 2 {
			s.pass(second)
			s.miss("a")
			s.miss("b")
		}
		s.want("a b m")
		// What it says itself counts as much as what it answers.
		s.hear(member("a", s.view(10<<idBits, "a", "b", "m")))
		s.pass(second)
		s.miss("a")
		s.reply(member("b", s.view(10<<idBits, "a", "b", "m")))
		s.hear(member("a", s.view(10<<idBits, "a", "b", "m")))
		s.want("a b m")
	}
}

func TestOnlyTheCoordinatorMakesViews(t *testing.T) {
	s := joined(t, "a", "b")
	for range 5 {
		s.pass(second)
		s.miss("b")
		s.reply(member("a", s.view(10<<idBits, "a", "b", "m")))
	}
	s.want("a b m") // b is lost, but a is there to say so
	for range 2 {
		s.pass(second)
		s.miss("a")
		s.want("a b m")
	}
	s.pass(second)
	s.miss("a")
	s.want("m")
	if v, _ := s.machine.View(); v.Epoch>>idBits != 11 || v.Previous != 10<<idBits {
		t.Errorf("view %+v", v)
	}
}

func TestAnswerUnderANewIdProvesThatTheOldOneIsGone(t *testing.T) {
	s := joined(t)
	s.hear(newcomer("b"))
	s.reply(newcomer("b"))
	s.pass(200 * ms)
	s.want("m b")
	again := newcomer("b")
	again.Sender.Member.ID = "b2"
	// A ping alone proves nothing: anybody may send it.
	s.hear(again)
	s.want("m b")
	s.pass(second)
	s.reply(again)
	s.want("m b2")
	if g := s.hear(newcomer("b")); !g.Dropped {
		t.Error("the old id is not told that it was dropped")
	}
}

func TestLateAnswersAreNotTaken(t *testing.T) {
	s := joined(t)
	s.hear(newcomer("b"))
	s.reply(newcomer("b"))
	s.pass(200 * ms)
	s.want("m b")
	old := s.machine.peers["b:2"].newest + 1
	again := newcomer("b")
	again.Sender.Member.ID = "b2"
	s.pass(second)
	s.reply(again)
	s.want("m b2")
	v, _ := s.machine.View()
	s.do(Answered{Address: "b:2", Seq: old, Greeting: member("b", s.view(5, "m", "b"))})
	if now, _ := s.machine.View(); now.Epoch != v.Epoch {
		t.Errorf("it became %q", s.members())
	}
}

func TestWhatWasHeardOfAPredecessorDoesNotCount(t *testing.T) {
	s := joined(t, "a")
	s.hear(newcomer("x"))
	s.reply(newcomer("x"))
	next := s.view(11<<idBits, "a", "m", "x")
	next.Entries[2].Member.ID = "x2"
	s.hear(member("a", next))
	s.want("a m x2")
	for range 3 {
		s.pass(second)
		s.miss("a")
	}
	s.want("m x2")
}

func TestNewcomerBelievesAMemberThatItCannotReach(t *testing.T) {
	s := newScript(t, "m")
	s.pass(0)
	s.reply(newcomer("m"))
	for range 10 {
		far := member("y", s.view(5, "y"))
		far.View = nil
		s.hear(far)
		s.pass(200 * ms)
		s.miss("y")
		s.reply(newcomer("m"))
		s.want("-")
	}
	s.pass(3 * second)
	s.miss("y")
	s.want("m")
}

func TestRefusals(t *testing.T) {
	for want, change := range map[string]func(*Entry){
		"address m:1 is held by member m":                 func(e *Entry) { e.Member.Address = "m:1" },
		"no protocol version in common: it speaks 5 to 6": func(e *Entry) { e.Member.Versions = driver.Versions{Min: 5, Max: 6} },
		`kind "K" is registered as guarantee(7) here`:     func(e *Entry) { e.Member.Kinds = []driver.Kind{{Name: "K", Guarantee: 7}} },
		`kind "K" is placed by the strategy "S" here and round robin on member m(m:1): give it the same strategy`: func(e *Entry) {
			e.Member.Kinds = []driver.Kind{{Name: "K", Strategy: "S"}}
		},
		"ping address m:2 leads back to the coordinator m(m:1); ": func(e *Entry) { e.Ping = "m:2" },
	} {
		s := newScript(t)
		s.machine.self.Member.Kinds = []driver.Kind{{Name: "K"}}
		s.pass(second)
		s.want("m")
		g := newcomer("b")
		change(&g.Sender)
		first := s.hear(g)
		if g.Sender.Ping != "m:2" {
			s.reply(g)
		}
		s.pass(second)
		if got := s.hear(g).Refusal; !strings.Contains(got, want) {
			t.Errorf("refusal %q, then %q; want %q", first.Refusal, got, want)
		}
		s.want("m")
	}
}

func TestNewcomerIsToldOnce(t *testing.T) {
	s := newScript(t, "a")
	refused := member("a", s.view(5, "a"))
	refused.Refusal = "no room"
	s.pass(0)
	for range 3 {
		s.reply(refused)
		s.pass(second)
	}
	held := 0
	for _, e := range s.effects {
		if h, ok := e.(Held); ok && h.Why == "no room" {
			held++
		}
	}
	if held != 1 || s.machine.Waiting() != "no room" {
		t.Errorf("told %d times, waiting: %q", held, s.machine.Waiting())
	}
	refused.Refusal = ""
	s.reply(refused)
	if s.machine.Waiting() == "no room" {
		t.Error("the refusal outlives its cause")
	}
}

func TestFullView(t *testing.T) {
	s := newScript(t, "x1")
	names := []string{"m"}
	for len(names) < MaxMembers {
		names = append(names, fmt.Sprint("x", len(names)))
	}
	s.hear(member("x1", s.view(5<<idBits, names...)))
	if got := s.hear(newcomer("b")).Refusal; !strings.Contains(got, "the view is full: it has 256 members") {
		t.Errorf("refusal %q", got)
	}
}

func TestHigherViewWithoutMeRemoves(t *testing.T) {
	s := joined(t, "a")
	s.hear(member("x", s.view(9<<idBits, "x")))
	s.want("a m") // a lower one does not count
	s.effects = nil
	answer := s.hear(member("x", s.view(11<<idBits, "x")))
	s.want("-")
	if !s.has(Removed{}) || answer.Phase != Gone {
		t.Errorf("effects %v, answer %v", s.effects, answer)
	}
	// Those it was with learn of it.
	passed := false
	for _, e := range s.effects {
		if send, ok := e.(Send); ok && send.Address == "a:2" && send.Greeting.View != nil && send.Greeting.Epoch == 11<<idBits {
			passed = true
		}
	}
	if !passed {
		t.Errorf("a is not told: %v", s.effects)
	}
	s.pass(10 * second)
	s.effects = nil
	s.pass(10 * second)
	if len(s.effects) > 0 {
		t.Errorf("a removed member goes on: %v", s.effects)
	}
}

func TestEqualEpochsOfTwoViewsAreResolved(t *testing.T) {
	s := joined(t)
	v, _ := s.machine.View()
	other := s.view(v.Epoch, "x")
	s.hear(member("x", other))
	if now, _ := s.machine.View(); now.Epoch <= v.Epoch {
		t.Errorf("epoch stays %d", now.Epoch)
	}
}

func TestDrainAndLeave(t *testing.T) {
	s := joined(t, "a")
	s.pass(second)
	s.reply(member("a", s.view(10<<idBits, "a", "m")))
	s.do(Drain{})
	if p := s.machine.peers["a:2"]; p.seq == 0 {
		t.Error("the coordinator is not told at once")
	}
	leaving := s.view(11<<idBits, "a", "m")
	leaving.Entries[1].Member.State = driver.Leaving
	s.reply(member("a", leaving))
	s.want("a m!")
	s.do(Leave{})
	s.reply(member("a", s.view(12<<idBits, "a")))
	s.want("-")
	if !s.has(Left{}) {
		t.Errorf("effects %v", s.effects)
	}
}

func TestDepartingCoordinatorTellsEverybodyInReach(t *testing.T) {
	s := joined(t)
	for _, n := range []string{"b", "c"} {
		s.hear(newcomer(n))
		s.reply(newcomer(n))
	}
	s.pass(200 * ms)
	s.want("m b c")
	s.do(Leave{})
	s.want("-")
	v, _ := s.machine.View()
	s.reply(member("b", s.view(v.Epoch-1, "m", "b", "c"))) // on its way since before
	s.pass(200 * ms)
	s.miss("c")
	s.reply(member("b", v))
	s.pass(200 * ms)
	s.reply(member("c", s.view(v.Epoch-1, "m", "b", "c")))
	if s.has(Left{}) {
		t.Fatal("did not wait until c knew")
	}
	s.pass(200 * ms)
	s.miss("c")
	if !s.has(Left{}) {
		t.Errorf("effects %v", s.effects)
	}
	s.effects = nil
	s.do(Leave{})
	if s.has(Left{}) {
		t.Error("left twice")
	}
}

func TestRefreshPingsTheCoordinatorAtOnce(t *testing.T) {
	s := joined(t, "a", "b")
	s.pass(second)
	for _, n := range []string{"a", "b", "a", "b"} { // the second time the next is not due yet
		s.reply(member(n, s.view(10<<idBits, "a", "b", "m")))
	}
	s.do(Refresh{10 << idBits})
	if s.machine.peers["a:2"].seq != 0 {
		t.Error("a view that is known was asked for")
	}
	s.do(Refresh{11 << idBits})
	if s.machine.peers["a:2"].seq == 0 || s.machine.peers["b:2"].seq != 0 {
		t.Error("want a ping of the coordinator, and of nobody else")
	}
}

func TestOtherClusterIsRefused(t *testing.T) {
	s := joined(t, "a")
	g := newcomer("x")
	g.Cluster = "d"
	effects := s.do(Received{g})
	if r, ok := effects[0].(Refuse); !ok || r.Why != `this process belongs to cluster "c", not to "d"` {
		t.Errorf("effects %v", effects)
	}
	if s.machine.peers["x:2"] != nil {
		t.Error("it was learnt all the same")
	}
}

func TestLearntAddressesAreBounded(t *testing.T) {
	s := joined(t, "a")
	for i := range 10 * maxLearnt {
		s.hear(newcomer(fmt.Sprint("x", i)))
		s.pass(ms)
	}
	if n := len(s.machine.peers); n > maxLearnt+1 {
		t.Errorf("%d peers", n)
	}
	if s.machine.peers["a:2"] == nil {
		t.Error("a member was forgotten")
	}
	forgotten, pings := 0, make(map[string]Send)
	for _, e := range s.effects {
		switch e := e.(type) {
		case Forget:
			forgotten++
		case Send:
			pings[e.Address] = e
		}
	}
	if forgotten != 9*maxLearnt || len(pings) != maxProbes+1 {
		t.Errorf("%d were forgotten; %d pings are under way, want %d and one of the member", forgotten, len(pings), maxProbes)
	}
	// The next ones wait for the outcome of these, whoever is still known.
	if wake, wanted := s.machine.Wake(); wanted && wake <= s.now {
		t.Errorf("wants a tick at %d, it is %d", wake, s.now)
	}
	late := pings["x0:2"]
	effects := s.do(Failed{Address: late.Address, Seq: late.Seq})
	if f, ok := effects[0].(Forget); !ok || f.Address != "x0:2" {
		t.Errorf("the outcome for a forgotten address has the effects %v", effects)
	}
	if send, ok := effects[len(effects)-1].(Send); !ok || pings[send.Address].Seq != 0 {
		t.Errorf("none of those that wait was pinged: %v", effects)
	}
}

func TestPeerThatPromisesAViewIsNotAskedInALoop(t *testing.T) {
	s := joined(t, "a")
	liar := member("a", s.view(10<<idBits, "a", "m"))
	liar.Epoch, liar.View = 99<<idBits, nil
	for range 10 {
		s.pass(100 * ms)
		if s.machine.peers["a:2"].seq != 0 {
			s.reply(liar)
		}
	}
	if s.machine.seq > 5 {
		t.Errorf("%d pings in a second", s.machine.seq)
	}
}

func TestDeadAddressOfALivingHostIsPingedAtLeisure(t *testing.T) {
	for dead, most := range map[string]int{"4:2": 11, "other:2": 100} {
		s := newScript(t)
		s.machine.hosts["m:2"], s.machine.hosts["other:2"] = new(host), new(host)
		s.do(Resolved{Host: "m:2", Addresses: []string{"4:2", "m:2"}})
		s.do(Resolved{Host: "other:2", Addresses: []string{"other:2"}})
		pings := 0
		for begin := s.now; s.now < begin+13*second; s.pass(50 * ms) {
			for address, p := range s.machine.peers {
				switch {
				case p.seq == 0:
				case address == "m:2":
					s.reply(newcomer("m"))
				default:
					if address == dead && s.now >= 3*second {
						pings++
					}
					s.miss(strings.TrimSuffix(address, ":2"))
				}
			}
		}
		s.want("m")
		if pings > most || pings < most*2/5 {
			t.Errorf("%s was pinged %d times in ten seconds", dead, pings)
		}
	}
}

// A member whose process is gone, so that connecting to it is refused, is lost after as many pings as any other, but
// these follow each other quickly.
func TestMemberThatRefusesIsLostQuickly(t *testing.T) {
	s := joined(t)
	s.hear(newcomer("b"))
	s.reply(newcomer("b"))
	s.pass(200 * ms)
	s.want("m b")
	s.pass(second)
	refuse := func() {
		t.Helper()
		p := s.machine.peers["b:2"]
		if p.seq == 0 {
			t.Fatal("b is not pinged")
		}
		s.do(Failed{Address: "b:2", Seq: p.seq, Why: "refused", Dead: true})
	}
	refuse()
	s.pass(s.machine.cfg.Quick)
	refuse()
	s.want("m b")
	s.pass(s.machine.cfg.Quick)
	refuse()
	s.want("m")
}

// A member whose connection ends is pinged at once; who answers is not lost by it, and who is silent is not pinged more
// often for it.
func TestMemberWhoseConnectionEnds(t *testing.T) {
	s := joined(t)
	s.hear(newcomer("b"))
	s.reply(newcomer("b"))
	s.pass(200 * ms)
	s.want("m b")
	if p := s.machine.peers["b:2"]; p.seq != 0 {
		s.reply(member("b", s.view(s.machine.view.Epoch, "m", "b")))
	}
	p := s.machine.peers["b:2"]
	s.do(Lost{Address: "b:2"})
	if p.seq == 0 {
		t.Fatal("b is not pinged at once")
	}
	due := p.due
	s.do(Lost{Address: "b:2"})
	if p.due != due {
		t.Error("while a ping is under way the end of the connection is news")
	}
	s.miss("b")
	s.do(Lost{Address: "b:2"})
	s.do(Lost{Address: "nobody:2"})
	if p.seq != 0 || p.missed != 1 || p.due <= s.now {
		t.Errorf("after a miss the end of the connection is news: %+v", p)
	}
}

// A view that takes in somebody who was in a view of others follows none, so that owners begin new terms; one that takes in who was
// in a view that is known here, or in none, follows the one before it.
func TestUnitesAfterASplit(t *testing.T) {
	const split, foreign = 10 << idBits, 11<<idBits | 7
	for name, c := range map[string]struct {
		former uint64
		unites bool
	}{
		"a new process":               {0, false},
		"one that was taken for dead": {split, false},
		"one of the other side":       {foreign, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := joined(t, "a")
			s.pass(second)
			s.miss("a")
			s.pass(2 * second)
			for s.members() != "m" {
				if p := s.machine.peers["a:2"]; p.seq != 0 {
					s.miss("a")
				}
				s.pass(200 * ms)
			}
			before, _ := s.machine.View()
			g := newcomer("b")
			g.Former = c.former
			s.hear(g)
			s.pass(0)
			s.reply(g)
			s.pass(second)
			s.want("m b")
			v, _ := s.machine.View()
			if unites := v.Previous == 0; unites != c.unites || !unites && v.Previous != before.Epoch {
				t.Errorf("the view %x was made from %x, and there was %x", v.Epoch, v.Previous, before.Epoch)
			}
			if s.machine.Former() != v.Epoch || s.machine.greeting(false).Former != 0 {
				t.Errorf("former views: %x, %x", s.machine.Former(), s.machine.greeting(false).Former)
			}
		})
	}
}

// What a process was in before it tells in all of its greetings.
func TestTellsItsFormerView(t *testing.T) {
	m := New(Config{Cluster: "c", Self: entry("m"), Interval: second, Missed: 3, Former: 5})
	if g := m.greeting(false); g.Former != 5 || m.Former() != 5 {
		t.Errorf("%+v, %d", g, m.Former())
	}
}

// A view is above all that those it unites have seen.
func TestUnitesAboveTheOtherSide(t *testing.T) {
	s := joined(t)
	before, _ := s.machine.View()
	g := newcomer("b")
	g.Former = before.Epoch + 5<<idBits
	s.hear(g)
	s.pass(0)
	s.reply(g)
	s.pass(second)
	if v, _ := s.machine.View(); v.Previous != 0 || v.Epoch <= g.Former {
		t.Errorf("the view %x, made from %x, unites one that was in %x", v.Epoch, v.Previous, g.Former)
	}
}
