package chaos

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	tableFlag  = flag.String("chaos.table", "", "the file that TestTable appends the results of runs to, a line each; it goes on where an earlier one was broken off")
	runsFlag   = flag.Int("chaos.runs", 25, "how many runs TestTable does of each setting")
	besideFlag = flag.Int("chaos.beside", 2, "how many runs TestTable does at a time")
	timeFlag   = flag.Duration("chaos.time", 0, "after which time TestTable begins no further run; 0 for none")
	_          = flag.Bool("chaos.planted", false, "do TestPlanted")
	onlyFlag   = flag.String("chaos.only", "", "the settings that TestTable runs, with commas between; all without")
	sinceFlag  = flag.String("chaos.since", "", "a commit: TestTable counts the runs of it and of later ones only, and does the others again; all without")
	docsFlag   = flag.String("chaos.docs", "", "the page in which TestTable writes its table anew")
)

// portion is how long faults happen in a run of the table.
const portion = 30 * time.Second

func flagGiven(name string) (given bool) {
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}

// TestTable does runs of every setting, by the seeds from 1 on, and appends what came of them to a file.
func TestTable(t *testing.T) {
	if *tableFlag == "" {
		t.Skip("takes hours: `make chaos-table` runs it")
	}
	done := make(map[string]bool)
	for _, r := range results(t) {
		done[fmt.Sprint(r.Setting, r.Seed)] = true
	}
	began, revision := time.Now(), treeOf(t)
	var mu sync.Mutex // guards the file
	places := make(chan struct{}, *besideFlag)
	var wg sync.WaitGroup
	for seed := range uint64(*runsFlag) {
		for _, s := range settings {
			if done[fmt.Sprint(s.name, seed+1)] || *onlyFlag != "" && !strings.Contains(","+*onlyFlag+",", ","+s.name+",") {
				continue
			}
			places <- struct{}{}
			if *timeFlag > 0 && time.Since(began) > *timeFlag || t.Context().Err() != nil {
				<-places
				continue
			}
			wg.Go(func() {
				defer func() { <-places }()
				t.Run(fmt.Sprintf("%s seed %d", s.name, seed+1), func(t *testing.T) {
					r := result{Setting: s.name, Seed: seed + 1, Findings: []string{"the run did not come to its end: its output says why"}}
					defer func() { // also where it ends by t.Fatal
						mu.Lock()
						defer mu.Unlock()
						r.Revision = revision
						appendResult(t, r)
					}()
					r = run(t, s, newPlan(seed+1, portion, s.backend != "automanaged"), portion)
					for _, f := range r.Findings {
						t.Error(f)
					}
				})
			})
		}
	}
	wg.Wait()
	all := results(t)
	t.Logf("\n%s", table(all))
	if *docsFlag != "" {
		if err := write(*docsFlag, tableBegins, tableEnds, table(all)); err != nil {
			t.Fatal(err)
		}
	}
}

// treeOf gives the commit of the tree, with a plus where something differs from it.
func treeOf(t *testing.T) string {
	out, err := exec.CommandContext(t.Context(), "git", "describe", "--always", "--abbrev=12", "--dirty=+").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// results reads the runs that the file has.
func results(t *testing.T) (all []result) {
	f, err := os.Open(*tableFlag)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var r result
		if err := json.Unmarshal(scanner.Bytes(), &r); err != nil {
			t.Fatalf("%s: %q: %v", *tableFlag, scanner.Text(), err)
		}
		all = append(all, r)
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	if *sinceFlag == "" {
		return all
	}
	known := make(map[string]bool)
	return slices.DeleteFunc(all, func(r result) bool {
		if _, ok := known[r.Revision]; !ok {
			known[r.Revision] = after(t, *sinceFlag, r.Revision)
		}
		return !known[r.Revision]
	})
}

// after reports whether a revision of a result is a commit, or of a tree that has come from it. One that nobody knows is not.
func after(t *testing.T, commit, revision string) bool {
	if revision = strings.TrimSuffix(revision, "+"); revision == "" || revision == "unknown" {
		return false
	}
	err := exec.CommandContext(t.Context(), "git", "merge-base", "--is-ancestor", commit, revision).Run()
	var no *exec.ExitError
	if err != nil && (!errors.As(err, &no) || no.ExitCode() != 1) {
		t.Fatalf("git cannot say whether %s comes after %s: %v", revision, commit, err)
	}
	return err == nil
}

// TestAfter asks for commits of this tree.
func TestAfter(t *testing.T) {
	head := strings.TrimSuffix(treeOf(t), "+")
	if head == "unknown" {
		t.Skip("the tree is of no repository")
	}
	for revision, want := range map[string]bool{head: true, head + "+": true, "": false, "unknown": false} {
		if after(t, head, revision) != want {
			t.Errorf("%q after %s: %v", revision, head, !want)
		}
	}
}

func appendResult(t *testing.T, r result) {
	text, err := json.Marshal(r)
	if err != nil {
		t.Error(err)
		return
	}
	f, err := os.OpenFile(*tableFlag, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.Write(append(text, '\n'))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Error(err)
	}
}
