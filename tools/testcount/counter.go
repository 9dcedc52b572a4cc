package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// An event is one line of go test -json: what cmd/test2json documents, and the build events beside it.
type event struct {
	Action     string  `json:"Action"`
	Package    string  `json:"Package"`
	ImportPath string  `json:"ImportPath"` // of build events
	Test       string  `json:"Test"`
	Elapsed    float64 `json:"Elapsed"` // seconds
	Output     string  `json:"Output"`
}

// A counter reads the events of any number of runs and adds them up. The zero value is not ready; use newCounter.
type counter struct {
	out                     io.Writer // for people: a line a package, and all that failing tests printed
	passed, failed, skipped int
	running                 map[string]*packageRun
	builds                  map[string]*strings.Builder // by package, what its compiler said
	lacking                 map[string]int              // by server, tests that skipped since the last tellLacking for want of it
	all                     bool                        // this is make test-all: nothing may be lacking
	later                   []string                    // modules that only make test-all tests
	broken                  []string                    // packages whose race detector broke, to be tested again
	again                   bool                        // these are tested again: another break is a failure
	repeated                int                         // packages that were tested again
	beside                  bool                        // other modules are tested at the same time
	doubtful                []doubt                     // what failed beside them, to be tested again alone
	alone                   int                         // tests that failed beside others and passed alone
}

// A doubt is what failed in a package whose module was tested beside another one, and is not counted yet.
type doubt struct {
	pkg   string
	tests []string // without a slash: with all their subtests
	count int      // how many tests failed
}

// detectorBroke is what a line begins with when the race detector broke, whatever the program did; it then ends the
// process. Two kinds are known with Go 1.26 on a machine with much to do: a check of its own that fails,
// "tsan_rtl.cpp:346 … kEpochLast", and an access to nowhere in it (__tsan::SlotLock). The latter is told in these words only of
// a fault outside of Go's code, and nothing else is outside of it here; one in Go's code has its signal in brackets.
var detectorBroke = []string{"ThreadSanitizer: CHECK failed: tsan_", "SIGSEGV: segmentation violation"}

// lacks is how a test says that it skips for want of a server.
var lacks = regexp.MustCompile("needs ([^\\n]+), which `make test-all` (?:builds|installs)")

// packageRun is one package whose tests are running.
type packageRun struct {
	output  map[string]*strings.Builder // by test; "" is the package itself
	started []string
	results map[string]string // test to pass, fail or skip
}

func newCounter(out io.Writer) *counter {
	return &counter{out: out, running: map[string]*packageRun{}, builds: map[string]*strings.Builder{}, lacking: map[string]int{}}
}

// read consumes the output of one go test -json until its end. Lines that are no event are shown as they are.
// A package that began and did not end, because its run was killed, is a failure.
func (c *counter) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) == nil && e.Action != "" {
				c.add(e)
			} else {
				fmt.Fprint(c.out, line)
			}
		}
		if err == io.EOF {
			break
		} else if err != nil {
			return err
		}
	}
	for name := range c.running {
		c.add(event{Action: "fail", Package: name})
	}
	return nil
}

func (c *counter) add(e event) {
	switch e.Action {
	case "build-output":
		// The compiler tells of a package's tests under "path [path.test]".
		name, _, _ := strings.Cut(e.ImportPath, " ")
		if c.builds[name] == nil {
			c.builds[name] = &strings.Builder{}
		}
		c.builds[name].WriteString(e.Output)
		return
	case "build-fail":
		name, _, _ := strings.Cut(e.ImportPath, " ")
		if text := c.builds[name]; text != nil {
			fmt.Fprint(c.out, text.String())
			delete(c.builds, name)
		}
		return
	}
	run := c.running[e.Package]
	if run == nil {
		run = &packageRun{output: map[string]*strings.Builder{}, results: map[string]string{}}
		c.running[e.Package] = run
	}
	switch e.Action {
	case "run":
		run.started = append(run.started, e.Test)
	case "output":
		if run.output[e.Test] == nil {
			run.output[e.Test] = &strings.Builder{}
		}
		run.output[e.Test].WriteString(e.Output)
	case "pass", "fail", "skip":
		if e.Test != "" {
			run.results[e.Test] = e.Action
			return
		}
		delete(c.running, e.Package)
		c.close(e, run)
	}
}

// detectorBroke reports whether the package ended because the race detector broke, and no test had failed by then.
func (run *packageRun) detectorBroke() bool {
	for _, result := range run.results {
		if result == "fail" {
			return false
		}
	}
	for _, text := range run.output {
		for line := range strings.Lines(text.String()) {
			if slices.ContainsFunc(detectorBroke, func(begin string) bool { return strings.HasPrefix(line, begin) }) {
				return true
			}
		}
	}
	return false
}

// doubtful gives the tests without a slash that failed, by themselves or in a subtest, if another try may say more: all of
// them ended, and neither a data race nor a panic was told of.
func (run *packageRun) doubtful() map[string]bool {
	tests := map[string]bool{}
	for _, test := range run.started {
		switch run.results[test] {
		case "fail":
			tests[ancestry(test)[0]] = true
		case "": // it was running when the process ended
			return nil
		}
	}
	for _, text := range run.output {
		for line := range strings.Lines(text.String()) {
			if strings.HasPrefix(line, "WARNING: DATA RACE") || strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
				return nil
			}
		}
	}
	return tests
}

