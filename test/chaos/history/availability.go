package history

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Outage is a time in which an identity was called and answered nobody.
type Outage struct {
	Kind, Identity string
	From, To       time.Duration
}

// Availability tells, without judging, how well a run was served.
type Availability struct {
	Answered, Failed int
	// Worst is the longest outage of each kind, in order of kinds. A kind without one has none.
	Worst []Outage
	// Causes are why calls failed, the most frequent first: outcome and text, without what is another each time.
	Causes []Count
}

// Available looks at all operations of a history.
func Available(h *History) Availability {
	var a Availability
	causes := map[string]int64{}
	served := map[grain][]*Operation{}
	for _, op := range h.Operations {
		g := grain{op.Kind, op.Identity}
		served[g] = append(served[g], op)
		if op.Outcome == OK {
			a.Answered++
			continue
		}
		a.Failed++
		causes[op.Outcome.String()+": "+Cause(op.Error)]++
	}
	worst := map[string]Outage{}
	for _, g := range sortedGrains(served) {
		if o := longestOutage(g, served[g], h.Last); o.To-o.From > worst[g.kind].To-worst[g.kind].From {
			worst[g.kind] = o
		}
	}
	for _, kind := range sortedKeys(worst) {
		a.Worst = append(a.Worst, worst[kind])
	}
	for cause, n := range causes {
		a.Causes = append(a.Causes, Count{cause, n})
	}
	slices.SortFunc(a.Causes, func(x, y Count) int {
		return cmp.Or(cmp.Compare(y.Value, x.Value), strings.Compare(x.Name, y.Name))
	})
	return a
}

// longestOutage finds the longest time between answers in which somebody waited for one: from the moment at which somebody began
// to, also if that call has failed since, to the next answer. One that nobody heard of is taken to wait until the run's last moment.
func longestOutage(g grain, operations []*Operation, last time.Duration) Outage {
	type moment struct {
		at   time.Duration
		op   *Operation
		ends bool
	}
	moments := make([]moment, 0, 2*len(operations))
	for _, op := range operations {
		moments = append(moments, moment{op.Start, op, false}, moment{min(op.End, max(last, op.Start)), op, true})
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	longest := Outage{Kind: g.kind, Identity: g.identity}
	since, underWay := Never, 0 // since when somebody waits; Never if nobody does
	widen := func(to time.Duration) {
		if since != Never && to-since > longest.To-longest.From {
			longest.From, longest.To = since, to
		}
	}
	for _, m := range moments {
		heard := m.op.End != Never
		switch {
		case !m.ends:
			since = min(since, m.at)
			if heard {
				underWay++
			}
			continue
		case heard:
			underWay--
		}
		widen(m.at)
		if m.op.Outcome == OK {
			since = Never
			if underWay > 0 {
				since = m.at
			}
		}
	}
	return longest
}

// What is another each time, in the order in which it is replaced.
var changing = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`\[[0-9a-fA-F:.%]+\]:\d+`), "‹address›"},
	{regexp.MustCompile(`\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b`), "‹address›"},
	{regexp.MustCompile(`\b[\w.-]+:\d{2,5}\b`), "‹address›"},
	{regexp.MustCompile(`\b[0-9a-f]+\.[0-9a-f]{16}\b`), "‹token›"},
	{regexp.MustCompile(`\b[A-Z0-9]{12,}\b`), "‹id›"},
	{regexp.MustCompile(`"[^"]*"`), "‹text›"},
	{regexp.MustCompile(`\b\w+/[^\s@,;:]+(@\S+)?`), "‹grain›"},
	{regexp.MustCompile(`\b(\d+(\.\d+)?(h|m|s|ms|µs|ns))+\b`), "‹time›"},
	{regexp.MustCompile(`\b\d+\b`), "‹n›"},
}

// Cause is an error's text without addresses, ids, identities, times and numbers, so that equal causes have equal texts.
func Cause(text string) string {
	if text == "" {
		return "nothing was heard of it"
	}
	for _, c := range changing {
		text = c.what.ReplaceAllString(text, c.by)
	}
	const most = 300
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strings.Join(strings.Fields(text), " ")
}

// String gives the outage for people.
func (o Outage) String() string {
	return fmt.Sprintf("%s/%s, %v", o.Kind, o.Identity, (o.To - o.From).Round(time.Millisecond))
}
