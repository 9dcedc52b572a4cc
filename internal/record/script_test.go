package record

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

const (
	ms     Time = 1e6
	second Time = 1e9
	ttl         = 10 * second
)

func named(id string) driver.Member {
	return driver.Member{ID: driver.MemberID(id), Address: id + ":1", Versions: driver.Versions{Min: 1, Max: 1}}
}

func all(ids string) (members []driver.Member) {
	for id := range strings.FieldsSeq(ids) {
		members = append(members, named(id))
	}
	return members
}

// script is the machine of a process whose store the test plays.
type script struct {
	t       *testing.T
	machine *Machine
	now     Time
}

func newScript(t *testing.T, self driver.Member) *script {
	return &script{t: t, machine: New(Config{Self: self, Incarnation: "mine", FoundAfter: ttl})}
}

// stored is a record of the named members, a cluster's fifth or so.
func stored(epoch uint64, ids string) Read {
	return Read{Found: true, Unix: 1000, Record: Record{View: driver.View{Incarnation: "old", Epoch: epoch, Previous: epoch - 1, Members: all(ids)}}}
}

// with adds who is alive.
func (r Read) with(alive string) Read {
	r.Alive = all(alive)
	return r
}

func (r Read) change(f func(*Read)) Read {
	r.Record.View.Members, r.Alive = slices.Clone(r.Record.View.Members), slices.Clone(r.Alive)
	f(&r)
	return r
}

// do steps the machine and compares what it wants done, in words.
func (s *script) do(e Event, want ...string) {
	s.t.Helper()
	var got []string
	for _, effect := range s.machine.Step(s.now, e) {
		got = append(got, words(effect))
	}
	ok := len(got) == len(want)
	for i := range min(len(got), len(want)) {
		ok = ok && strings.Contains(got[i], want[i])
	}
	if !ok {
		s.t.Errorf("after %+v at %d ms: %q, want %q", e, s.now/ms, got, want)
	}
}

func words(e Effect) string {
	list := func(v driver.View) (s string) {
		for _, m := range v.Members {
			s += " " + string(m.ID)
			if m.State == driver.Leaving {
				s += "(leaving)"
			}
		}
		return s + "."
	}
	switch e := e.(type) {
	case Write:
		s := fmt.Sprintf("write %s %d<%d:%s", e.Record.View.Incarnation, e.Record.View.Previous, e.Record.View.Epoch, list(e.Record.View))
		if len(e.Record.Gone) > 0 {
			s += fmt.Sprint(" gone ", e.Record.Gone)
		}
		return s
	case Publish:
		return fmt.Sprintf("publish %d:%s", e.View.Epoch, list(e.View))
	case Removed:
		return fmt.Sprintf("removed, outside %v: %s", e.Outside, e.Why)
	case Refused:
		return "refused: " + e.Why
	case Held:
		return "held: " + e.Why + "."
	case Note:
		return fmt.Sprint("note ", e.Text, e.Args)
	default:
		return fmt.Sprintf("%T", e)
	}
}

// ticks passes to the instant that the machine wants to be woken at, and steps
// it then.
func (s *script) ticks(at Time, want ...string) {
	s.t.Helper()
	wake, wanted := s.machine.Wake()
	if !wanted || wake != at {
		s.t.Errorf("wake at %d ms, %v; want %d ms", wake/ms, wanted, at/ms)
	}
	s.now = at - 1
	s.do(Tick{})
	s.now = at
	s.do(Tick{}, want...)
}

func (s *script) sleeps() {
	s.t.Helper()
	if wake, wanted := s.machine.Wake(); wanted {
		s.t.Errorf("it wants to be woken at %d ms", wake/ms)
	}
}

