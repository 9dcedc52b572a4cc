package main

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

// A line is one that a process printed, and when it was read.
type line struct {
	text string
	at   time.Time
}

// A process is a running program whose lines are read one by one. It dies with this program, and with its context.
type process struct {
	name   string
	cmd    *exec.Cmd
	lines  chan line     // closed when the process has closed its output
	ended  chan struct{} // closed when it was waited for
	status error         // set before ended is closed
}

// start runs a program and copies what it prints to the transcript.
func start(ctx context.Context, out *transcript, name, program string) (*process, error) {
	cmd := exec.CommandContext(ctx, program)
	// A group of its own: an interrupt at the terminal is ours to hand on. The rest is for when we are killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		_, _ = r.Close(), w.Close()
		return nil, err
	}
	_ = w.Close() // the process has its own
	p := &process{name: name, cmd: cmd, lines: make(chan line, 10_000), ended: make(chan struct{})}
	out.sayf("%s started, process %d", name, cmd.Process.Pid)
	go p.read(r, out)
	return p, nil
}

// read owns the process's output and its end.
func (p *process) read(r io.ReadCloser, out *transcript) {
	defer close(p.ended)
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		out.copy(p.name, scanner.Text())
		select {
		case p.lines <- line{scanner.Text(), time.Now()}:
		default: // nobody has looked at 10,000 lines: something is very wrong, and the transcript shows it
		}
	}
	_ = r.Close()
	close(p.lines)
	p.status = p.cmd.Wait()
}

// next gives the first line that match wants, dropping those before it. It fails when none came by the deadline.
func (p *process) next(ctx context.Context, limit time.Duration, what string, match func(string) bool) (line, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				<-p.ended
				return line{}, fmt.Errorf("%s ended (%v) while waiting for %s", p.name, p.cmd.ProcessState, what)
			}
			if match(l.text) {
				return l, nil
			}
		case <-ctx.Done():
			return line{}, fmt.Errorf("%s: no %s within %s", p.name, what, limit)
		}
	}
}

// drain takes the lines that are there, without waiting, and returns those that match.
func (p *process) drain(match func(string) bool) (found []line) {
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				return found
			}
			if match(l.text) {
				found = append(found, l)
			}
		default:
			return found
		}
	}
}

func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// kill ends the process the hard way and waits for its end. It may have ended before.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// interrupt asks the process to end and expects it to, with status 0.
func (p *process) interrupt(limit time.Duration) error {
	if err := p.signal(syscall.SIGINT); err != nil {
		return fmt.Errorf("interrupt %s: %w", p.name, err)
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.ended:
		if p.status != nil {
			return fmt.Errorf("%s was interrupted and ended badly: %w", p.name, p.status)
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("%s was interrupted and had not ended after %s", p.name, limit)
	}
}
