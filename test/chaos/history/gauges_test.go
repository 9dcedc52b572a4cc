package history

import (
	"strings"
	"testing"
	"time"
)

func TestGauges(t *testing.T) {
	slack := &Slack{Heap: 100, Goroutines: 10, Descriptors: 10, Connections: 10}
	g := func(mark string, after bool, n int) *Gauge {
		return &Gauge{Process: "m.1", Mark: mark, After: after, Heap: uint64(n), Goroutines: n, Descriptors: n, Connections: n}
	}
	later := func(n int) *Gauge {
		later := g("1", true, n)
		later.Process = "m.3"
		return later
	}
	one := func(change func(*Gauge)) []*Gauge {
		after := g("1", true, 50)
		change(after)
		return []*Gauge{g("1", false, 50), after}
	}
	for name, c := range map[string]struct {
		gauges []*Gauge
		rule   string
	}{
		"same":                   {one(func(*Gauge) {}), ""},
		"less":                   {one(func(g *Gauge) { *g = Gauge{Process: "m.1", Mark: "1", After: true} }), ""},
		"within the slack":       {one(func(g *Gauge) { g.Heap, g.Goroutines = 150, 60 }), ""},
		"heap":                   {one(func(g *Gauge) { g.Heap = 151 }), "leak"},
		"goroutines":             {one(func(g *Gauge) { g.Goroutines = 61 }), "leak"},
		"descriptors":            {one(func(g *Gauge) { g.Descriptors = 61 }), "leak"},
		"connections":            {one(func(g *Gauge) { g.Connections = 61 }), "leak"},
		"none before":            {[]*Gauge{g("1", false, 0), g("2", true, 99)}, ""},
		"a later process":        {[]*Gauge{g("1", false, 50), later(60)}, ""},
		"a later process, leaks": {[]*Gauge{g("1", false, 50), later(61)}, "leak"},
		"a later process of two": {[]*Gauge{g("1", false, 50), g("1", true, 50), later(61)}, "leak"},
		"a little each time": {[]*Gauge{
			g("1", false, 50), g("1", true, 58), g("2", false, 58), g("2", true, 66),
		}, "leak"},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, CheckGauges(&History{Gauges: c.gauges}, Options{Slack: slack}), c.rule, Failure)
		})
	}
}

// What was compared can be read.
func TestNotesOfGauges(t *testing.T) {
	h := &History{Gauges: []*Gauge{{Process: "m.1", Mark: "1", Heap: 3 << 19, Goroutines: 7}, {Process: "m.1", Mark: "1", After: true, Heap: 1 << 20, Goroutines: 8}}}
	r := CheckGauges(h, Options{})
	const want = "m.1 then m.1: heap 1.5 then 1.0 MiB, goroutines 7 then 8, descriptors 0 then 0, connections 0 then 0"
	if len(r.Notes) != 1 || r.Notes[0] != want {
		t.Errorf("%q, want %q", r.Notes, want)
	}
	var text strings.Builder
	(&Verdict{Reports: []Report{r}}).Print(&text)
	if !strings.Contains(text.String(), "gauges: "+want+"\n") {
		t.Errorf("it is not printed:\n%s", &text)
	}
}

func TestAudits(t *testing.T) {
	expect(t, CheckAudits(&History{Audits: []*Audit{{Name: "violations"}}}, Options{}), "", Failure)
	expect(t, CheckAudits(&History{Audits: []*Audit{{Name: "violations"}, {Name: "late", Value: 1}}}, Options{}), "audit", Failure)
	expect(t, CheckAudits(&History{}, Options{}), "no audit", Failure)
}

func TestProcesses(t *testing.T) {
	for name, c := range map[string]struct {
		p    Process
		rule string
	}{
		"closed":            {Process{Closed: time.Second, Killed: Never}, ""},
		"killed":            {Process{Closed: Never, Killed: time.Second}, ""},
		"killed as it ends": {Process{Closed: time.Second, Killed: time.Second}, ""},
		"crashed":           {Process{Closed: Never, Killed: Never}, "crash"},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, CheckProcesses(&History{Processes: []*Process{&c.p}}, Options{}), c.rule, Failure)
		})
	}
}
