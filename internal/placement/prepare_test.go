package placement

import (
	"slices"
	"testing"
)

// A host is asked for many slots in several messages, so that it answers each
// in a short step. All of them together ask for every slot, once.
func TestPrepareIsBounded(t *testing.T) {
	o := NewOwner("o", OwnerConfig{})
	seen := make(map[Slot]int)
	for _, p := range sent[*Prepare](o.Step(0, ViewChanged{View: viewOf(5, "o")})) {
		if n := len(p.message.Slots); n == 0 || n > maxPrepare {
			t.Errorf("a Prepare of %d slots", n)
		}
		for _, s := range p.message.Slots {
			seen[s]++
		}
	}
	if len(seen) != SlotCount {
		t.Errorf("asked for %d slots", len(seen))
	}
	for s, n := range seen {
		if n != 1 {
			t.Errorf("slot %d was asked for %d times", s, n)
		}
	}
}

// askedAt gives the times, in units of Resend, at which an owner in
// acquisition asks, if it has a Tick every half Resend.
func askedAt(o *Owner, from, to Time) []Time {
	var out []Time
	for now := from; now < to; now += o.cfg.Resend / 2 {
		if len(sent[*Prepare](o.Step(now, Tick{}))) > 0 {
			out = append(out, now/o.cfg.Resend)
		}
	}
	return out
}

// Who does not answer is asked again less and less often, and at once in a new
// view.
func TestPrepareIsRepeatedWithGrowingPauses(t *testing.T) {
	o := NewOwner("o", OwnerConfig{Resend: second})
	o.Step(0, ViewChanged{View: viewOf(5, "o", "h")})
	if got, want := askedAt(o, 0, 60*second), []Time{1, 3, 7, 15, 31, 47}; !slices.Equal(got, want) {
		t.Errorf("asked at %v; want %v", got, want)
	}
	if n := len(sent[*Prepare](o.Step(60*second, ViewChanged{View: viewOf(6, "o", "h")}))); n == 0 {
		t.Error("not asked in a new view")
	}
	if got, want := askedAt(o, 60*second, 64*second), []Time{61, 63}; !slices.Equal(got, want) {
		t.Errorf("asked at %v in a new view; want %v", got, want)
	}
}

// As long as answers come nobody is asked again.
func TestPrepareIsPutOffByAnswers(t *testing.T) {
	o := NewOwner("o", OwnerConfig{Resend: second})
	asked := sent[*Prepare](o.Step(0, ViewChanged{View: viewOf(5, "o")}))
	for i := range Time(10) {
		now := i * second * 3 / 4
		if got := sent[*Prepare](o.Step(now, Tick{})); len(got) > 0 {
			t.Fatalf("asked again at %v", now)
		}
		p := asked[i].message
		o.Step(now, Received{From: "o", Message: &Promise{Term: p.Term, Empty: p.Slots}})
	}
}
