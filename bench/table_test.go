package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/granary-go/granary/bench/workload"
)

func caseOf(t *testing.T, name string) workload.Case {
	t.Helper()
	c, err := workload.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTable(t *testing.T) {
	tell, ask := caseOf(t, "tell"), caseOf(t, "ask")
	all, err := comparisonsOf("actor", "", "granary,protoactor,hollywood,channel")
	if err != nil {
		t.Fatal(err)
	}
	chosen := all[0].peers
	r := newResults()
	for round := range 3 {
		slower := float64(round + 1) // which harms all alike
		for i, p := range chosen {
			seconds := []float64{1, 2, 4, 0.5}[i] * slower
			if p.name == "hollywood" && round == 1 {
				r.add(tell, p, workload.Result{}, errors.New("it takes more than 1m0s"))
			} else {
				r.add(tell, p, workload.Result{Ops: 3_000_000, Seconds: seconds, Allocations: float64(i)}, nil)
			}
			if p.kind == floor {
				r.add(ask, p, workload.Result{}, errors.New("no"))
			} else {
				r.add(ask, p, workload.Result{Ops: 1, Seconds: 1, Median: seconds / 1e6, Worst: seconds / 1e5}, nil)
			}
		}
	}
	got := r.table([]workload.Case{tell, ask}, chosen)
	for _, want := range []string{
		"| case | granary | protoactor | hollywood | channel | to the best library | to the best by hand |\n",
		"| tell, 1→1 | 1.50 M/s, 0.0 allocs | 750.0 k/s, 1.0 allocs | 750.0 k/s, 2.0 allocs, failed in 1 of 3: it takes more than 1m0s |",
		" **2.00** × protoactor (2.00–2.00) | **0.50** × channel (0.50–0.50) |\n",
		"| ask, one client, median | 2.00 µs (99 %: 20.00 µs), 0.0 allocs |",
		"| failed: no | **2.00** × protoactor (2.00–2.00) | – |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the table lacks %q:\n%s", want, got)
		}
	}
}

func TestReplace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	const begins, ends = "<!-- begins -->\n", "<!-- ends -->\n"
	for _, c := range []struct{ text, want string }{
		{"a\n" + begins + "old\n" + ends + "b\n", "a\n" + begins + "new\n" + ends + "b\n"},
		{"a\n" + ends + begins, ""},
		{"a\n", ""},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := replace(file, begins, ends, "new\n")
		got, _ := os.ReadFile(file)
		if want := c.want; want == "" && (err == nil || string(got) != c.text) || want != "" && string(got) != want {
			t.Errorf("%q becomes %q, %v", c.text, got, err)
		}
	}
}

// The page of the repository has a place for each table.
func TestPlaces(t *testing.T) {
	text, err := os.ReadFile("../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range comparisons {
		if err := replace(file, c.begins, c.ends, "| "+c.name+" |\n"); err != nil {
			t.Error(err)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ tables, cases, peers, unknown string }{
		{"actor,dictor", "", "", `table "dictor"`},
		{"", "tell,sell", "", `case "sell"`},
		{"", "", "granary,akka", `peer "akka"`},
		{"actor", "tell16", "", `case "tell16"`},
	} {
		if _, err := comparisonsOf(c.tables, c.cases, c.peers); err == nil || !strings.Contains(err.Error(), c.unknown) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	chosen, err := comparisonsOf("", "tell16,ask1,tell", "granary,unary")
	if err != nil || len(chosen) != 2 || len(chosen[0].cases) != 1 || len(chosen[1].cases) != 2 || len(chosen[1].peers) != 2 {
		t.Errorf("%+v, %v", chosen, err)
	}
	if unary := chosen[1].peers[1]; unary.runs(chosen[1].cases[0]) || !unary.runs(chosen[1].cases[1]) {
		t.Error("unary calls are for cases that ask")
	}
}
