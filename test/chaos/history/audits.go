package history

import "fmt"

// CheckAudits finds counters that are not zero. A run of which nobody has read any is a failure, too: it proves nothing.
func CheckAudits(h *History, _ Options) Report {
	r := Report{Oracle: "audits"}
	for _, a := range h.Audits {
		r.countf(1, "counters read")
		if a.Value != 0 {
			r.find(Finding{Rule: "audit", At: a.At, Text: fmt.Sprintf("%s has %s = %d: %s", a.Process, a.Name, a.Value, a.Text)})
		}
	}
	if len(h.Audits) == 0 {
		r.find(Finding{Rule: "no audit", Text: "nobody has read the counters that must be zero (Recorder.Audit)"})
	}
	return r
}

// CheckProcesses finds processes that have ended by themselves: whose record is not closed and which nobody has killed. A panic
// looks like that, or a fatal error.
func CheckProcesses(h *History, _ Options) Report {
	r := Report{Oracle: "processes"}
	for _, p := range h.Processes {
		r.countf(1, "processes")
		switch {
		case p.Killed != Never:
			r.countf(1, "killed")
		case p.Closed == Never:
			r.find(Finding{Rule: "crash", Text: fmt.Sprintf("%s (pid %d) has not closed its record, and nobody has killed it: read what it has logged", p.Name, p.Pid)})
		}
	}
	for _, f := range h.Faults {
		r.countf(1, "faults, %s", f.Kind)
	}
	return r
}
