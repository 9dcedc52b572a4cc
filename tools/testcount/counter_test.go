package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The cases are small modules that really run: what go test -json prints for a panic or a broken build is
// for the go command to say, not for us to remember.
var modules = []struct {
	name   string
	files  map[string]string
	want   string // the closing line
	fails  bool
	shows  []string
	hidden []string
}{
	{
		name: "passing, with subtests counted and their parents not",
		files: map[string]string{"a_test.go": `package a
import "testing"
func TestAlone(t *testing.T) { t.Log("quiet") }
func TestTable(t *testing.T) { t.Run("x", func(*testing.T) {}); t.Run("y", func(*testing.T) {}) }
func TestLater(t *testing.T) { t.Skip("not yet") }
func Example() { println() }
func FuzzIt(f *testing.F) { f.Add(1); f.Fuzz(func(*testing.T, int) {}) }
`},
		want:   "4 passed, 0 failed, 1 skipped",
		shows:  []string{"ok   example.com/m\t"},
		hidden: []string{"quiet"},
	},
	{
		name: "failing, in a subtest and alone",
		files: map[string]string{"a_test.go": `package a
import "testing"
func TestGood(t *testing.T) { t.Log("quiet") }
func TestAlone(t *testing.T) { t.Error("why alone") }
func TestTable(t *testing.T) { t.Log("from the parent"); t.Run("x", func(t *testing.T) { t.Error("why x") }); t.Run("y", func(*testing.T) {}) }
`},
		want:   "2 passed, 2 failed",
		fails:  true,
		shows:  []string{"why alone", "why x", "from the parent", "FAIL example.com/m\t"},
		hidden: []string{"quiet"},
	},
	{
		name: "panicking, which ends the package in the middle of a test",
		files: map[string]string{"a_test.go": `package a
import "testing"
func TestBefore(*testing.T) {}
func TestPanics(*testing.T) { panic("what a surprise") }
func TestNever(*testing.T) {}
`},
		want:  "1 passed, 1 failed",
		fails: true,
		shows: []string{"what a surprise"},
	},
	{
		name: "exiting in the middle of a test",
		files: map[string]string{"a_test.go": `package a
import ("os"; "testing")
func TestExits(*testing.T) { os.Exit(3) }
`},
		want:  "0 passed, 1 failed",
		fails: true,
	},
	{
		name:  "not compiling",
		files: map[string]string{"a_test.go": "package a\nvar x int = \"a string\"\n", "b/b_test.go": "package b\nimport \"testing\"\nfunc TestB(*testing.T) {}\n"},
		want:  "1 passed, 1 failed",
		fails: true,
		shows: []string{"a_test.go:2"},
	},
	{
		name:  "failing in TestMain",
		files: map[string]string{"a_test.go": "package a\nimport (\"os\"; \"testing\")\nfunc TestMain(*testing.M) { println(\"no database\"); os.Exit(1) }\nfunc TestA(*testing.T) {}\n"},
		want:  "0 passed, 1 failed",
		fails: true,
		shows: []string{"no database"},
	},
	{
		name:  "without tests",
		files: map[string]string{"a.go": "package a\n"},
		want:  "0 passed, 0 failed",
		fails: true,
	},
}

func TestCounts(t *testing.T) {
	for _, m := range modules {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, m.files)
			write(t, dir, map[string]string{"go.mod": "module example.com/m\n\ngo 1.26.0\n"})
			var out strings.Builder
			c := newCounter(&out)
			cmd := goCommand(context.Background(), dir, &out, "test", "-json", "-count=1", "./...")
			cmd.Env = append(os.Environ(), "GOWORK=off")
			text, _ := cmd.Output() // its status is what the counter must find out by itself
			if err := c.read(strings.NewReader(string(text))); err != nil {
				t.Fatal(err)
			}
			line, err := c.verdict()
			if line != m.want || (err != nil) != m.fails {
				t.Errorf("verdict %q, %v; want %q, failing: %t\n%s", line, err, m.want, m.fails, &out)
			}
			for _, part := range m.shows {
				if !strings.Contains(out.String(), part) {
					t.Errorf("does not show %q:\n%s", part, &out)
				}
			}
			for _, part := range m.hidden {
				if strings.Contains(out.String(), part) {
					t.Errorf("shows %q:\n%s", part, &out)
				}
			}
		})
	}
}

