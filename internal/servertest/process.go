//go:build unix

package servertest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience bounds how long a server may take until it serves, or several until they have what they wait for. On an idle
// machine that takes seconds at most.
const Patience = 2 * time.Minute

// Process is a server that can be stopped and started, and stopped where it is. Its methods are called by one goroutine at
// a time.
type Process struct {
	name    string
	command func() (*exec.Cmd, error)
	ready   func(context.Context) error

	cmd    *exec.Cmd // nil when it does not run
	paused bool
	output tail
	alive  context.Context // ends with the process; the cause is how
}

// New makes a server that does not run yet. The name is for errors, and has the address in it. Each start runs a new
// command, and lasts until ready gives nil.
func New(name string, command func() (*exec.Cmd, error), ready func(context.Context) error) *Process {
	return &Process{name: name, command: command, ready: ready}
}

// Start starts servers that may need each other, and waits until all serve. One that runs is stopped first. When one fails
// the others may go on; their owner stops them.
func Start(all ...*Process) error {
	for _, p := range all {
		p.Stop()
		if err := p.launch(); err != nil {
			return fmt.Errorf("servertest: %s does not start: %w", p.name, err)
		}
	}
	for _, p := range all {
		if err := p.await(); err != nil {
			return fmt.Errorf("servertest: %s does not serve: %w\n%s", p.name, err, p.Output())
		}
	}
	return nil
}

func (p *Process) launch() error {
	cmd, err := p.command()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &p.output, &p.output, attributes()
	if err := cmd.Start(); err != nil {
		return err
	}
	alive, died := context.WithCancelCause(context.Background())
	p.cmd, p.alive = cmd, alive
	go func() { // ends with the process, which Stop kills and waits for
		died(errors.Join(errors.New("it has ended"), cmd.Wait()))
	}()
	return nil
}

func (p *Process) await() error {
	ctx, cancel := context.WithTimeout(p.alive, Patience)
	defer cancel()
	if err := Poll(ctx, p.ready); err != nil {
		return err
	}
	return context.Cause(p.alive) // whoever is ready may be another
}

// Stop kills the server, as a crash does, and waits until it is gone. What it had acknowledged it still has when it starts
// again, if it keeps it on its disk.
func (p *Process) Stop() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.alive.Done()
	p.cmd, p.paused = nil, false
}

// Restart stops the server if it runs, starts it again at its addresses, and waits until it serves.
func (p *Process) Restart(t testing.TB) {
	t.Helper()
	if err := Start(p); err != nil {
		t.Fatal(err)
	}
}

// Pause stops the process where it is (SIGSTOP), and waits until it does nothing more: connections stay up and nobody
// answers.
func (p *Process) Pause(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGSTOP)
	if err := awaitStop(p.cmd.Process.Pid); err != nil {
		t.Fatalf("servertest: %s does not stop: %v\n%s", p.name, err, p.Output())
	}
	p.paused = true
}

// Resume lets a paused process go on.
func (p *Process) Resume(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGCONT)
	p.paused = false
}

func (p *Process) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if p.cmd == nil {
		t.Fatalf("servertest: %v to %s, which does not run", sig, p.name)
	}
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("servertest: %v to %s: %v\n%s", sig, p.name, err, p.Output())
	}
}

// Running reports whether the server was started, and is neither stopped nor paused.
func (p *Process) Running() bool { return p.cmd != nil && !p.paused }

// Output is the end of what the server has printed.
func (p *Process) Output() string { return p.output.String() }

// kept is how much of the output is kept, in bytes.
const kept = 32 << 10

// tail keeps the end of what is written.
type tail struct {
	mu   sync.Mutex // guards text
	text []byte
}

func (b *tail) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.text = append(b.text, p...); len(b.text) > 2*kept {
		b.text = append(b.text[:0], b.text[len(b.text)-kept:]...)
	}
	return len(p), nil
}

func (b *tail) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text[max(0, len(b.text)-kept):])
}
