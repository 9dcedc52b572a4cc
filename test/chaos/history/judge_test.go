package history

import (
	"slices"
	"strings"
	"testing"
)

// TestJudge judges a run in which all is well, and the same without what makes it a proof.
func TestJudge(t *testing.T) {
	good := func() *History {
		h := with(Lease, script(t, Register, "a 1-2 write x @1.1\nb 3-4 read @1.1 = x"))
		h.Audits = []*Audit{{Process: "m1.1", Name: "violations"}}
		return h
	}
	for name, c := range map[string]struct {
		change func(*History)
		rules  string
	}{
		"good":        {func(*History) {}, ""},
		"no plan":     {func(h *History) { h.Plans = nil }, "plan, plan"},
		"two plans":   {func(h *History) { h.Plans = append(h.Plans, h.Plans[0]) }, "plan"},
		"no mode":     {func(h *History) { h.Plans[0].Modes = nil }, "plan"},
		"odd mode":    {func(h *History) { h.Plans[0].Modes["K"] = "exactly once" }, "plan"},
		"turn's mode": {func(h *History) { h.Turns = []*Turn{{Kind: "L", Token: Token{1, 1}}} }, "plan"},
		"no answer": {func(h *History) {
			for _, op := range h.Operations {
				op.Outcome = Unknown
			}
		}, "no answer"},
		"no audit":     {func(h *History) { h.Audits = nil }, "no audit"},
		"crash":        {func(h *History) { h.Processes = []*Process{{Name: "m1.1", Closed: Never, Killed: Never}} }, "crash"},
		"leak":         {func(h *History) { h.Gauges = []*Gauge{{}, {After: true, Goroutines: 21}} }, "leak"},
		"message":      {func(h *History) { h.Messages = []*Message{{Event: Sent}} }, "lost"},
		"account":      {func(h *History) { h.Accounts = []*Account{{Kind: "K", Balance: 1}} }, "balance, sum"},
		"overlap":      {func(h *History) { h.Turns = turns(t, "m 1.1 1-2\nn 1.2 3-4\nm 1.1 5-6") }, "overlap"},
		"token":        {func(h *History) { h.Operations[1].Token = Token{1, 0} }, "token went back"},
		"linearizable": {func(h *History) { h.Operations[1].Result = "y" }, "not linearizable"},
		"best effort":  {func(h *History) { h.Plans[0].Modes["K"], h.Operations[1].Result = BestEffort, "y" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := good()
			c.change(h)
			v := Judge(h, Options{})
			var rules []string
			for _, f := range v.Findings(Failure) {
				rules = append(rules, f.Rule)
			}
			if got := strings.Join(rules, ", "); got != c.rules || v.Passed() != (c.rules == "") {
				t.Errorf("found %q, passed %v, want %q: %+v", got, v.Passed(), c.rules, v.Findings(Failure))
			}
			var text strings.Builder
			v.Print(&text)
			if strings.HasPrefix(text.String(), "passed") != v.Passed() || !strings.Contains(text.String(), "worst unavailability: K/a") {
				t.Errorf("printed\n%s", text.String())
			}
		})
	}
}

// TestFindingsAreBounded keeps some findings of each level, and counts the others.
func TestFindingsAreBounded(t *testing.T) {
	var r Report
	for range 2 * maxFindings {
		r.find(Finding{Rule: "x"})
	}
	r.find(Finding{Rule: "y", Level: Undecided})
	if len(r.Findings) != maxFindings+1 || r.Found(Failure) != 2*maxFindings || r.Found(Undecided) != 1 {
		t.Errorf("%d kept, %d found", len(r.Findings), r.Found(Failure))
	}
	v := &Verdict{Reports: []Report{r}}
	if !slices.ContainsFunc(v.Findings(Undecided), func(f Finding) bool { return f.Rule == "y" }) || v.Level() != Failure {
		t.Errorf("%+v", v.Findings(Undecided))
	}
}
