package view

import (
	"strings"
	"testing"
)

func TestEpochs(t *testing.T) {
	first := nextEpoch(0, 1_700_000_000_000, "a")
	if first>>idBits != 1_700_000_000_000 {
		t.Errorf("first epoch %d", first)
	}
	if next := nextEpoch(first, 0, "a"); next>>idBits != first>>idBits+1 {
		t.Errorf("then %d", next)
	}
	if next := nextEpoch(first, 5, "a"); next <= first {
		t.Errorf("a clock that was set back leads to %d after %d", next, first)
	}
	if nextEpoch(first, 0, "a") == nextEpoch(first, 0, "b") {
		t.Error("two coordinators give one epoch")
	}
}

func TestWhateverIsTakenHasASuccessorThatOthersTake(t *testing.T) {
	a, b := joined(t, "x"), joined(t, "y")
	b.machine.self = entry("b")
	clock := uint64(a.machine.wall())
	for _, count := range []uint64{maxCount - 1, clock + maxLead + 1} {
		v := a.view(count<<idBits, "x", "m")
		if err := member("x", v).Validate(); err != nil {
			t.Fatal(err)
		}
		a.hear(member("x", v))
		if now, _ := a.machine.View(); now.Epoch>>idBits == count {
			t.Fatalf("a view %d ahead of the clock was taken", count-clock)
		}
	}
	highest := a.view((clock+maxLead)<<idBits|(1<<idBits-1), "x", "m")
	a.hear(member("x", highest))
	if now, _ := a.machine.View(); now.Epoch != highest.Epoch {
		t.Fatalf("epoch %d is refused; want the highest taken to be %d", highest.Epoch, now.Epoch)
	}
	for range 3 { // x is lost
		a.pass(second)
		a.miss("x")
		b.pass(second)
	}
	a.want("m")
	next, _ := a.machine.View()
	g := a.machine.greeting(true)
	if err := g.Validate(); err != nil || next.Epoch <= highest.Epoch {
		t.Fatalf("epoch %d after %d: %v", next.Epoch, highest.Epoch, err)
	}
	b.hear(g)
	if taken, _ := b.machine.View(); taken.Epoch != next.Epoch {
		t.Errorf("the successor was refused: %v", b.effects)
	}
}

func TestViewsFarAheadAreWarnedOfSparingly(t *testing.T) {
	s := newScript(t, "a")
	far := member("a", s.view((1000+maxLead+1000_000)<<idBits, "a"))
	s.pass(0)
	for range 30 {
		s.reply(far)
		s.pass(second)
	}
	s.want("-") // it founds no second cluster beside the one that it cannot follow
	if why := s.machine.Waiting(); !strings.Contains(why, "a:2 goes by is more than a year ahead of this process's clock") {
		t.Errorf("waiting: %q", why)
	}
	warnings := 0
	for _, e := range s.effects {
		if n, ok := e.(Note); ok && n.Warn {
			warnings++
		}
	}
	if warnings != 1 {
		t.Errorf("%d warnings in half a minute", warnings)
	}
}
