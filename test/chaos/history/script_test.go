package history

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// script makes operations of one identity, one each line: client, start-end, what, argument, = result, @token. An end of "?"
// is an unknown outcome, and one of "!" a refusal. A compare-and-set has old>new for its argument.
func script(t testing.TB, workload, text string) []*Operation {
	t.Helper()
	var all []*Operation
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		op := &Operation{By: "c.1", Workload: workload, Kind: "K", Identity: "a", Client: f[0], Do: f[2], Outcome: OK}
		start, end, _ := strings.Cut(f[1], "-")
		switch end {
		case "?":
			op.Outcome, op.End = Unknown, Never
		case "!":
			op.Outcome, op.End = Refused, Never
		default:
			op.End = at(t, end)
		}
		op.Start = at(t, start)
		for i := 3; i < len(f); i++ {
			switch {
			case f[i] == "=":
				op.Result = strings.Join(f[i+1:], " ")
				if op.Result == "nothing" {
					op.Result = ""
				}
				i = len(f)
			case strings.HasPrefix(f[i], "@"):
				token, err := ParseToken(f[i][1:])
				if err != nil {
					t.Fatal(err)
				}
				op.Token = token
			default:
				op.Argument = f[i]
			}
		}
		if op.Do == DoCAS {
			op.Expect, op.Argument, _ = strings.Cut(op.Argument, ">")
		}
		all = append(all, op)
	}
	return sortOperations(all)
}

func sortOperations(all []*Operation) []*Operation {
	by(all, func(o *Operation) int64 { return int64(o.Start) })
	return all
}

func at(t testing.TB, text string) time.Duration {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatalf("%q is no moment", text)
	}
	return time.Duration(n) * time.Millisecond
}

// with gives a history whose kind K has a mode.
func with(mode Mode, operations []*Operation) *History {
	h := &History{Plans: []*Plan{{Modes: map[string]Mode{"K": mode}}}, Operations: operations}
	for _, op := range operations {
		h.Last = max(h.Last, op.Start)
		if op.End != Never {
			h.Last = max(h.Last, op.End)
		}
	}
	return h
}

// expect compares the only rule that a report names, "" for none, with level.
func expect(t *testing.T, r Report, rule string, level Level) {
	t.Helper()
	switch {
	case rule == "" && len(r.Findings) > 0:
		t.Errorf("found %+v, want nothing", r.Findings)
	case rule != "" && len(r.Findings) == 0:
		t.Errorf("found nothing, want %q", rule)
	}
	for _, f := range r.Findings {
		if rule != "" && (f.Rule != rule || f.Level != level) {
			t.Errorf("found %v, %q: %s; want %v, %q", f.Level, f.Rule, f.Text, level, rule)
		}
	}
}
