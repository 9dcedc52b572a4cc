package demo

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// good are the facts of a run that went well.
func good() facts {
	return facts{
		killed: true, victim: 1, lost: 100, answered: 100, noticed: time.Second, recovery: 2 * time.Second,
		others: 200, kept: 200, owned: 66,
		added: true, addition: 4, joined: time.Second, active: 300, moved: 75, stayed: 300, fresh: 30, taken: 8,
		calls: totals{calls: 5000, longest: time.Second},
	}
}

func TestVerdictOfGoodRun(t *testing.T) {
	f := good()
	claims := f.claims(Defaults())
	for _, c := range claims {
		if c.state != shown {
			t.Errorf("not shown: %s", c.text)
		}
		if strings.Contains(c.text, "%!") || len(c.text) > 88 {
			t.Errorf("text %q", c.text)
		}
	}
	if err := judge(claims, true); err != nil {
		t.Error(err)
	}
}

// Whatever went wrong, one claim says so, and the verdict is an error.
func TestVerdictFails(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*facts)
		want   string // in the text of the claim that is not true
	}{
		"one did not answer":       {func(f *facts) { f.answered = 99 }, "only 99 of its 100 grains answered again within 5s"},
		"too late":                 {func(f *facts) { f.recovery = 6 * time.Second }, "within 5s"},
		"hosted nothing":           {func(f *facts) { f.lost, f.answered = 0, 0 }, "all of its 0 grains"},
		"death not noticed":        {func(f *facts) { f.noticed = 0 }, "member 1 was killed"},
		"one lost its count":       {func(f *facts) { f.kept = 199 }, "199 of 200 grains hosted elsewhere"},
		"nothing hosted elsewhere": {func(f *facts) { f.others, f.kept = 0, 0 }, "0 of 0 grains hosted elsewhere"},
		"not joined":               {func(f *facts) { f.joined = 0 }, "did not become a member"},
		"owns nothing":             {func(f *facts) { f.moved = 0 }, "owns 0 of 300"},
		"took nothing":             {func(f *facts) { f.taken = 0 }, "took 0 of 30"},
		"one moved":                {func(f *facts) { f.stayed = 299 }, "299 of 300 grains stayed"},
		"a call failed":            {func(f *facts) { f.calls.errors, f.calls.causes = 1, []string{"the cause"} }, "1 failed; the longest took 1.00 s\nthe cause"},
		"no call":                  {func(f *facts) { f.calls.calls = 0 }, "0 calls"},
		"an answer contradicts":    {func(f *facts) { f.broken.add("counter-1 went back") }, "1 answers contradict earlier ones\ncounter-1 went back"},
		"ended unasked":            {func(f *facts) { f.unasked = []int{2} }, "members [2] ended although"},
		"did not stop":             {func(f *facts) { f.end = errors.New("member 2 did not stop in time") }, "member 2 did not stop in time"},
	} {
		t.Run(name, func(t *testing.T) {
			f := good()
			c.change(&f)
			claims := f.claims(Defaults())
			var found bool
			for _, claim := range claims {
				found = found || claim.state == refuted && strings.Contains(claim.text, c.want)
			}
			if !found {
				t.Errorf("no claim was refuted with %q: %v", c.want, claims)
			}
			for _, everything := range []bool{false, true} {
				if judge(claims, everything) == nil {
					t.Error("the verdict is good")
				}
			}
		})
	}
}

// What was not shown is no fault, unless the run had to show everything.
func TestVerdictOfShortRun(t *testing.T) {
	for name, change := range map[string]func(*facts){
		"before the kill":     func(f *facts) { *f = facts{calls: f.calls} },
		"before the addition": func(f *facts) { f.added = false },
	} {
		t.Run(name, func(t *testing.T) {
			f := good()
			change(&f)
			claims := f.claims(Defaults())
			if err := judge(claims, false); err != nil {
				t.Errorf("stopped by hand: %v", err)
			}
			if err := judge(claims, true); err == nil || !strings.Contains(err.Error(), "missing") {
				t.Errorf("unattended: %v", err)
			}
		})
	}
}
