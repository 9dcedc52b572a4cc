package history

import "time"

// Verdict is what a run is judged to be.
type Verdict struct {
	Reports []Report
	Plan    *Plan // nil if the run has none
	Served  Availability
	Torn    int
	First   time.Duration // moments are printed from here on
	Last    time.Duration
}

// Judge asks all oracles.
func Judge(h *History, o Options) *Verdict {
	o = o.withDefaults()
	v := &Verdict{Served: Available(h), Torn: h.Torn, First: h.First, Last: h.Last}
	if len(h.Plans) > 0 {
		v.Plan = h.Plans[0]
	}
	for _, oracle := range []func(*History, Options) Report{
		checkPlan, CheckProcesses, CheckLinearizable, CheckTokens, CheckActivations, CheckBank, CheckMessages, CheckAudits, CheckGauges,
	} {
		v.Reports = append(v.Reports, oracle(h, o))
	}
	return v
}

// Level is the worst level of all findings; Permitted if there are none.
func (v *Verdict) Level() Level {
	worst := Permitted
	for i := range v.Reports {
		for level := Failure; level < worst; level++ {
			if v.Reports[i].Found(level) > 0 {
				worst = level
			}
		}
	}
	return worst
}

// Passed reports whether nothing failed and nothing is undecided.
func (v *Verdict) Passed() bool { return v.Level() == Permitted }

// Findings gives the findings of a level, in the order of the oracles.
func (v *Verdict) Findings(level Level) []Finding {
	var all []Finding
	for i := range v.Reports {
		for _, f := range v.Reports[i].Findings {
			if f.Level == level {
				all = append(all, f)
			}
		}
	}
	return all
}

// checkPlan finds runs that prove nothing: of which nobody says what they promise, kinds of which the plan does not, and no answer.
func checkPlan(h *History, _ Options) Report {
	r := Report{Oracle: "plan"}
	if len(h.Plans) != 1 {
		r.find(Finding{Rule: "plan", Text: "a run has one plan: the harness records it before all else (Recorder.Plan)"})
	}
	kinds, answered := map[string]bool{}, false
	for _, op := range h.Operations {
		kinds[op.Kind] = true
		answered = answered || op.Outcome == OK
	}
	if !answered {
		r.find(Finding{Rule: "no answer", Text: "no operation was answered: a run in which nothing works shows nothing"})
	}
	for _, t := range h.Turns {
		kinds[t.Kind] = true
	}
	for _, kind := range sortedKeys(kinds) {
		if m := h.Mode(kind); m != BestEffort && !m.Promises() {
			r.find(Finding{Rule: "plan", Kind: kind, Text: "the plan does not say what the kind promises: put its mode into Plan.Modes"})
		}
	}
	return r
}