func TestTurns(t *testing.T) {
	for _, c := range []struct {
		name, self, members, alive string
		turn                       Time
		want                       string
	}{
		{"the first member adds at once", "a", "a b", "a b c d", 0, "write old 5<6: a b c d."},
		{"the first member removes at once", "a", "a b", "a", 0, "write old 5<6: a."},
		{"the second member waits", "b", "a b", "a b c", 1, "write old 5<6: a b c."},
		{"nobody waits for the dead", "b", "a b", "b", 0, "write old 5<6: b."},
		{"a newcomer comes behind the members", "d", "a b", "a b c d", 3, "write old 5<6: a b c d."},
		{"newcomers to an empty record write at once", "a", "", "a b", 0, "write old 5<6: a b."},
		{"newcomers by their ids", "b", "", "a b", 1, "write old 5<6: a b."},
		{"newcomers after a crash of all", "m", "a b c", "m", 0, "write old 5<6: m."},
		{"seniority is kept", "z", "z b", "a b z", 0, "write old 5<6: z b a."},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScript(t, named(c.self))
			var first []string
			if slices.ContainsFunc(all(c.members), func(m driver.Member) bool { return string(m.ID) == c.self }) {
				first = append(first, "publish 5")
			}
			read := stored(5, c.members).with(c.alive)
			if c.turn == 0 {
				s.do(read, append(first, c.want)...)
				s.do(Tick{}) // the write is under way
				s.sleeps()
				return
			}
			s.do(read, first...)
			s.now = 100 * ms
			s.do(read) // the same version: its turn stays
			s.ticks(c.turn*DefaultPause, c.want)
			s.do(read, c.want) // it failed
		})
	}
}

func TestATurnIsCountedAnewForANewRecord(t *testing.T) {
	s := newScript(t, named("b"))
	s.do(stored(5, "a b").with("a b c"), "publish 5")
	s.now = 150 * ms
	s.do(stored(6, "a b").with("a b c"), "publish 6")
	s.ticks(350*ms, "write old 6<7: a b c.")
	s.do(stored(7, "a b c").with("a b c"), "publish 7")
	s.sleeps()
}

func TestLeavingMembersDoNotWrite(t *testing.T) {
	s := newScript(t, named("a"))
	s.do(stored(5, "a b").with("a b c").change(func(r *Read) { r.Record.View.Members[0].State = driver.Leaving }), "publish 5: a(leaving)")
	s.sleeps()
}

func TestFounding(t *testing.T) {
	s := newScript(t, named("b"))
	none := Read{Unix: 1000}
	s.do(none.with("a b"), "held: there is no view record")
	s.now = 6 * second
	s.do(none.with("a b"))
	s.ticks(ttl+DefaultPause, "note founding", "write mine 0<1000: a b.")
	s.do(stored(5, "x").with("a b x"), "held: .") // a record appears after all
	s.now += second
	s.do(none.with("b"), "held: there is no view record")
	s.ticks(s.now+ttl, "note founding", "write mine 0<1000: b.")
	s.do(none.with("b"), "note founding", "write mine 0<1000: b.")
}

func TestFoundingGoesOnCounting(t *testing.T) {
	s := newScript(t, named("a"))
	s.do(stored(5000, "x").with("a x"))
	s.do(Read{Unix: 1000}.with("a"), "held")
	s.ticks(ttl, "note founding", "write mine 0<5001: a.")
}

func TestRemoved(t *testing.T) {
	for name, c := range map[string]struct {
		read Read
		want string
	}{
		"its key is gone":         {stored(5, "a b").with("b"), "outside false: its liveness key"},
		"it is not in the record": {stored(6, "b").with("a b"), "outside true: the view record does not hold"},
		"the record is gone":      {Read{}.with("a b"), "outside true: the view record is gone"},
		"another incarnation":     {stored(6, "a b").with("a b").change(func(r *Read) { r.Record.View.Incarnation = "new" }), "of another incarnation"},
		"the epoch has gone back": {stored(4, "a b").with("a b"), "gone back from epoch 5 to 4"},
		"two views of one epoch":  {stored(5, "a").with("a b"), "two views of epoch 5"},
		"a foreign protocol":      {stored(6, "a b").with("a b").change(func(r *Read) { r.Record.View.Members[1].Versions = driver.Versions{Min: 2, Max: 3} }), "no protocol version"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, named("a"))
			s.do(stored(5, "a b").with("a b"), "publish 5")
			s.do(c.read, c.want)
			s.do(stored(9, "b").with("a b c")) // it never writes again
			s.sleeps()
			if _, ok := s.machine.View(); ok {
				t.Error("it goes by its view")
			}
		})
	}
}

