package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// small is a workspace of two modules, with something of each sort that a line can be about.
var small = map[string]string{
	"go.work":        "go 1.26.0\n\nuse (\n\t.\n\t./leaf\n\t./tools\n)\n",
	"go.mod":         "module example.org/small\n\ngo 1.26.0\n",
	"leaf/go.mod":    "module example.org/small/leaf\n\ngo 1.26.0\n",
	"tools/go.mod":   "module example.org/small/tools\n\ngo 1.26.0\n",
	"tools/t.go":     "package tools\n\nfunc NotForOthers() {}\n",
	"doc.go":         "package small\n",
	"cmd/x/main.go":  "package main\n\nfunc Main() {}\n\nfunc main() {}\n",
	"internal/in.go": "package internal\n\ntype Inner struct{ Shown, hidden int }\n\nfunc (Inner) Promoted() {}\n",
	"leaf/leaf.go":   "package leaf\n\nconst Limit = 3\n",
	"a/b/b.go": `package b

import (
	"time"

	"example.org/small/internal"
)

const Wait = 90 * time.Second
const hidden = 1

var Err error

type base struct{ Deep string }

type T struct {
	base
	internal.Inner
	Name  string
	count int
}

func (t *T) Set(name string) (old string) { return "" }
func (t *T) private()                     {}

type Sealed interface {
	Do(what, with string) error
	sealed()
}

type Pair[K comparable, V any] struct{ Key K }

func (p Pair[K, V]) Swap() (_ V) { panic("") }

type Other = T

func Move(from, to string, more ...int) *T { return nil }
`,
}

const wantB = `package example.org/small/a/b
const Wait time.Duration = 1m30s
func Move(from string, to string, more ...int) *T
method (*T) Set(name string) (old string)
method (Pair[K, V]) Swap() (_ V)
method (T) Promoted()
type Other = T
type Pair[K comparable, V any] struct
type Pair[K, V] struct, Key K
type Sealed interface
type Sealed interface, Do(what string, with string) error
type Sealed interface, unexported methods
type T struct
type T struct, Deep string
type T struct, Name string
type T struct, embedded internal.Inner
var Err error
`

func TestWrites(t *testing.T) {
	root := plant(t, small)
	if err := run(t.Context(), t.Output(), root, false, false); err != nil {
		t.Fatal(err)
	}
	if got := files(t, root); len(got) != 2 || got["a-b.txt"] != wantB || !strings.Contains(got["leaf.txt"], "const Limit untyped int = 3") {
		t.Errorf("wrote %q", got)
	}
	if err := run(t.Context(), t.Output(), root, true, false); err != nil {
		t.Errorf("behind writing, the check says: %v", err)
	}
	var table bytes.Buffer
	if err := run(t.Context(), &table, root, false, true); err != nil || !strings.Contains(table.String(), "   16  a-b\n    1  leaf\n   17  in 2 packages\n") {
		t.Errorf("the table is %q, %v", table.String(), err)
	}
}

func TestCheckNamesWhatChanged(t *testing.T) {
	for name, c := range map[string]struct{ old, now, want string }{
		"added":         {"var Err error", "var Err, Worse error", "added:   var Worse error"},
		"removed":       {"var Err error", "", "removed: var Err error"},
		"unexported":    {"Name  string", "name  string", "removed: type T struct, Name string"},
		"order":         {"from, to string", "to, from string", "added:   func Move(to string, from string, more ...int) *T"},
		"method":        {"(t *T) Set", "(t T) Set", "removed: method (*T) Set(name string) (old string)"},
		"interface":     {"Do(what, with string) error", "Do(what, with string) error; Undo()", "added:   type Sealed interface, Undo()"},
		"open":          {"\tsealed()", "", "removed: type Sealed interface, unexported methods"},
		"value":         {"90 * time", "80 * time", "added:   const Wait time.Duration = 1m20s"},
		"type of alias": {"Other = T", "Other = base", "removed: type Other = T"},
		"constraint":    {"K comparable", "K any", "added:   type Pair[K any, V any] struct"},
	} {
		t.Run(name, func(t *testing.T) {
			root := plant(t, small)
			if err := run(t.Context(), t.Output(), root, false, false); err != nil {
				t.Fatal(err)
			}
			change(t, root, "a/b/b.go", c.old, c.now)
			var said bytes.Buffer
			err := run(t.Context(), &said, root, true, false)
			if err == nil || !strings.Contains(err.Error(), "1 files in api are stale") {
				t.Errorf("the check says %v", err)
			}
			if !strings.Contains(said.String(), "api/a-b.txt\n") || !strings.Contains(said.String(), "\t"+c.want+"\n") {
				t.Errorf("no %q in %q", c.want, said.String())
			}
		})
	}
}

func TestPackagesThatComeAndGo(t *testing.T) {
	root := plant(t, small)
	if err := run(t.Context(), t.Output(), root, false, false); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(root, "leaf/leaf.go"), filepath.Join(root, "leaf/leaf_test.go")); err != nil {
		t.Fatal(err)
	}
	change(t, root, "doc.go", "package small\n", "package small\n\nfunc New() {}\n")
	var said bytes.Buffer
	if err := run(t.Context(), &said, root, true, false); err == nil {
		t.Error("the check says nothing")
	}
	for _, want := range []string{"removed: package example.org/small/leaf\n", "api/small.txt\n\tadded:   package example.org/small\n"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("no %q in %q", want, said.String())
		}
	}
	if err := run(t.Context(), t.Output(), root, false, false); err != nil {
		t.Fatal(err)
	}
	if got := files(t, root); len(got) != 2 || got["leaf.txt"] != "" || got["small.txt"] == "" {
		t.Errorf("wrote %q", got)
	}
}

func TestFails(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no workspace": {map[string]string{"go.work": ""}, "no public package"},
		"broken":       {map[string]string{"leaf/leaf.go": "package leaf\n\nvar X = Nothing\n"}, "example.org/small/leaf does not build"},
	} {
		t.Run(name, func(t *testing.T) {
			root := plant(t, small)
			for name, text := range c.files {
				plantFile(t, root, name, text)
			}
			if err := run(t.Context(), t.Output(), root, false, false); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func plant(t *testing.T, tree map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range tree {
		plantFile(t, root, name, text)
	}
	return root
}

func plantFile(t *testing.T, root, name, text string) {
	t.Helper()
	target := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func change(t *testing.T, root, name, old, now string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), old) != 1 {
		t.Fatalf("%q is not once in %s", old, name)
	}
	plantFile(t, root, name, strings.Replace(string(text), old, now, 1))
}

func files(t *testing.T, root string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(name)] = string(text)
	}
	return got
}
