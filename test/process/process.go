package process

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// maxLines is how many lines wait to be looked at. Further ones are heard, and not kept.
const maxLines = 10_000

// A Line is one that a process printed, and when it was read.
type Line struct {
	Text string
	At   time.Time
}

// A Process is a running program whose lines are read one by one.
type Process struct {
	name   string
	cmd    *exec.Cmd
	lines  chan Line     // closed when the process has closed its output
	ended  chan struct{} // closed when it was waited for
	status error         // set before ended is closed
}

// Start starts a command, which was not started before and whose output was not set, under a name for errors. Hear
// is called with each line that the process prints on its output or its error output, one at a time. It may be nil.
func Start(name string, cmd *exec.Cmd, hear func(Line)) (*Process, error) {
	return StartBy(name, cmd, cmd.Start, hear)
}

// StartBy is [Start] for a command that somebody else starts: from a thread that lives elsewhere, for example, and that
// must not end before the process.
func StartBy(name string, cmd *exec.Cmd, start func() error, hear func(Line)) (*Process, error) {
	cmd.SysProcAttr = attributes()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := start(); err != nil {
		_, _ = r.Close(), w.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	_ = w.Close() // the process has its own
	p := &Process{name: name, cmd: cmd, lines: make(chan Line, maxLines), ended: make(chan struct{})}
	go p.read(r, hear)
	return p, nil
}

// read owns the process's output and its end.
func (p *Process) read(r io.ReadCloser, hear func(Line)) {
	defer close(p.ended)
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		l := Line{scanner.Text(), time.Now()}
		if hear != nil {
			hear(l)
		}
		select {
		case p.lines <- l:
		default: // nobody looks any more
		}
	}
	_ = r.Close()
	close(p.lines)
	p.status = p.cmd.Wait()
}

// ID is the process's number in the operating system.
func (p *Process) ID() int { return p.cmd.Process.Pid }

// Next gives the first line that match wants, dropping those before it. It fails when none came within the limit, and
// when the process ended without.
func (p *Process) Next(ctx context.Context, limit time.Duration, what string, match func(string) bool) (Line, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				<-p.ended
				return Line{}, fmt.Errorf("%s ended (%v) while waiting for %s", p.name, p.cmd.ProcessState, what)
			}
			if match(l.Text) {
				return l, nil
			}
		case <-ctx.Done():
			return Line{}, fmt.Errorf("%s: no %s within %s", p.name, what, limit)
		}
	}
}

// Drain takes the lines that are there, without waiting, and returns those that match.
func (p *Process) Drain(match func(string) bool) (found []Line) {
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				return found
			}
			if match(l.Text) {
				found = append(found, l)
			}
		default:
			return found
		}
	}
}

// Signal sends a signal, and fails when the process has ended.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Kill ends the process the hard way and returns when it has ended and its last line was heard. It may have ended
// before.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Interrupt asks the process to end and expects it to, within the limit and with status 0.
func (p *Process) Interrupt(limit time.Duration) error {
	return p.end(syscall.SIGINT, "interrupted", limit)
}

// Terminate is Interrupt by SIGTERM, as service managers do it.
func (p *Process) Terminate(limit time.Duration) error {
	return p.end(syscall.SIGTERM, "terminated", limit)
}

func (p *Process) end(s syscall.Signal, how string, limit time.Duration) error {
	if err := p.Signal(s); err != nil {
		return fmt.Errorf("%s was to be %s: %w", p.name, how, err)
	}
	return p.await(how, limit)
}

// Wait expects the process to end, within the limit and with status 0, because it was asked to by other means.
func (p *Process) Wait(limit time.Duration) error { return p.await("asked to end", limit) }

func (p *Process) await(how string, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.ended:
		if p.status != nil {
			return fmt.Errorf("%s was %s and ended badly: %w", p.name, how, p.status)
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("%s was %s and had not ended after %s", p.name, how, limit)
	}
}
