package history

import (
	"fmt"
	"time"
)

// buckets is into how many parts the time of a run is divided, to show how calls fared.
const buckets = 400

// overview shows the run as a whole: a lane for each process, with its life; and in those of clients how calls fared.
func (v *Verdict) overview(h *History) *chart {
	c := v.newChart(h, "The run", h.First, h.Last)
	c.Notes = []string{fmt.Sprintf("%d calls were answered, %d failed. Point at a bar to read what it is.", v.Served.Answered, v.Served.Failed)}
	for _, o := range v.Served.Worst {
		c.Notes = append(c.Notes, "Worst unavailability: "+o.String()+", from "+v.moment(o.From)+" s.")
	}
	for _, p := range h.Processes {
		end := min(p.Closed, p.Killed, h.Last)
		b := c.bar("life", p.Opened, end)
		b.Title = fmt.Sprintf("%s, pid %d, from %s to %s", p.Name, p.Pid, v.moment(p.Opened), v.moment(min(p.Closed, p.Killed)))
		c.put(p.Name, 3, b)
	}
	type fare struct{ answered, failed int }
	fares := map[string]*[buckets]fare{}
	width := max((c.to-c.from)/buckets, 1)
	for _, op := range h.Operations {
		if fares[op.By] == nil {
			fares[op.By] = new([buckets]fare)
		}
		at := op.End
		if at == Never {
			at = op.Start
		}
		f := &fares[op.By][min(max((at-c.from)/width, 0), buckets-1)]
		if op.Outcome == OK {
			f.answered++
		} else {
			f.failed++
		}
	}
	for _, process := range sortedKeys(fares) {
		for i, f := range fares[process] {
			class := "ok"
			switch {
			case f.answered+f.failed == 0:
				continue
			case f.answered == 0:
				class = "none"
			case f.failed > 0:
				class = "some"
			}
			at := c.from + time.Duration(i)*width
			b := c.bar(class, at, at+width)
			b.Title = fmt.Sprintf("%s, from %s s: %d answered, %d failed", process, v.moment(at), f.answered, f.failed)
			c.put(process, 7, b)
		}
	}
	for level := Failure; level <= Permitted; level++ {
		for _, f := range v.Findings(level) {
			if f.At == 0 {
				continue
			}
			b := c.bar(map[Level]string{Failure: "bad", Undecided: "some", Permitted: "open"}[level], f.At, f.At)
			b.Title = fmt.Sprintf("%s: %s, %s/%s\n%s", f.Level, f.Rule, f.Kind, f.Identity, f.Text)
			c.put("findings", 4, b)
		}
	}
	return c.finish()
}