// A run that was killed leaves a package without an end.
func TestTruncatedRunFails(t *testing.T) {
	c := newCounter(&strings.Builder{})
	stream := `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
`
	if err := c.read(strings.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	if line, err := c.verdict(); line != "1 passed, 1 failed" || err == nil {
		t.Errorf("verdict %q, %v", line, err)
	}
}

// A module may compile in the workspace and not by itself.
func TestModuleThatNeedsTheWorkspaceFails(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		"go.work":  "go 1.26.0\n\nuse ./a\nuse ./b\n",
		"a/go.mod": "module example.com/a\n\ngo 1.26.0\n",
		"a/a.go":   "package a\n\nimport _ \"example.com/b\"\n", "a/a_test.go": "package a\nimport \"testing\"\nfunc TestA(*testing.T) {}\n",
		"b/go.mod": "module example.com/b\n\ngo 1.26.0\n",
		"b/b.go":   "package b\n",
	})
	var out strings.Builder
	c := newCounter(&out)
	if err := runAll(context.Background(), c, root, 2, nil); err != nil {
		t.Fatal(err)
	}
	if line, _ := c.verdict(); line != "1 passed, 1 failed" || !strings.Contains(out.String(), "FAIL ./a: GOWORK=off go build") {
		t.Errorf("closing line %q:\n%s", line, &out)
	}
}

// What only make test-all tests is left out, is tested where there are servers, and has to be a module.
func TestLeftOut(t *testing.T) {
	root := t.TempDir()
	files := map[string]string{"go.work": "go 1.26.0\n\nuse ./a\nuse ./b\nuse ./c\n"}
	for _, name := range []string{"a", "b", "c"} {
		files[name+"/go.mod"] = "module example.com/" + name + "\n\ngo 1.26.0\n"
		files[name+"/a_test.go"] = "package a\nimport \"testing\"\nfunc TestA(*testing.T) {}\n"
	}
	write(t, root, files)
	for _, test := range []struct {
		later      []string
		all        bool
		line, says string
		wantError  string
		saysNot    string
	}{
		{later: []string{"./b"}, line: "2 passed, 0 failed", says: "make test-all adds the modules ./b", saysNot: "== ./b begins"},
		{later: []string{"./b"}, all: true, line: "3 passed, 0 failed", says: "== ./b begins", saysNot: "test-all adds"},
		{later: []string{"./b", "./d"}, line: "0 passed, 0 failed", wantError: "-later names ./d, which go.work does not"},
	} {
		var out strings.Builder
		c := newCounter(&out)
		c.all, c.later = test.all, test.later
		if err := runAll(t.Context(), c, root, 2, nil); fmt.Sprint(err) != cmp.Or(test.wantError, "<nil>") {
			t.Errorf("%q: %v", test.later, err)
		}
		line, _ := c.verdict()
		if line != test.line || !strings.Contains(out.String(), test.says) || test.saysNot != "" && strings.Contains(out.String(), test.saysNot) {
			t.Errorf("%q, all %t: closing line %q:\n%s", test.later, test.all, line, &out)
		}
	}
}