func TestNonsense(t *testing.T) {
	for name, f := range map[string]func(*Read){
		"it cannot be read":    func(r *Read) { r.Broken = "a comma is missing" },
		"no incarnation":       func(r *Read) { r.Record.View.Incarnation = "" },
		"no epoch":             func(r *Read) { r.Record.View.Epoch = 0 },
		"an epoch too high":    func(r *Read) { r.Record.View.Epoch = 1 << 63 },
		"made from the future": func(r *Read) { r.Record.View.Previous = 1 << 40 },
		"a member twice":       func(r *Read) { r.Record.View.Members = all("a b b") },
		"misplaces it":         func(r *Read) { r.Record.View.Members[0].Address = "elsewhere:1" },
		"too many members": func(r *Read) {
			for i := range MaxMembers {
				r.Record.View.Members = append(r.Record.View.Members, named(fmt.Sprint("m", i)))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bad := stored(6, "a b").with("a b").change(f)
			s := newScript(t, named("a"))
			s.do(stored(5, "b").with("a b"))
			s.do(bad, "note the view record cannot be used", "held: the view record cannot be used")
			s.do(bad)
			s.do(stored(7, "b").with("a b"), "held: .")
			s.do(stored(8, "b a").with("a b"), "publish 8")
			s.do(bad.change(func(r *Read) { r.Record.View.Epoch += 3 }), "note the view record cannot be used", "removed, outside true: the view record cannot be used")
		})
	}
}

func TestFenced(t *testing.T) {
	s := newScript(t, named("a"))
	s.do(stored(5, "a b").with("a b"), "publish 5")
	s.do(Fenced{})
	s.do(stored(5, "a b").with("a b c"), "removed, outside false: its lease has ended")
	s.do(Leave{}, "write old 5<6: b. gone [a]") // and not c
	s.do(stored(6, "b").with("a b c"), "record.Left")
	s.do(Leave{})
}

func TestDrainAndLeave(t *testing.T) {
	s := newScript(t, named("b"))
	s.do(stored(5, "a b").with("a b c"), "publish 5")
	s.do(Drain{}, "write old 5<6: a b(leaving) c.")
	s.do(stored(6, "a b c").with("a b c"), "publish 6", "write old 6<7: a b(leaving) c.") // it lost
	s.do(stored(7, "a b c").with("a b c").change(func(r *Read) { r.Record.View.Members[1].State = driver.Leaving }), "publish 7: a b(leaving)")
	s.do(Leave{}, "write old 7<8: a c. gone [b]")
	s.do(stored(8, "a c").with("a b c").change(func(r *Read) { r.Record.Gone = []driver.MemberID{"b"} }), "removed, outside true: it left", "record.Left")
}

func TestLeaveOutsideTheView(t *testing.T) {
	s := newScript(t, named("c"))
	s.do(Leave{})
	s.do(stored(5, "a").with("a c"), "record.Left")
	s = newScript(t, named("c"))
	s.do(stored(5, "a").with("a c"))
	s.do(Leave{}, "record.Left")
	s = newScript(t, named("a"))
	s.do(stored(5, "a").with("a"), "publish 5")
	s.do(Read{}, "removed")
	s.do(Leave{}, "record.Left")
}

func TestWhoIsGoneIsNoNewcomer(t *testing.T) {
	s := newScript(t, named("a"))
	read := stored(5, "a").with("a b").change(func(r *Read) { r.Record.Gone = []driver.MemberID{"b", "z"} })
	s.do(read, "publish 5")
	s.sleeps()
	s.do(read.change(func(r *Read) { r.Alive = all("a b c") }), "write old 5<6: a c. gone [b]")
}

