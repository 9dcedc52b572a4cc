package docs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A workshop is a module outside of the tree that sees all modules of it, in the versions of their workspace.
type workshop struct {
	dir, root string
	plugins   []string // arguments for protoc, once it was needed
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	absolute, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	w := &workshop{dir: t.TempDir(), root: absolute}
	text, err := os.ReadFile(filepath.Join(root, "go.work"))
	if err != nil {
		t.Fatal(err)
	}
	work := regexp.MustCompile(`(?m)^\t\.(.*)$`).ReplaceAllString(string(text), "\t"+absolute+"$1")
	w.write(t, "go.work", strings.Replace(work, "use (\n", "use (\n\t.\n", 1))
	sums, err := os.ReadFile(filepath.Join(root, "go.work.sum"))
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "go.work.sum", string(sums))
	w.write(t, "go.mod", "module example.com/docs\n\ngo 1.26.0\n")
	return w
}

func (w *workshop) write(t *testing.T, name, text string) {
	t.Helper()
	target := filepath.Join(w.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *workshop) command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK="+filepath.Join(w.dir, "go.work"), "GOFLAGS=")
	return cmd
}

// generate runs protoc with the plugins of this tree in the folder of a unit.
func (w *workshop) generate(t *testing.T, dir string, files []string) {
	t.Helper()
	if w.plugins == nil {
		for name, pkg := range map[string]string{
			"go": "google.golang.org/protobuf/cmd/protoc-gen-go", "go-grain": modulePath + "/cmd/protoc-gen-go-grain",
		} {
			program := filepath.Join(w.dir, "bin", "protoc-gen-"+name)
			if out, err := w.command(t.Context(), w.root, "go", "build", "-o", program, pkg).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", pkg, err, out)
			}
			w.plugins = append(w.plugins, "--plugin=protoc-gen-"+name+"="+program, "--"+name+"_out=.", "--"+name+"_opt=paths=source_relative")
		}
	}
	args := append([]string{"-I", ".", "-I", w.root}, w.plugins...)
	if out, err := w.command(t.Context(), dir, "protoc", append(args, files...)...).CombinedOutput(); err != nil {
		t.Fatalf("protoc in %s: %v\n%s", dir, err, out)
	}
}

// add writes a unit as a package.
func (w *workshop) add(t *testing.T, u unit) {
	t.Helper()
	var protos []string
	for name, text := range u.files {
		w.write(t, u.name+"/"+name, text)
		if filepath.Ext(name) == ".proto" {
			protos = append(protos, name)
		}
	}
	if len(protos) > 0 {
		w.generate(t, filepath.Join(w.dir, u.name), protos)
	}
}

// unitsOf completes the blocks of some pages and writes them into a workshop.
func unitsOf(t *testing.T, w *workshop, all []page) []unit {
	t.Helper()
	var made []unit
	for _, p := range all {
		if p.name != "README.md" && !strings.HasPrefix(p.name, "docs/") {
			continue
		}
		units, err := p.units()
		if err != nil {
			t.Error(err)
		}
		for _, u := range units {
			w.add(t, u)
			made = append(made, u)
		}
	}
	return made
}

// build compiles all units, and links the programs.
func (w *workshop) build(ctx context.Context, units []unit) (string, error) {
	libraries, programs := []string{"build"}, []string{"build", "-o", filepath.Join(w.dir, "bin") + "/"}
	for _, u := range units {
		if u.main {
			programs = append(programs, "./"+u.name)
		} else {
			libraries = append(libraries, "./"+u.name)
		}
	}
	var said strings.Builder
	var failed error
	for _, args := range [][]string{libraries, programs} {
		if strings.HasPrefix(args[len(args)-1], "./") {
			out, err := w.command(ctx, w.dir, "go", args...).CombinedOutput()
			said.Write(out)
			failed = errors.Join(failed, err)
		}
	}
	return said.String(), failed
}

