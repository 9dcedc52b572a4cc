package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// maxBars bounds the operations, and the turns, that a chart of a finding shows: those nearest to it.
const maxBars = 1500

// incident shows a finding: its identity's operations, activations and turns around it.
func (v *Verdict) incident(h *History, f Finding) *chart {
	from, to := window(f.Operations, f.Turns)
	if from > to {
		from, to = h.First, h.Last
	}
	margin := max((to-from)/10, time.Millisecond)
	c := v.newChart(h, fmt.Sprintf("%s: %s, %s/%s", f.Level, f.Rule, f.Kind, f.Identity), from-margin, to+margin)
	c.Notes = append(c.Notes, f.Text)
	if s := f.Shortest; s != nil {
		c.Notes = append(c.Notes, fmt.Sprintf("The shortest of its histories that fails has %d of %d operations; %d had begun by %s s, when it shows. An answer that came later is \"?\".",
			len(s.Operations), s.Of, s.Until, v.moment(s.At)))
		if note := s.leftOut(); note != "" {
			c.Notes = append(c.Notes, note)
		}
	}
	c.operations(h, f)
	c.activations(h, f)
	c.Rows = v.rows(f)
	if f.Shortest != nil {
		c.Porcupine, c.Clients = porcupinePage(f.Shortest, h), numbered(f.Shortest)
	}
	return c.finish()
}

// window is the time that operations and turns take, as far as their ends are known.
func window(operations []*Operation, turns []*Turn) (from, to time.Duration) {
	from, to = Never, -Never
	see := func(begin, end time.Duration) {
		from, to = min(from, begin), max(to, begin)
		if end != Never {
			to = max(to, end)
		}
	}
	for _, op := range operations {
		see(op.Start, op.End)
	}
	for _, t := range turns {
		see(t.Begin, t.End)
	}
	return from, to
}

// nearest keeps as many as are shown, those nearest to a moment, and says what it has left out.
func nearest[T any](c *chart, all []*T, begin func(*T) time.Duration, keep func(*T) bool, what string) []*T {
	if len(all) <= maxBars {
		return all
	}
	middle := (c.from + c.to) / 2
	slices.SortStableFunc(all, func(a, b *T) int {
		return cmp.Or(cmp.Compare(btoi(keep(b)), btoi(keep(a))), cmp.Compare((begin(a)-middle).Abs(), (begin(b)-middle).Abs()))
	})
	c.Left += fmt.Sprintf("%d %s more in this time are not shown. ", len(all)-maxBars, what)
	return all[:maxBars]
}

// operations puts those of the identity into lanes of their clients, the offending ones marked.
func (c *chart) operations(h *History, f Finding) {
	var all []*Operation
	for _, op := range h.Operations {
		if op.Kind == f.Kind && op.Identity == f.Identity && op.Start <= c.to && op.End >= c.from {
			all = append(all, op)
		}
	}
	offends := func(op *Operation) bool { return slices.Contains(f.Operations, op) }
	all = nearest(c, all, func(op *Operation) time.Duration { return op.Start }, offends, "operations")
	slices.SortStableFunc(all, func(a, b *Operation) int {
		return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Start, b.Start))
	})
	for _, op := range all {
		b := c.bar(map[Outcome]string{OK: "ok", Unknown: "open", Refused: "refused"}[op.Outcome], op.Start, op.End)
		b.Title = fmt.Sprintf("%s, %s to %s\n%s\ntoken %s %s", op.Client, c.verdict.moment(op.Start), c.verdict.moment(op.End), describe(op), op.Token, op.Call)
		if offends(op) {
			b.Class, b.Text = "bad edge", describe(op)
		}
		c.put("client "+op.Client, 3, b)
	}
}

// activations puts those of the identity into lanes of their members, with their turns.
func (c *chart) activations(h *History, f Finding) {
	for _, a := range h.Activations {
		end := min(a.Stopped, h.processEnd(a.By))
		if a.Kind != f.Kind || a.Identity != f.Identity || a.Started > c.to || end < c.from {
			continue
		}
		b := c.bar("activation", a.Started, end)
		b.Text = a.Token.String()
		b.Title = fmt.Sprintf("activation on %s (%s), token %s, from %s to %s", a.Member, a.By, a.Token, c.verdict.moment(a.Started), c.verdict.moment(a.Stopped))
		c.put("member "+a.By, 3, b)
	}
	var all []*Turn
	for _, t := range h.Turns {
		if t.Kind == f.Kind && t.Identity == f.Identity && t.Begin <= c.to && t.End >= c.from {
			all = append(all, t)
		}
	}
	offends := func(t *Turn) bool { return slices.Contains(f.Turns, t) }
	for _, t := range nearest(c, all, func(t *Turn) time.Duration { return t.Begin }, offends, "turns") {
		b := c.bar("turn", t.Begin, min(t.End, h.processEnd(t.By)))
		b.Title = fmt.Sprintf("turn on %s (%s), token %s, from %s to %s", t.Member, t.By, t.Token, c.verdict.moment(t.Begin), c.verdict.moment(t.End))
		if offends(t) {
			b.Class = "bad"
		}
		c.put("member "+t.By, 9, b)
	}
}

// processEnd is when a process ended, or the end of the run.
func (h *History) processEnd(name string) time.Duration {
	for _, p := range h.Processes {
		if p.Name == name {
			return min(p.Closed, p.Killed, h.Last)
		}
	}
	return h.Last
}
