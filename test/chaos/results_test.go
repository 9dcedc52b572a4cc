package chaos

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// The table stands between these lines of a document.
const (
	tableBegins = "<!-- make chaos-table begins -->\n"
	tableEnds   = "<!-- make chaos-table ends -->\n"
)

// table is what came of runs in Markdown, a row for each setting.
func table(all []result) string {
	var b strings.Builder
	b.WriteString(revisions(all))
	b.WriteString("| on | runs | calls answered | failed: refused, unknown | faults | longest wait for a promised grain: median, worst | " +
		"overlaps: promised, not promised | messages | pairs with one lost, twice or out of order | findings |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range settings {
		of := slices.DeleteFunc(slices.Clone(all), func(r result) bool { return r.Setting != s.name })
		if len(of) > 0 {
			b.WriteString(row(s, of))
		}
	}
	return b.String()
}

// revisions says of which trees the runs are, each judged by the rules of its own.
func revisions(all []result) string {
	runs := make(map[string]int)
	for _, r := range all {
		if r.Revision == "" {
			r.Revision = "unknown"
		}
		runs[r.Revision]++
	}
	var each []string
	for _, revision := range slices.Sorted(maps.Keys(runs)) {
		each = append(each, fmt.Sprintf("%s (%d)", revision, runs[revision]))
	}
	return fmt.Sprintf("%d runs, each judged by the rules of its revision of the tree: %s.\n\n", len(all), strings.Join(each, ", "))
}

func row(s setting, of []result) string {
	var answered, refused, unknown, faults, promised, others, sent, lost, findings int64
	var waits []time.Duration
	for _, r := range of {
		answered += int64(r.Answered)
		for cause, n := range r.Failed {
			if strings.HasPrefix(cause, "refused") {
				refused += n
			} else {
				unknown += n
			}
		}
		for name, n := range r.Counts {
			switch {
			case strings.HasPrefix(name, "processes: faults"):
				faults += n
			case strings.HasPrefix(name, "activations: overlaps") && strings.Contains(name, "best effort"):
				others += n
			case strings.HasPrefix(name, "activations: overlaps"):
				promised += n
			case name == "messages: sent":
				sent += n
			case name == "messages: FAILURE":
				lost += n
			}
		}
		findings += int64(len(r.Findings))
		wait := time.Duration(0)
		for kind, d := range r.Longest {
			if kind != looseKind {
				wait = max(wait, d)
			}
		}
		waits = append(waits, wait)
	}
	slices.Sort(waits)
	return fmt.Sprintf("| %s | %d | %d | %d, %d | %d | %.1f s, %.1f s | %d, %d | %d | %d | %d |\n", s.name, len(of), answered, refused, unknown, faults,
		waits[len(waits)/2].Seconds(), waits[len(waits)-1].Seconds(), promised, others, sent, lost, findings)
}

// write puts a table into a page.
func write(page, begins, ends, table string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), begins)
	_, after, ended := strings.Cut(rest, ends)
	if !ok || !ended {
		return fmt.Errorf("%s has no place for the table: a line %q and later a line %q", page, begins, ends)
	}
	return os.WriteFile(page, []byte(before+begins+table+ends+after), 0o600)
}

func TestTableOfResults(t *testing.T) {
	runs := []result{
		{
			Setting: "etcd", Revision: "abc+", Answered: 10, Failed: map[string]int64{"refused: a": 1, "unknown: b": 2}, Findings: []string{"a"},
			Longest: map[string]time.Duration{tallyKind: time.Second, looseKind: time.Minute},
			Counts: map[string]int64{
				"processes: faults, kill": 2, "processes: faults, pause": 1, "activations: overlaps, Loose (best effort)": 4,
				"activations: overlaps, Tally (lease)": 1, "messages: sent": 7, "messages: FAILURE": 1,
			},
		},
		{Setting: "etcd", Answered: 20, Longest: map[string]time.Duration{tallyKind: 3 * time.Second}},
		{Setting: "etcd", Answered: 30, Longest: map[string]time.Duration{tallyKind: 2 * time.Second}},
	}
	page := t.TempDir() + "/page.md"
	if err := os.WriteFile(page, []byte("before\n"+tableBegins+"old\n"+tableEnds+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(page, tableBegins, tableEnds, table(runs)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n", "3 runs, each judged by the rules of its revision of the tree: abc+ (1), unknown (2).", "| etcd | 3 | 60 | 1, 2 | 3 | 2.0 s, 3.0 s | 1, 4 | 7 | 1 | 1 |\n" + tableEnds + "after\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if err := write(page, "nowhere\n", tableEnds, ""); err == nil {
		t.Error("a page without a place for it took the table")
	}
}
