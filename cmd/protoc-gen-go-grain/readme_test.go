package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const moduleRoot = "../.."

// A readme is the code of the first grain in README.md.
type readme struct {
	proto, program string
	output         string // what README.md says the program prints
	member         string // statements that configure one of several members
}

var fenced = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

func readReadme(t *testing.T) readme {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var r readme
	for _, block := range fenced.FindAllStringSubmatch(string(text), -1) {
		language, code := block[1], block[2]
		switch {
		case language == "protobuf":
			r.proto = code
		case language == "go" && strings.HasPrefix(code, "package main\n"):
			r.program = code
		case language == "go" && strings.Contains(code, "cluster.Configure("):
			r.member = code
		case language == "console" && strings.Contains(code, "$ go run .\n"):
			_, r.output, _ = strings.Cut(code, "$ go run .\n")
		}
	}
	if r.proto == "" || r.program == "" || r.output == "" || r.member == "" {
		t.Fatalf("README.md misses the .proto file, the program, its output or the configuration of a member: %+v", r)
	}
	return r
}

// userModule is a module of somebody who has read README.md, outside of this
// tree: it requires granary alone, by its folder, and is built of the module cache.
type userModule struct {
	t   *testing.T
	dir string
}

func newUserModule(t *testing.T, files map[string]string) *userModule {
	t.Helper()
	m := &userModule{t, t.TempDir()}
	root, err := filepath.Abs(moduleRoot)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	m.write("go.sum", string(sums)) // or the checksums would be asked for
	for name, text := range files {
		m.write(name, text)
	}
	m.run("go", "mod", "init", "example.com/greetings")
	m.run("go", "mod", "edit", "-require="+modulePath+"@v0.0.0", "-replace="+modulePath+"="+root)
	return m
}

func (m *userModule) write(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func (m *userModule) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(m.t.Context(), name, args...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off", "GRAIN_TEST_AS_PROGRAM=1")
	return cmd
}

// run returns the standard output of a command that must succeed.
func (m *userModule) run(name string, args ...string) string {
	m.t.Helper()
	cmd := m.command(name, args...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		m.t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, out, errs.String())
	}
	return string(out)
}

// generate runs protoc with protoc-gen-go, and with this test as the plugin.
func (m *userModule) generate(file string) {
	m.t.Helper()
	plugin, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	goPlugin := filepath.Join(m.t.TempDir(), "protoc-gen-go")
	build := m.command("go", "build", "-o", goPlugin, "google.golang.org/protobuf/cmd/protoc-gen-go")
	build.Dir = moduleRoot
	build.Env = append(build.Env, "GOFLAGS=-mod=readonly")
	if out, err := build.CombinedOutput(); err != nil {
		m.t.Fatalf("protoc-gen-go: %v\n%s", err, out)
	}
	m.run("protoc", "--plugin=protoc-gen-go="+goPlugin, "--plugin=protoc-gen-go-grain="+plugin,
		"--go_out=.", "--go_opt=paths=source_relative", "--go-grain_out=.", "--go-grain_opt=paths=source_relative", file)
}

// The first grain of README.md, in a module that is made from nothing: it is
// generated, passes vet, runs and prints what README.md says. The module needs
// the core and protobuf's messages, and nothing that the core does not need.
func TestReadme(t *testing.T) {
	r := readReadme(t)
	m := newUserModule(t, map[string]string{
		"greetings.proto": r.proto,
		"main.go":         r.program,
		"member_test.go": "package main\n" + readmeImports() +
			"func member(kind *cluster.Kind) *cluster.Config {\n" + r.member + "\n\treturn config\n}\n",
	})
	m.generate("greetings.proto")
	if got := m.run("go", "run", "."); got != r.output {
		t.Errorf("the program printed\n%s\nand README.md says\n%s", got, r.output)
	}
	m.run("go", "vet", ".", "./...")

	required := m.requirements()
	if want := []string{modulePath, "google.golang.org/protobuf"}; !slices.Equal(required, want) {
		t.Errorf("the module requires %q; want %q", required, want)
	}
	core := strings.Fields(m.runIn(moduleRoot, "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./cluster/automanaged", "./cluster"))
	for used := range strings.FieldsSeq(m.run("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".")) {
		if used != "example.com/greetings" && !slices.Contains(core, used) {
			t.Errorf("the program uses the module %s, which the core does not", used)
		}
	}
	if lines := codeLines(t, r.program, "Greet"); lines > 12 {
		t.Errorf("README.md shows %d lines of Go beside the grain's own method; want 12 at most", lines)
	}
}

// Code that a newer plugin has generated does not compile, and the error says
// what to do.
func TestOldRuntimeIsNoticed(t *testing.T) {
	r := readReadme(t)
	m := newUserModule(t, map[string]string{"greetings.proto": r.proto, "main.go": r.program})
	m.generate("greetings.proto")
	m.run("go", "build", "-o", os.DevNull, ".")
	code, err := os.ReadFile(filepath.Join(m.dir, "greetings"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	const here, next = "cluster.UpdateGranaryForGeneratedCodeVersion1", "cluster.UpdateGranaryForGeneratedCodeVersion2"
	if !strings.Contains(string(code), here) {
		t.Fatalf("no %s in\n%s", here, code)
	}
	m.write("greetings"+suffix, strings.ReplaceAll(string(code), here, next))
	out, err := m.command("go", "build", "-o", os.DevNull, ".").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "undefined: "+next) || strings.Count(string(out), ".go:") != 1 {
		t.Errorf("%v\n%s\nwant the one error that says to update", err, out)
	}
}

// requirements are the direct ones of the module.
func (m *userModule) requirements() []string {
	m.t.Helper()
	var mod struct {
		Require []struct {
			Path     string `json:"Path"`
			Indirect bool   `json:"Indirect"`
		} `json:"Require"`
	}
	if err := json.Unmarshal([]byte(m.run("go", "mod", "edit", "-json")), &mod); err != nil {
		m.t.Fatal(err)
	}
	var direct []string
	for _, r := range mod.Require {
		if !r.Indirect {
			direct = append(direct, r.Path)
		}
	}
	slices.Sort(direct)
	return direct
}

// runIn runs go in a folder of this tree, which it must not change.
func (m *userModule) runIn(dir string, args ...string) string {
	m.t.Helper()
	cmd := m.command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Env, "GOFLAGS=-mod=readonly")
	out, err := cmd.Output()
	if err != nil {
		m.t.Fatalf("%s in %s: %v", strings.Join(cmd.Args, " "), dir, err)
	}
	return string(out)
}

// codeLines counts the lines of a program without its package clause, imports,
// comments, empty lines and the method.
func codeLines(t *testing.T, program, method string) int {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "main.go", program, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.GenDecl:
			if d.Tok == token.IMPORT {
				continue
			}
		case *ast.FuncDecl:
			if d.Name.Name == method {
				continue
			}
		}
		lines := strings.Split(program, "\n")[files.Position(declaration.Pos()).Line-1 : files.Position(declaration.End()).Line]
		for _, line := range lines {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				count++
			}
		}
	}
	return count
}

// readmeImports is a declaration of all that the statements of the README need.
func readmeImports() string {
	return `import (
	"time"

	"` + modulePath + `/cluster"
	"` + modulePath + `/cluster/automanaged"
	"` + modulePath + `/remote"
)
`
}