// close counts a package that ended, and shows what failed in it.
func (c *counter) close(e event, run *packageRun) {
	if e.Action == "fail" && !c.again && run.detectorBroke() {
		c.broken = append(c.broken, e.Package)
		return
	}
	doubtful := map[string]bool{}
	if e.Action == "fail" && c.beside {
		doubtful = run.doubtful()
	}
	passed, skipped := 0, 0
	var failed []string
	for _, test := range run.started {
		isParent, doubted := hasSubtest(run.started, test), doubtful[ancestry(test)[0]]
		switch result := run.results[test]; {
		case doubted && result != "fail":
		case result == "pass" && !isParent:
			passed++
		case result == "skip" && !isParent && c.lacked(run.output[test]):
			failed = append(failed, test)
		case result == "skip" && !isParent:
			skipped++
		case result != "pass" && result != "skip":
			// Also a test that began and did not end: it was running when the process broke.
			failed = append(failed, test)
		}
	}
	failed = withoutParents(failed)
	if e.Action == "fail" && len(failed) == 0 {
		failed = []string{""} // the package itself: its build, its TestMain, or a crash
	}
	c.passed, c.skipped = c.passed+passed, c.skipped+skipped
	if len(doubtful) > 0 {
		c.doubtful = append(c.doubtful, doubt{e.Package, slices.Sorted(maps.Keys(doubtful)), len(failed)})
	} else {
		c.failed += len(failed)
	}
	c.show(e, run, passed, skipped, failed)
}

// lacked notes which server a test that skipped wants, if that is why; it reports whether this is a failure.
func (c *counter) lacked(said *strings.Builder) bool {
	if said == nil {
		return false
	}
	found := lacks.FindStringSubmatch(said.String())
	if found == nil {
		return false
	}
	c.lacking[found[1]]++
	return c.all
}

// tellLacking says in one line what make test-all adds to the tests since the last call, if anything.
func (c *counter) tellLacking(dir string) {
	if len(c.lacking) == 0 {
		return
	}
	var parts []string
	for _, server := range slices.Sorted(maps.Keys(c.lacking)) {
		parts = append(parts, fmt.Sprintf("%d with %s", c.lacking[server], server))
	}
	clear(c.lacking)
	fmt.Fprintf(c.out, "== %s: make test-all adds what skipped here: %s\n", dir, strings.Join(parts, ", "))
}

// leaveOut gives the modules that are to be tested, and says which are not.
func (c *counter) leaveOut(modules []string) ([]string, error) {
	for _, dir := range c.later {
		if !slices.Contains(modules, dir) {
			return nil, fmt.Errorf("-later names %s, which go.work does not", dir)
		}
	}
	if c.all || len(c.later) == 0 {
		return modules, nil
	}
	fmt.Fprintf(c.out, "== make test-all adds the modules %s\n", strings.Join(c.later, ", "))
	return slices.DeleteFunc(modules, func(dir string) bool { return slices.Contains(c.later, dir) }), nil
}

// withoutParents drops tests whose subtests are in the list too: they failed because those did.
func withoutParents(failed []string) []string {
	return slices.DeleteFunc(slices.Clone(failed), func(test string) bool {
		return hasSubtest(failed, test)
	})
}

func hasSubtest(tests []string, parent string) bool {
	return slices.ContainsFunc(tests, func(t string) bool { return strings.HasPrefix(t, parent+"/") })
}

func (c *counter) show(e event, run *packageRun, passed, skipped int, failed []string) {
	if len(failed) == 0 && passed+skipped == 0 {
		return // no tests: nothing to say
	}
	for _, test := range failed {
		for _, name := range ancestry(test) {
			if text := run.output[name]; text != nil {
				fmt.Fprint(c.out, text.String())
				delete(run.output, name)
			}
		}
	}
	verdict := "ok  "
	if len(failed) > 0 {
		verdict = "FAIL"
		if text := run.output[""]; text != nil {
			fmt.Fprint(c.out, text.String()) // a panic or a race is told here
		}
	}
	fmt.Fprintf(c.out, "%s %s\t%d passed, %d failed, %d skipped\t%.1fs\n", verdict, e.Package, passed, len(failed), skipped, e.Elapsed)
}

// ancestry lists a test and the tests it is a part of, outermost first: what they printed belongs to the failure.
func ancestry(test string) []string {
	var names []string
	for i, r := range test {
		if r == '/' {
			names = append(names, test[:i])
		}
	}
	return append(names, test)
}

// merge adds what another counter has counted.
func (c *counter) merge(other *counter) {
	c.passed, c.failed, c.skipped = c.passed+other.passed, c.failed+other.failed, c.skipped+other.skipped
	c.repeated += other.repeated
	c.alone += other.alone
}

// verdict gives the closing line, and an error unless it is good news.
func (c *counter) verdict() (line string, err error) {
	line = fmt.Sprintf("%d passed, %d failed", c.passed, c.failed)
	if c.skipped > 0 {
		line += fmt.Sprintf(", %d skipped", c.skipped)
	}
	if c.repeated > 0 {
		line += fmt.Sprintf(" (packages tested again, as the race detector broke: %d)", c.repeated)
	}
	if c.alone > 0 {
		line += fmt.Sprintf(" (tests that failed beside another module and passed alone, see above: %d)", c.alone)
	}
	switch {
	case c.failed > 0:
		return line, fmt.Errorf("%d failed", c.failed)
	case c.passed == 0:
		return line, errors.New("no test ran")
	}
	return line, nil
}
