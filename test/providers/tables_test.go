package providers

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var (
	file   = flag.String("tables.file", "", "measure all providers, and append the rounds to this file")
	wanted = flag.Int("tables.rounds", 5, "how many rounds of each provider the file is to have")
	only   = flag.String("tables.only", "", "the providers to measure, with commas between; empty is all")
	docs   = flag.String("tables.docs", "", "the document that the table is written into")
)

// TestTables measures all providers if it is told where to write; else one round of what needs no service.
func TestTables(t *testing.T) {
	if *file == "" {
		tryOne(t)
		return
	}
	for _, b := range backends {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), b.name) {
			continue
		}
		t.Run(b.name, func(t *testing.T) { fill(t, b, *file, *wanted) })
	}
	all, err := readResults(*file)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the table:\n%s", all.table())
	if *docs == "" {
		return
	}
	text, err := os.ReadFile(*docs)
	if err != nil {
		t.Fatal(err)
	}
	document, err := insert(string(text), all.table())
	if err != nil {
		t.Fatalf("%s: %v", *docs, err)
	}
	if err := os.WriteFile(*docs, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fill runs the rounds that the file does not have yet.
func fill(t *testing.T, b backend, path string, wanted int) {
	done, err := readResults(path)
	if err != nil {
		t.Fatal(err)
	}
	for number := done.rounds(b.name); number < wanted; number++ {
		t.Run("round", func(t *testing.T) {
			if err := appendRound(path, run(t, b, b.start(t), number)); err != nil {
				t.Error(err)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// tryOne shows that each step is measured, and that what is in the file is not measured again.
func tryOne(t *testing.T) {
	path := t.TempDir() + "/results"
	fill(t, backends[0], path, 1)
	fill(t, backends[0], path, 1)
	all, err := readResults(path)
	if err != nil || len(all) != len(steps)-1 {
		t.Fatalf("%d steps were measured, want all but the outage: %+v, %v", len(all), all, err)
	}
	for _, m := range all {
		if m.Calls == 0 || m.Recovery <= 0 || m.Slowest <= 0 {
			t.Errorf("nothing was measured: %+v", m)
		}
		if m.Step != steps[0].name && m.Failed > 0 {
			t.Errorf("%s: %d calls failed", m.Step, m.Failed)
		}
	}
}