// run runs the program of a unit and says what is wrong with what it prints.
func (w *workshop) run(ctx context.Context, u unit) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	cmd := w.command(ctx, w.dir, filepath.Join(w.dir, "bin", u.name), u.args...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w\n%s%s", u.where, err, out, errs.String())
	case strings.TrimSpace(string(out)) != strings.TrimSpace(u.output):
		return fmt.Errorf("%s prints\n%s\nand the page says\n%s\n%s", u.where, out, u.output, errs.String())
	}
	return nil
}

// needTime skips a test of plain `make test`: the blocks are many packages to compile.
func needTime(t *testing.T) {
	if os.Getenv("GRANARY_TEST_SERVERS") == "" {
		t.Skip("needs the programs of the documents, which `make test-all` builds")
	}
}

// Every Go block of README.md and of docs/ compiles, and prints what the page says.
func TestBlocks(t *testing.T) {
	needTime(t)
	w := newWorkshop(t)
	units := unitsOf(t, w, pages(t))
	if out, err := w.build(t.Context(), units); err != nil {
		t.Fatalf("%v\n%s", err, strings.ReplaceAll(out, w.dir+"/", ""))
	}
	blocks, ran := 0, 0
	for _, u := range units {
		for name := range u.files {
			if strings.HasPrefix(name, "b") {
				blocks++
			}
		}
		if !u.runs {
			continue
		}
		ran++
		if err := w.run(t.Context(), u); err != nil {
			t.Error(err)
		}
	}
	if blocks < 30 || ran < 3 {
		t.Errorf("found %d blocks and ran %d programs: the test does not see them", blocks, ran)
	}
	t.Logf("%d blocks compiled, %d programs run", blocks, ran)
}

// Blocks that are wrong are found, each by its own fault.
func TestWrongBlocksAreFound(t *testing.T) {
	needTime(t)
	w := newWorkshop(t)
	wrong := page{name: "docs/wrong.md", text: "# Wrong\n\n```go\nsystem.Nothing()\n```\n\n" +
		"```go\nfunc f() int { return \"text\" }\n```\n\n" +
		"```go\nx, err := strconv.Atoi(\"1\")\nif err != nil {\n\treturn err\n}\nfmt.Println(missing)\n```\n"}
	units := unitsOf(t, w, []page{wrong})
	out, err := w.build(t.Context(), units)
	if err == nil || len(units) != 3 {
		t.Fatalf("%d units compile: %v\n%s", len(units), err, out)
	}
	for _, want := range []string{"wrong.md:4: system.Nothing undefined", "wrong.md:8: cannot use", "wrong.md:16: undefined: missing"} {
		if !strings.Contains(out, want) {
			t.Errorf("the compiler does not say %q:\n%s", want, out)
		}
	}
	w = newWorkshop(t)
	lies := page{name: "docs/lies.md", text: "# Lies\n\n```go\nfmt.Println(1 + 1)\n// Output:\n// 3\n```\n\n" +
		"```go\npackage main\n\nfunc main() { println() }\n```\n\n```text\nHello\n```\n"}
	units = unitsOf(t, w, []page{lies})
	if out, err := w.build(t.Context(), units); err != nil || len(units) != 2 {
		t.Fatalf("%d units: %v\n%s", len(units), err, out)
	}
	for _, u := range units {
		if err := w.run(t.Context(), u); !u.runs || err == nil || !strings.Contains(err.Error(), "and the page says") {
			t.Errorf("%s runs: %v, %v; want to hear that it prints something else", u.where, u.runs, err)
		}
	}
}

// Blocks that are shown from a file have to be there.
func TestShownBlocks(t *testing.T) {
	for text, want := range map[string]bool{
		"func New() Cart {": true, "func New() Cart {\n\t…\n}": true, "func Old() Cart {": false, "func New() Cart {\n…\nfunc Old()": false,
	} {
		p := page{name: "docs/shown.md", text: "<!-- go: from test/docs/carts -->\n```go\n" + text + "\n```\n"}
		if _, err := p.units(); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	p := page{name: "docs/shown.md", text: "<!-- go: all from nowhere -->\n```go\nfunc New() Cart\n```\n"}
	if _, err := p.units(); err == nil {
		t.Error("a folder without Go files is not noticed")
	}
}