// Modules are tested two at a time.
func TestModulesBesideEachOther(t *testing.T) {
	root := t.TempDir()
	files := map[string]string{"go.work": "go 1.26.0\n\nuse ./a\nuse ./b\nuse ./c\n"}
	for name, other := range map[string]string{"a": "a", "b": "c", "c": "b"} {
		files[name+"/go.mod"] = "module example.com/" + name + "\n\ngo 1.26.0\n"
		files[name+"/a_test.go"] = fmt.Sprintf(meeting, name, "../"+name+".here", "../"+other+".here")
	}
	write(t, root, files)
	var out strings.Builder
	c := newCounter(&out)
	if err := runAll(context.Background(), c, root, 2, nil); err != nil {
		t.Fatal(err)
	}
	if line, _ := c.verdict(); line != "3 passed, 0 failed" {
		t.Errorf("closing line %q:\n%s", line, &out)
	}
}

// meeting is a test that waits for another one's file.
const meeting = `package %s

import (
	"os"
	"testing"
	"time"
)

func TestMeeting(t *testing.T) {
	if err := os.WriteFile(%q, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 6000 {
		if _, err := os.Stat(%q); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the other module is not tested at the same time")
}
`

// Tests that want a compiled server skip, and one line says so; where there are servers, that is a failure.
func TestSkipsForWantOfAServer(t *testing.T) {
	for _, all := range []bool{false, true} {
		t.Run(map[bool]string{false: "make test", true: "make test-all"}[all], func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			write(t, root, map[string]string{
				"go.work":     "go 1.26.0\n\nuse ./a\nuse ./b\n",
				"a/go.mod":    "module example.com/a\n\ngo 1.26.0\n",
				"a/a_test.go": skipping,
				"b/go.mod":    "module example.com/b\n\ngo 1.26.0\n",
				"b/b_test.go": "package b\nimport \"testing\"\nfunc TestB(t *testing.T) { t.Skip(\"not yet\") }\n",
			})
			var out strings.Builder
			c := newCounter(&out)
			c.all = all
			if err := runAll(context.Background(), c, root, 2, nil); err != nil {
				t.Fatal(err)
			}
			want := "1 passed, 0 failed, 4 skipped"
			if all {
				want = "1 passed, 3 failed, 1 skipped"
			}
			if line, _ := c.verdict(); line != want {
				t.Errorf("closing line %q, want %q:\n%s", line, want, &out)
			}
			const told = "== ./a: make test-all adds what skipped here: 2 with consul, 1 with etcd 3.7\n"
			if strings.Count(out.String(), "adds") != 1 || !strings.Contains(out.String(), told) {
				t.Errorf("it does not say once %q:\n%s", told, &out)
			}
		})
	}
}

const skipping = "package a\nimport \"testing\"\n" +
	"func TestRuns(t *testing.T) {}\n" +
	"func TestOne(t *testing.T) { t.Skip(\"needs consul, which `make test-all` builds\") }\n" +
	"func TestTwo(t *testing.T) { t.Run(\"x\", func(t *testing.T) { t.Skip(\"needs consul, which `make test-all` builds\") })\n" +
	"\tt.Run(\"y\", func(t *testing.T) { t.Skip(\"needs etcd 3.7, which `make test-all` builds\") }) }\n"

