package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds what a test waits for.
const patience = 2 * time.Minute

// tiny is a server that compiles in a second, from a folder of the test.
var tiny = server{
	name: "tiny", folder: "tiny", module: "example.com/tiny", pkg: "example.com/tiny/cmd/tiny",
	flags: "-X main.version=VERSION", takes: "about a second",
}

const program = `package main

import "fmt"

var version = "unknown"

func main() { fmt.Println("tiny", version) }
`

// house writes a tree whose one server is tiny, of a version, and with a program of that text.
func house(t *testing.T, version, text string) (root string) {
	t.Helper()
	root = t.TempDir()
	pin(t, root, version)
	write(t, filepath.Join(root, modules, "tiny/source/go.mod"), "module example.com/tiny\n\ngo 1.26.0\n")
	write(t, filepath.Join(root, modules, "tiny/source/cmd/tiny/main.go"), text)
	return root
}

func pin(t *testing.T, root, version string) {
	t.Helper()
	write(t, filepath.Join(root, modules, "tiny/go.mod"), "module example.com/house/tiny\n\ngo 1.26.0\n\ntool example.com/tiny/cmd/tiny\n\n"+
		"require example.com/tiny "+version+"\n\nreplace example.com/tiny => ./source\n")
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// shop is a workshop for a house, with a cache of its own.
func shop(t *testing.T, root string) (w workshop, log *bytes.Buffer) {
	log = &bytes.Buffer{}
	return workshop{root: root, cache: t.TempDir(), limit: patience, log: log}, log
}

// says runs the program in the folder current.
func says(t *testing.T, w workshop) string {
	t.Helper()
	path := filepath.Join(w.current(), tiny.name)
	text, err := exec.CommandContext(within(t), path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func TestBuildsOnceAndByVersion(t *testing.T) {
	t.Parallel()
	root := house(t, "v1.2.3", program)
	w, log := shop(t, root)
	if err := w.provide(within(t), []server{tiny}); err != nil {
		t.Fatal(err)
	}
	if got := says(t, w); got != "tiny v1.2.3" {
		t.Errorf("the program says %q; want its name and version", got)
	}
	if !strings.Contains(log.String(), "building tiny v1.2.3 once") || !strings.Contains(log.String(), tiny.takes) {
		t.Errorf("it does not say what it does and how long that takes:\n%s", log)
	}

	log.Reset()
	if err := os.RemoveAll(filepath.Join(root, modules, "tiny/source")); err != nil { // it cannot be built again
		t.Fatal(err)
	}
	if err := w.provide(within(t), []server{tiny}); err != nil || log.Len() > 0 {
		t.Errorf("a second time: %v, and it says %q; want nothing done", err, log)
	}

	write(t, filepath.Join(root, modules, "tiny/source/go.mod"), "module example.com/tiny\n\ngo 1.26.0\n")
	write(t, filepath.Join(root, modules, "tiny/source/cmd/tiny/main.go"), program)
	for _, version := range []string{"v1.3.0", "v1.2.3"} {
		pin(t, root, version)
		if err := w.provide(within(t), []server{tiny}); err != nil {
			t.Fatal(err)
		}
		if got := says(t, w); got != "tiny "+version {
			t.Errorf("the program says %q; want the version that is pinned now, %s", got, version)
		}
	}
	if n := strings.Count(log.String(), "building"); n != 1 {
		t.Errorf("%d builds, want one, of v1.3.0:\n%s", n, log)
	}
}

func TestFailedBuildLeavesNoProgram(t *testing.T) {
	t.Parallel()
	root := house(t, "v1.2.3", "package main\n\nfunc main() { undefined() }\n")
	w, _ := shop(t, root)
	err := w.provide(within(t), []server{tiny})
	for _, part := range []string{"tiny v1.2.3", "undefined: undefined"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v; want one with %q", err, part)
		}
	}
	if w.built(tiny, "v1.2.3") {
		t.Error("a program that did not compile is there")
	}
	if _, err := os.Lstat(filepath.Join(w.current(), tiny.name)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("tests find a program: %v", err)
	}
	write(t, filepath.Join(root, modules, "tiny/source/cmd/tiny/main.go"), program)
	if err := w.provide(within(t), []server{tiny}); err != nil {
		t.Errorf("after the repair: %v", err)
	}
}

func TestBuildIsBounded(t *testing.T) {
	t.Parallel()
	w, _ := shop(t, house(t, "v1.2.3", program))
	for _, w.limit = range []time.Duration{time.Nanosecond, 20 * time.Millisecond} { // before it starts, and after
		err := w.compile(within(t), tiny, "v1.2.3", filepath.Join(w.cache, "x"))
		if want := fmt.Sprintf("longer than %v; give it more with -timeout", w.limit); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a build over its limit: %v; want an error with %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.limit = patience
	if err := w.provide(ctx, []server{tiny}); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted run: %v; want %v", err, context.Canceled)
	}
}

// Runs at once share the cache: the one builds, the others wait and find what it built.
func TestRunsAtOnceBuildOnce(t *testing.T) {
	t.Parallel()
	root, cache := house(t, "v1.2.3", program), t.TempDir()
	var logs [3]bytes.Buffer
	var wg sync.WaitGroup
	for i := range logs {
		wg.Go(func() {
			w := workshop{root: root, cache: cache, limit: patience, log: &logs[i]}
			if err := w.provide(within(t), []server{tiny}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	builds := 0
	for i := range logs {
		builds += strings.Count(logs[i].String(), "building")
	}
	if builds != 1 {
		t.Errorf("%d builds, want 1", builds)
	}
}

func TestWaitingForAnotherRunEnds(t *testing.T) {
	t.Parallel()
	w, log := shop(t, house(t, "v1.2.3", program))
	file, err := os.Create(filepath.Join(w.cache, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*lockInterval)
	defer cancel()
	if err := w.provide(ctx, []server{tiny}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside another run: %v; want %v", err, context.DeadlineExceeded)
	}
	if strings.Count(log.String(), "waiting for another run") != 1 {
		t.Errorf("it does not say once that it waits:\n%s", log)
	}
}

// The command, with a cache whose name a shell would take apart. No t.Parallel: it sets the environment.
func TestCommand(t *testing.T) {
	root, cache := house(t, "v1.2.3", program), filepath.Join(t.TempDir(), "it's a $HOME")
	t.Setenv("GRANARY_CACHE", cache)
	command := func(args ...string) (string, error) {
		var out, log bytes.Buffer
		err := run(within(t), []server{tiny}, append([]string{"-root", root}, args...), &out, &log)
		return out.String(), err
	}
	if out, err := command("-list"); err != nil || !strings.Contains(out, "v1.2.3") || !strings.Contains(out, "not built; about a second") {
		t.Errorf("-list before: %q, %v; want the version, and how long a build takes", out, err)
	}
	out, err := command("tiny")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := exec.CommandContext(within(t), "bash", "-c", out+"\necho \"$GRANARY_TEST_SERVERS\"").Output()
	if want := filepath.Join(cache, "servers", "current"); err != nil || strings.TrimSpace(string(folder)) != want {
		t.Errorf("a shell takes %q for the folder %q, %v; want %q", out, folder, err, want)
	}
	if out, err := command("-list", "tiny"); err != nil || !strings.Contains(out, "built, in "+cache) {
		t.Errorf("-list after: %q, %v; want the folder", out, err)
	}
	if _, err := command("mysql"); err == nil || !strings.Contains(err.Error(), `no server "mysql"; there are tiny`) {
		t.Errorf("an unknown name: %v; want an error with those that there are", err)
	}
}

// The catalogue fits the modules that are there, and each of them pins its server.
func TestCatalogue(t *testing.T) {
	const root = "../.."
	folders, err := os.ReadDir(filepath.Join(root, modules))
	if err != nil {
		t.Fatal(err)
	}
	if len(folders) != len(catalogue) {
		t.Errorf("%s has %d folders; want one for each of the %d servers", modules, len(folders), len(catalogue))
	}
	for _, s := range catalogue {
		version, err := s.version(within(t), root)
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.HasPrefix(version, "v") {
			t.Errorf("%s is pinned to %q", s.name, version)
		}
		text, err := os.ReadFile(filepath.Join(root, modules, s.folder, "go.mod"))
		if want := fmt.Sprintf("\ntool %s\n", s.pkg); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: its go.mod has no line %q, %v", s.name, want, err)
		}
		if _, err := os.Stat(filepath.Join(root, modules, s.folder, "go.sum")); err != nil {
			t.Errorf("%s: nothing pins its source: %v", s.name, err)
		}
	}
}
