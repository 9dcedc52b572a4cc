package members

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// patience is how long a member may take to end when the program is told to. After that it is killed.
const patience = 20 * time.Second

// Process is a member that runs. Its methods are called by one goroutine at a time.
type Process struct {
	// Address is where the member's actors are reached, host:port.
	Address string

	cmd   *exec.Cmd
	life  io.Closer // its standard input, whose end tells it to end
	lines *bufio.Scanner
	ended bool
}

// Start starts this program again with other arguments, and waits until it is a member; it must call [Serve]. What it logs
// goes to this program's standard error. When ctx is done it is told to end, as by [Process.Stop], which is to be called all
// the same.
func Start(ctx context.Context, args ...string) (*Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.CommandContext(ctx, program, args...)}
	p.cmd.Stderr = os.Stderr
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = patience
	if p.life, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.lines = bufio.NewScanner(stdout)
	line, err := p.Until(ready)
	if err != nil {
		return nil, errors.Join(err, p.wait())
	}
	p.Address = strings.TrimPrefix(line, ready)
	return p, nil
}

// Until waits for a line of the member's that holds a text, and gives it.
func (p *Process) Until(text string) (line string, err error) {
	for p.lines.Scan() {
		if line = p.lines.Text(); strings.Contains(line, text) {
			return line, nil
		}
	}
	return "", fmt.Errorf("the member at %q ended without saying %q", p.Address, text)
}

// Kill ends the member as a power cut would, and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	if err := p.wait(); p.cmd.ProcessState.ExitCode() != -1 { // -1: a signal has ended it
		return errors.Join(errors.New("the member ended before it was killed"), err)
	}
	return nil
}

// Stop lets the member take its leave, and waits until it has ended. It does nothing for one that has ended.
func (p *Process) Stop() error {
	if p.ended {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := p.wait(); err != nil {
		return fmt.Errorf("the member at %s: %w", p.Address, err)
	}
	return nil
}

// wait reads what the member still prints, to the end, and waits for its end.
func (p *Process) wait() error {
	p.ended = true
	for p.lines.Scan() {
	}
	err := p.cmd.Wait()
	if p.cmd.ProcessState.Success() {
		err = nil // that it was told to end by its context is no failure
	}
	return errors.Join(err, ignoreClosed(p.life.Close()))
}

// ignoreClosed drops the error of closing what Wait has closed.
func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
