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
	chosen, err := peersOf("granary,protoactor,hollywood,channel")
	if err != nil {
		t.Fatal(err)
	}
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
	for _, c := range []struct{ text, want string }{
		{"a\n" + tableBegins + "old\n" + tableEnds + "b\n", "a\n" + tableBegins + "new\n" + tableEnds + "b\n"},
		{"a\n" + tableEnds + tableBegins, ""},
		{"a\n", ""},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := replace(file, "new\n")
		got, _ := os.ReadFile(file)
		if want := c.want; want == "" && (err == nil || string(got) != c.text) || want != "" && string(got) != want {
			t.Errorf("%q becomes %q, %v", c.text, got, err)
		}
	}
}

func TestNames(t *testing.T) {
	if _, err := peersOf("granary,akka"); err == nil || !strings.Contains(err.Error(), `"akka"`) {
		t.Errorf("an unknown peer: %v", err)
	}
	if _, err := casesOf("tell,sell"); err == nil || !strings.Contains(err.Error(), `"sell"`) {
		t.Errorf("an unknown case: %v", err)
	}
}