// The race detector breaks as many times as there are lives left in a file, in the words that Go 1.26 was seen to use.
func TestRaceDetectorBreaks(t *testing.T) {
	const breaks = `package a
import ("os"; "testing")
func TestBefore(*testing.T) {}
func TestBreaks(t *testing.T) {
	text, err := os.ReadFile("lives")
	if err != nil { t.Fatal(err) }
	if len(text) == 0 { return }
	if err := os.WriteFile("lives", text[1:], 0o600); err != nil { t.Fatal(err) }
	println(map[byte]string{
		'x': "ThreadSanitizer: CHECK failed: tsan_rtl.cpp:346 \"((exiting || thr->fast_state.epoch() == kEpochLast)) != (0)\" (0x0, 0x0) (tid=7)",
		's': "SIGSEGV: segmentation violation\nPC=0x41c869 m=5 sigcode=1 addr=0x8",
		'g': "fatal error: unexpected signal\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x8 pc=0x41c869]",
	}[text[0]])
	os.Exit(66)
}
`
	for name, c := range map[string]struct {
		lives, before string
		want          string
	}{
		"once":        {"x", "", "3 passed, 0 failed (packages tested again, as the race detector broke: 1)"},
		"fault":       {"s", "", "3 passed, 0 failed (packages tested again, as the race detector broke: 1)"},
		"fault in Go": {"g", "", "2 passed, 1 failed"},
		"twice":       {"xx", "", "2 passed, 1 failed (packages tested again, as the race detector broke: 1)"},
		"never":       {"", "", "3 passed, 0 failed"},
		"after a test that had failed": {"x", `package a
import "testing"
func TestA(t *testing.T) { t.Error("why") }
`, "2 passed, 2 failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, map[string]string{
				"go.mod": "module example.com/m\n\ngo 1.26.0\n", "a/lives": c.lives, "a/a_test.go": breaks,
				"b/b_test.go": "package b\nimport \"testing\"\nfunc TestB(*testing.T) {}\n",
			})
			if c.before != "" {
				write(t, dir, map[string]string{"a/a_a_test.go": c.before})
			}
			var out strings.Builder
			counter := newCounter(&out)
			if err := testModule(t.Context(), counter, dir, nil); err != nil {
				t.Error(err)
			}
			if line, _ := counter.verdict(); line != c.want {
				t.Errorf("verdict %q; want %q\n%s", line, c.want, &out)
			}
		})
	}
}

// What fails beside another module is tested alone at the end, and counted once. The test fails as many times as there are
// lives left in a file.
func TestWhatFailsBesideAnotherModule(t *testing.T) {
	const fails = `package a
import ("os"; "testing")
func TestGood(t *testing.T) { t.Run("x", func(*testing.T) {}) }
func TestLives(t *testing.T) {
	t.Run("good", func(*testing.T) {})
	t.Run("lives", func(t *testing.T) {
		text, err := os.ReadFile("lives")
		if err != nil { t.Fatal(err) }
		if len(text) == 0 { return }
		if err := os.WriteFile("lives", text[1:], 0o600); err != nil { t.Fatal(err) }
		END
	})
}
`
	for name, c := range map[string]struct {
		lives, end string
		module     string // that has the test; a is tested first, and alone
		want       string
	}{
		"once":             {"x", `t.Error("late")`, "b", "5 passed, 0 failed (tests that failed beside another module and passed alone, see above: 1)"},
		"twice":            {"xx", `t.Error("late")`, "b", "4 passed, 1 failed"},
		"in the core":      {"x", `t.Error("late")`, "a", "4 passed, 1 failed"},
		"with a panic":     {"x", `panic("late")`, "b", "4 passed, 1 failed"},
		"with a data race": {"x", `println("WARNING: DATA RACE"); t.Error("late")`, "b", "4 passed, 1 failed"},
		"by an exit":       {"x", `println("late"); os.Exit(3)`, "b", "4 passed, 1 failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			files := map[string]string{"go.work": "go 1.26.0\n\nuse ./a\nuse ./b\nuse ./c\n"}
			for _, module := range []string{"a", "b", "c"} {
				files[module+"/go.mod"] = "module example.com/" + module + "\n\ngo 1.26.0\n"
				files[module+"/a_test.go"] = "package a\nimport \"testing\"\nfunc TestAlone(*testing.T) {}\n"
			}
			files[c.module+"/a_test.go"] = strings.Replace(fails, "END", c.end, 1)
			files[c.module+"/lives"] = c.lives
			write(t, root, files)
			var out strings.Builder
			counter := newCounter(&out)
			if err := runAll(t.Context(), counter, root, 2, nil); err != nil {
				t.Error(err)
			}
			line, err := counter.verdict()
			if line != c.want || (err == nil) != strings.Contains(c.want, " 0 failed") {
				t.Errorf("verdict %q, %v; want %q\n%s", line, err, c.want, &out)
			}
			if !strings.Contains(out.String(), "late") {
				t.Errorf("it does not show why the test failed:\n%s", &out)
			}
		})
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		target := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
