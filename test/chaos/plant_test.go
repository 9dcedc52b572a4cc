package chaos

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/test/chaos/history"
)

// A planted fault is a change of the product's source that breaks what it promises.
type planted struct {
	name     string
	file     string // from the root of the house
	old, new string
	rules    []string // of which a run has to find one
}

// plants are those that runs have to find.
var plants = []planted{
	{
		"an owner grants again after a time-out", "internal/placement/owner.go",
		"o.broken.grantAfterTimeout && g.phase == granting && g.resent > 1", "g.resent > 1",
		[]string{"overlap", "token went back", "not linearizable", "grains that owners and hosts do not agree on"},
	},
	{
		"a lease does not end", "internal/lease/machine.go",
		"case m.now >= m.at:", "case m.now >= m.at && m.drains > m.at:", // which is never
		[]string{"overlap", "token went back", "not linearizable"},
	},
}

// plantedRuns is within how many runs a planted fault has to be found.
const plantedRuns = 20

// TestPlanted builds the members with a fault planted in the product, and looks for a run that finds it.
func TestPlanted(t *testing.T) {
	if !flagGiven("chaos.planted") {
		t.Skip("takes up to half an hour: `make chaos-planted` runs it")
	}
	s := find(t, *onFlag)
	if s.backend == "automanaged" || s.lookup != "" {
		t.Fatalf("on %s there are no leases, or no owners: nothing can be planted in them", s.name)
	}
	given := *programFlag
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			defer func() { *programFlag = given }()
			*programFlag = p.build(t)
			for seed := range uint64(plantedRuns) {
				r := run(t, s, newPlan(seed+1, portion, true), portion)
				t.Logf("seed %d: %d answered, findings: %s", seed+1, r.Answered, strings.Join(r.Findings, "; "))
				if !p.found(r) {
					continue
				}
				t.Logf("found in run %d", seed+1)
				*programFlag = given
				if r := run(t, s, newPlan(seed+1, portion, true), portion); len(r.Findings) > 0 {
					t.Errorf("the same faults without what was planted: %s", strings.Join(r.Findings, "; "))
				}
				return
			}
			t.Errorf("not found in %d runs", plantedRuns)
		})
	}
}

// found reports whether a run has found what was planted: a failure, and by one of the rules. What is undecided is nothing found.
func (p planted) found(r result) bool {
	return slices.ContainsFunc(r.Findings, func(f string) bool {
		return strings.HasPrefix(f, history.Failure.String()+": ") && slices.ContainsFunc(p.rules, func(rule string) bool { return strings.Contains(f, rule) })
	})
}

func TestFound(t *testing.T) {
	for finding, want := range map[string]bool{
		"FAILURE: overlap: Tally tally-1: a turn":                                   true,
		"FAILURE: audit:  : x has grains that owners and hosts do not agree on = 1": true,
		"UNDECIDED: not linearizable: Register r: it takes longer":                  false,
		"FAILURE: leak:  : goroutines":                                              false,
		"the run itself: overlap":                                                   false,
	} {
		if got := plants[0].found(result{Findings: []string{finding}}); got != want {
			t.Errorf("%q: found %v", finding, got)
		}
	}
}

// build compiles this package with the fault in place of what is right.
func (p planted) build(t *testing.T) (program string) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, p.file)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), p.old); n != 1 {
		t.Fatalf("%s has %q %d times: the fault is to be planted elsewhere", p.file, p.old, n)
	}
	folder := t.TempDir()
	broken, overlay, program := filepath.Join(folder, "broken.go"), filepath.Join(folder, "overlay.json"), filepath.Join(folder, "chaos.test")
	places, err := json.Marshal(map[string]map[string]string{"Replace": {path: broken}})
	if err == nil {
		err = os.WriteFile(broken, []byte(strings.Replace(string(text), p.old, p.new, 1)), 0o600)
	}
	if err == nil {
		err = os.WriteFile(overlay, places, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}