func TestNewcomersThatAreNotTakenIn(t *testing.T) {
	leased := func(id string, g driver.Guarantee, strategy string) driver.Member {
		m := named(id)
		m.Kinds = []driver.Kind{{Name: "k", Guarantee: g, Strategy: strategy}}
		return m
	}
	member := leased("a", driver.Leased, "")
	same, foreign := leased("c", driver.Leased, ""), leased("c", driver.Leased, "")
	same.Address = "a:1"
	foreign.Versions = driver.Versions{Min: 2, Max: 2}
	for name, c := range map[string]struct {
		newcomer driver.Member
		want     string
		held     bool
	}{
		"another guarantee": {leased("c", driver.Strict, ""), "guarantee \"strict\"", false},
		"another strategy":  {leased("c", driver.Leased, "local"), "strategy \"local\"", false},
		"foreign versions":  {foreign, "upgrade by way of", false},
		"a taken address":   {same, "waiting for the lease of a to end", true},
	} {
		t.Run(name, func(t *testing.T) {
			read := stored(5, "")
			read.Record.View.Members, read.Alive = []driver.Member{member}, []driver.Member{member, c.newcomer}
			old := newScript(t, member)
			old.do(read, "publish 5")
			old.sleeps()
			s := newScript(t, c.newcomer)
			if !c.held {
				s.do(read, "refused: it ")
				s.do(read)
				return
			}
			s.do(read, "held: "+c.want)
			s.sleeps()
			s.do(read.change(func(r *Read) { r.Alive = r.Alive[1:] }), "held: .", "write old 5<6: c.")
		})
	}
	t.Run("of two with one address the lower id", func(t *testing.T) {
		b := named("b")
		b.Address = "c:1"
		read := stored(5, "a").with("a c").change(func(r *Read) { r.Alive = []driver.Member{named("a"), b, named("c")} })
		s := newScript(t, named("a"))
		s.do(read, "publish 5", "write old 5<6: a b.")
		newScript(t, named("c")).do(read, "held: waiting for the lease of b to end")
	})
	t.Run("a conflict with a newcomer may pass", func(t *testing.T) {
		read := stored(5, "")
		read.Alive = []driver.Member{leased("b", driver.Leased, ""), leased("c", driver.Strict, "")}
		newScript(t, read.Alive[1]).do(read, "held: it registers kind")
	})
	t.Run("the view is full", func(t *testing.T) {
		s := newScript(t, named("n"))
		s.machine.cfg.Weigh, s.machine.cfg.Room = func(driver.Member) int { return 10 }, 20
		s.do(stored(5, "a b").with("a b n"), "held: the view is full with 2 members")
		s.do(stored(5, "a b").with("a n"), "held: .")
		s.ticks(DefaultPause, "write old 5<6: a n.")
	})
	t.Run("no description", func(t *testing.T) {
		s := newScript(t, named("a"))
		read := stored(5, "a b").with("a b c").change(func(r *Read) { r.Alive[1].Address, r.Alive[2].Address = "", "" })
		s.do(read, "publish 5")
		s.sleeps() // b is alive, and c is not taken in
	})
}

func TestObserver(t *testing.T) {
	s := newScript(t, driver.Member{})
	s.do(Read{})
	s.do(stored(5, "a").with("a b"), "publish 5")
	s.do(stored(5, "a").with("b"))
	s.do(Read{})
	s.do(stored(7, "b").with("b"), "publish 7")
	s.sleeps()
	s.do(stored(6, "b").with("b"), "removed, outside true: the view record has gone back")
	s = newScript(t, driver.Member{})
	s.do(stored(5, "a").with("a b"), "publish 5")
	s.do(stored(6, "a").change(func(r *Read) { r.Record.View.Incarnation = "new" }), "removed, outside true: the view record is of another incarnation")
}

func TestTheOwnKeyOfANewcomerIsGone(t *testing.T) {
	newScript(t, named("a")).do(stored(5, "b").with("b"), "removed, outside true: its liveness key")
}
