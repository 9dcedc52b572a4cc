package exampletest

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Patience bounds how long a program may run. On an idle machine each takes some seconds.
const Patience = 2 * time.Minute

// Build compiles the program in a folder, given relative to the test's own, as "." or "./member". It is deleted with the
// test. That a program has changed is unknown to go test, which may show a result that it has cached: -count=1 runs the test.
//
// Outside of `make test-all`, which sets GRANARY_TEST_SERVERS, it skips the test: the programs are many to build and run.
func Build(t testing.TB, folder string) string {
	t.Helper()
	if os.Getenv("GRANARY_TEST_SERVERS") == "" {
		t.Skip("needs the programs of the examples, which `make test-all` builds")
	}
	program := filepath.Join(t.TempDir(), "program")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, folder).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", folder, err, out)
	}
	return program
}

// Process is a program that runs. Its methods are called by the goroutine of the test.
type Process struct {
	t      testing.TB
	name   string // the command, for errors
	cmd    *exec.Cmd
	lines  *bufio.Scanner // of its standard output
	read   []string
	errors bytes.Buffer // its standard error, which is read when it has ended
}

// Start starts a program.
func Start(t testing.TB, program string, args ...string) *Process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	p := &Process{t: t, name: strings.Join(args, " "), cmd: exec.CommandContext(ctx, program, args...)}
	p.cmd.Stderr = &p.errors
	p.cmd.WaitDelay = 10 * time.Second // for what it has started, and left
	stdout, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(stdout)
	t.Cleanup(func() {
		cancel()
		_ = p.cmd.Wait() // it has ended, or is killed now
	})
	return p
}

// Until reads what the program prints up to a line that holds a text, and gives that line. The test fails if the program
// ends before.
func (p *Process) Until(text string) string {
	p.t.Helper()
	for p.lines.Scan() {
		p.read = append(p.read, p.lines.Text())
		if strings.Contains(p.lines.Text(), text) {
			return p.lines.Text()
		}
	}
	_ = p.cmd.Wait() // how it ended says the standard error
	p.t.Fatalf("%q ended without %q; it printed:\n%s\n%s", p.name, text, strings.Join(p.read, "\n"), p.errors.String())
	return ""
}

// Terminate asks the program to end, as an operator does: SIGTERM.
func (p *Process) Terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Errorf("%q: %v", p.name, err)
	}
}

// Wait waits until the program has ended, and gives all lines that it has printed. The test fails if it ended with an
// error.
func (p *Process) Wait() []string {
	p.t.Helper()
	for p.lines.Scan() {
		p.read = append(p.read, p.lines.Text())
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%q: %v; it printed:\n%s\n%s", p.name, err, strings.Join(p.read, "\n"), p.errors.String())
	}
	return p.read
}
