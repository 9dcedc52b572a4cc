package providers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// results are the measures of all rounds that were run, in the order of the file.
type results []measure

// readResults reads the file that append writes; none is an empty one. A line that was cut short, by a run that was broken
// off, is the last one and does not count.
func readResults(path string) (all results, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lines := strings.SplitAfter(string(text), "\n")
	for i, line := range lines {
		if !strings.HasSuffix(line, "\n") {
			continue
		}
		var round []measure
		if err := json.Unmarshal([]byte(line), &round); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, i+1, err)
		}
		all = append(all, round...)
	}
	return all, nil
}

// appendRound writes the measures of one round at the end of the file, whole.
func appendRound(path string, round []measure) error {
	line, err := json.Marshal(round)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if i := bytes.LastIndexByte(text, '\n'); i+1 < len(text) {
		text = text[:i+1] // a line that was cut short
	}
	return os.WriteFile(path, append(append(text, line...), '\n'), 0o600)
}

// rounds counts the rounds of a backend.
func (all results) rounds(backend string) int {
	seen := make(map[int]bool)
	for _, m := range all {
		if m.Backend == backend {
			seen[m.Round] = true
		}
	}
	return len(seen)
}

// table is the results in Markdown: a row for each step, a column for each backend.
func (all results) table() string {
	var b strings.Builder
	var columns []string
	for _, k := range backends {
		if all.rounds(k.name) > 0 {
			columns = append(columns, k.name)
		}
	}
	fmt.Fprintf(&b, "| | %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	b.WriteString("| lease time |")
	for _, k := range backends {
		if slices.Contains(columns, k.name) {
			fmt.Fprintf(&b, " %s |", k.lease)
		}
	}
	b.WriteString("\n")
	for _, step := range steps {
		fmt.Fprintf(&b, "| %s |", step.name)
		for _, column := range columns {
			fmt.Fprintf(&b, " %s |", all.cell(column, step))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// cell is what a step cost on a backend.
func (all results) cell(backend string, s step) string {
	var took []time.Duration
	calls, failed, unknown := 0, 0, 0
	for _, m := range all {
		if m.Backend == backend && m.Step == s.name {
			took = append(took, s.cost(m))
			calls, failed, unknown = calls+m.Calls, failed+m.Failed, unknown+m.Unknown
		}
	}
	if len(took) == 0 {
		return "–"
	}
	slices.Sort(took)
	text := fmt.Sprintf("%s, worst %s; %d of %d calls failed", seconds(took[len(took)/2]), seconds(took[len(took)-1]), failed, calls)
	if unknown > 0 {
		text += fmt.Sprintf(" (%d may have run)", unknown)
	}
	return text
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// The table stands between these lines of a document.
const (
	tableBegins = "<!-- make tables begins -->\n"
	tableEnds   = "<!-- make tables ends -->\n"
)

// insert puts the table into a document.
func insert(document, table string) (string, error) {
	before, rest, ok := strings.Cut(document, tableBegins)
	_, after, ended := strings.Cut(rest, tableEnds)
	if !ok || !ended {
		return "", fmt.Errorf("the document has no place for the table: a line %q and later a line %q", tableBegins, tableEnds)
	}
	return before + tableBegins + table + tableEnds + after, nil
}

func TestResults(t *testing.T) {
	path := t.TempDir() + "/results"
	if all, err := readResults(path); err != nil || all != nil {
		t.Fatalf("without a file: %v, %v", all, err)
	}
	step, other := steps[0].name, steps[1].name
	for i, took := range []time.Duration{3 * time.Second, time.Second, 2 * time.Second} {
		round := []measure{
			{Backend: "etcd", Round: i, Step: step, Calls: 100, Failed: 2, Unknown: 1, Recovery: took},
			{Backend: "etcd", Round: i, Step: other, Calls: 10, Recovery: time.Hour, Slowest: 2 * took},
		}
		if err := appendRound(path, round); err != nil {
			t.Fatal(err)
		}
		// A run that is broken off leaves part of a line.
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString(`[{"backend":"etcd","rou`)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	all, err := readResults(path)
	if err != nil || all.rounds("etcd") != 3 || all.rounds("zk") != 0 {
		t.Fatalf("%v, %v", all, err)
	}
	document, err := insert("before\n"+tableBegins+"old\n"+tableEnds+"after\n", all.table())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"before\n" + tableBegins + "| | etcd |\n|---|---|\n| lease time | 10s |\n",
		"| " + step + " | 2.00 s, worst 3.00 s; 6 of 300 calls failed (3 may have run) |\n",
		"| " + other + " | 4.00 s, worst 6.00 s; 0 of 30 calls failed |\n",
		"| " + steps[2].name + " | – |\n",
		tableEnds + "after\n",
	} {
		if !strings.Contains(document, want) {
			t.Errorf("%q is not in\n%s", want, document)
		}
	}
	if _, err := insert("nothing", ""); err == nil {
		t.Error("a document without a place for it took the table")
	}
	if err := os.WriteFile(path, []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readResults(path); err == nil {
		t.Error("nonsense was read")
	}
}
