package demo

import (
	"strings"
	"testing"
)

// answer has a grain answer a call.
func answer(t *testing.T, l *ledger, i int, r reply) {
	t.Helper()
	if _, ok := l.begin(i); !ok {
		t.Fatalf("a call of grain %d is under way", i)
	}
	l.acknowledge(i, r)
}

// What a grain answers is compared with what it answered before.
func TestLedgerJudges(t *testing.T) {
	for name, c := range map[string]struct {
		then     reply // after count 7 of activation b on member 1
		dead     []int
		repeated uint64
		want     string // of the breach; empty for none
	}{
		"next":                  {then: reply{1, "b", 8}},
		"a call ran twice":      {then: reply{1, "b", 9}, repeated: 1},
		"same count":            {then: reply{1, "b", 7}, want: "went back from 7 to 7"},
		"back":                  {then: reply{1, "b", 3}, want: "went back from 7 to 3"},
		"lost":                  {then: reply{2, "c", 1}, want: "lost its count of 7 on member 1, which lives"},
		"lost in place":         {then: reply{1, "c", 1}, want: "lost its count"},
		"anew":                  {then: reply{2, "c", 1}, dead: []int{1}},
		"anew, twice":           {then: reply{2, "c", 2}, dead: []int{1}, repeated: 1},
		"anew, on the dead":     {then: reply{1, "c", 1}, dead: []int{1}, want: "on member 1, which is dead"},
		"older activation":      {then: reply{2, "a", 1}, dead: []int{1}, want: "has activation a after b"},
		"the dead's last reply": {then: reply{1, "b", 8}, dead: []int{1}},
		"uncounted":             {then: reply{1, "b", 0}, want: "without having counted"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger()
			l.open(1)
			answer(t, l, 0, reply{1, "b", 1})
			answer(t, l, 0, reply{1, "b", 2})
			for count := uint64(3); count <= 7; count++ {
				answer(t, l, 0, reply{1, "b", count})
			}
			for _, member := range c.dead {
				l.bury(member)
			}
			answer(t, l, 0, c.then)
			broken, repeated := l.breached()
			if repeated != c.repeated {
				t.Errorf("%d calls ran twice, want %d", repeated, c.repeated)
			}
			switch {
			case c.want == "" && broken.count > 0:
				t.Errorf("breaches %q", broken.texts)
			case c.want != "" && (broken.count != 1 || !strings.Contains(broken.texts[0], c.want)):
				t.Errorf("breaches %q, want %q", broken.texts, c.want)
			}
		})
	}
}

func TestLedgerOneCallAtATime(t *testing.T) {
	l := newLedger()
	l.open(2)
	if name, ok := l.begin(1); !ok || name != "counter-2" {
		t.Errorf("begin: %q, %t", name, ok)
	}
	if _, ok := l.begin(1); ok {
		t.Error("two calls at a time")
	}
	l.fail(1)
	if _, ok := l.begin(1); !ok {
		t.Error("no call after one that failed")
	}
}

func TestBury(t *testing.T) {
	l := newLedger()
	l.open(4)
	answer(t, l, 0, reply{1, "a", 1})
	answer(t, l, 1, reply{2, "a", 1})
	answer(t, l, 2, reply{1, "a", 1})
	lost, others := l.bury(1)
	if len(lost) != 2 || len(others) != 1 || others[0] != 1 {
		t.Errorf("lost %v, others %v: the grain that was never called is neither", lost, others)
	}
	if on := l.tally(l.active()); on[1] != 2 || on[2] != 1 {
		t.Errorf("tally %v", on)
	}
}

func TestKept(t *testing.T) {
	l := newLedger()
	all := l.open(3)
	for _, i := range all {
		answer(t, l, i, reply{1, "a", 1})
	}
	before := l.replies(all)
	answer(t, l, 0, reply{1, "a", 2}) // went on
	answer(t, l, 1, reply{2, "b", 2}) // began anew; grain 2 was not called
	if kept := l.kept(before); kept != 1 {
		t.Errorf("%d kept, want 1", kept)
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestWatch(t *testing.T) {
	l := newLedger()
	both := l.open(2)
	answer(t, l, 0, reply{1, "a", 1})
	answer(t, l, 1, reply{1, "a", 1})
	l.begin(0)
	again, anew := l.watch(both, false), l.watch(both, true)
	l.acknowledge(0, reply{1, "a", 2}) // began before the watch
	answer(t, l, 1, reply{1, "a", 2})
	if closed(again.done) || l.missing(again) != 1 {
		t.Errorf("%d missing, want the one whose call began before the watch", l.missing(again))
	}
	answer(t, l, 0, reply{1, "a", 3})
	if !closed(again.done) {
		t.Error("both have answered a later call")
	}
	if l.missing(anew) != 2 {
		t.Error("no new activation has answered")
	}
	l.bury(1)
	answer(t, l, 0, reply{2, "b", 1})
	answer(t, l, 1, reply{2, "b", 1})
	if !closed(anew.done) || len(l.watches) != 0 {
		t.Error("both have begun anew")
	}
	if !closed(l.watch(nil, false).done) {
		t.Error("a watch of nothing waits")
	}
}
