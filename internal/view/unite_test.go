package view

import (
	"strings"
	"testing"
)

// comes has a newcomer come that was in a view before, and gives the view a moment later.
func (s *script) comes(name string, former uint64) View {
	s.t.Helper()
	g := newcomer(name)
	g.Former = former
	s.hear(g)
	s.pass(0)
	s.reply(g)
	s.pass(200 * ms)
	v, _ := s.machine.View()
	return v
}

// answers lets time pass while these answer all pings.
func (s *script) answers(d Time, all ...Greeting) {
	s.t.Helper()
	for end := s.now + d; s.now < end; s.pass(50 * ms) {
		for _, g := range all {
			if p := s.machine.peers[g.Sender.Ping]; p != nil && p.seq != 0 {
				s.reply(g)
			}
		}
	}
}

// Who invents that it comes of a view of others has owners begin anew once in the time that it takes to lose a member. Meanwhile
// others are taken in, and then all that have waited at once.
func TestUnionsAreRare(t *testing.T) {
	s := joined(t)
	far := func(n uint64) uint64 { return s.machine.view.Epoch + n<<idBits }
	if v := s.comes("b", far(5)); v.Previous != 0 || len(v.Entries) != 2 {
		t.Fatalf("%+v unites nothing", v)
	}
	united, from := s.machine.view.Epoch, s.now
	s.comes("c", far(50))
	s.comes("d", far(90))
	s.want("m b")
	if why := s.machine.refusal(entry("c")); !strings.Contains(why, "has just united two sides of a split") {
		t.Errorf("c is told %q", why)
	}
	if v := s.comes("e", 0); v.Previous != united {
		t.Errorf("a new process comes into view %x from %x, want from %x", v.Epoch, v.Previous, united)
	}
	s.want("m b e")
	c, d := newcomer("c"), newcomer("d")
	c.Former, d.Former = far(50), far(90)
	plain := func(name string) Greeting { return member(name, s.machine.view) }
	for s.members() == "m b e" {
		s.answers(100*ms, c, d, plain("b"), plain("e"))
		if s.now > from+10*second {
			t.Fatal("who waits is never taken in")
		}
	}
	s.want("m b e c d")
	if v, _ := s.machine.View(); v.Previous != 0 || v.Epoch <= d.Former {
		t.Errorf("the view %x, made from %x, unites those of %x", v.Epoch, v.Previous, d.Former)
	}
	if took := s.now - from; took < 2700*ms {
		t.Errorf("the next union came after %v ms", took/ms)
	}
}

// A side of a split that comes one by one is united once: what was granted here since has higher tokens than any of that side.
func TestOneUnionForASide(t *testing.T) {
	for name, c := range map[string]struct {
		skipped bool
		unites  bool
	}{"all views were seen": {false, false}, "a view was missed": {true, true}} {
		t.Run(name, func(t *testing.T) {
			s := joined(t)
			former := s.machine.view.Epoch + 5<<idBits
			if v := s.comes("b", former); v.Previous != 0 {
				t.Fatalf("%+v unites nothing", v)
			}
			s.answers(4*second, member("b", s.machine.view))
			s.want("m b")
			if c.skipped { // it may have come of another line of views
				v := s.machine.view
				v.Epoch, v.Previous = v.Epoch+4<<idBits, v.Epoch+3<<idBits
				s.hear(member("b", v))
			}
			before := s.machine.view.Epoch
			v := s.comes("c", former)
			s.want("m b c")
			if c.unites != (v.Previous == 0) || !c.unites && v.Previous != before {
				t.Errorf("the view %x was made from %x, and there was %x", v.Epoch, v.Previous, before)
			}
		})
	}
}

// A view that this member was in counts as its own only while views followed one another: another line may have gone past it, with
// owners that never saw its terms.
func TestViewsOfAnotherLineAreForeign(t *testing.T) {
	s := newScript(t, "a", "b", "d")
	s.pass(0)
	follows := func(epoch, previous uint64, members ...string) View {
		v := s.view(epoch, members...)
		v.Previous = previous
		return v
	}
	const n = 10 << idBits
	all := s.view(n, "a", "b", "m", "d")
	ofA := follows(n+1<<idBits+5, n, "a", "m")
	ofB := follows(n+1<<idBits+9, n, "b", "m", "d") // d was never in the view of a
	last := follows(n+2<<idBits+9, ofB.Epoch, "m", "d")
	for _, step := range []struct {
		from string
		view View
		want string
	}{{"a", all, "a b m d"}, {"a", ofA, "a m"}, {"b", ofB, "b m d"}, {"b", last, "m d"}} {
		s.hear(member(step.from, step.view))
		s.want(step.want)
	}
	g := newcomer("a2")
	g.Former = ofA.Epoch
	s.hear(g)
	s.pass(0)
	s.reply(g)
	for i := 0; i < 20 && s.members() == "m d"; i++ {
		s.answers(100*ms, g, member("d", s.machine.view))
	}
	s.want("m d a2")
	if v, _ := s.machine.View(); v.Previous != 0 {
		t.Errorf("the view %x follows %x, but d has terms from before what a2 comes of", v.Epoch, v.Previous)
	}
}

// Whoever may ping is believed about views, as docs/security.md says: it takes no split to have owners begin anew, or a member
// removed.
func TestViewsAreBelieved(t *testing.T) {
	s := joined(t)
	tells := func(v View) {
		g := newcomer("stranger")
		g.Incarnation, g.Epoch, g.View = v.Incarnation, v.Epoch, &v
		s.hear(g)
	}
	v := s.machine.view
	for range 3 {
		v.Epoch, v.Previous = v.Epoch+1<<idBits, 0
		tells(v)
		if now, in := s.machine.View(); !in || now.Epoch != v.Epoch || now.Previous != 0 {
			t.Errorf("it goes by view %x from %x; want the one it was told", now.Epoch, now.Previous)
		}
	}
	tells(View{Incarnation: v.Incarnation, Epoch: v.Epoch + 1<<idBits, Previous: v.Epoch, Entries: []Entry{entry("stranger")}})
	s.want("-")
}
