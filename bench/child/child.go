// Package child has a program start itself as another process and talk to it, a line at a time, over the standard input and output.
package child

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

const (
	// kept is how many lines of a child may wait to be read.
	kept = 1024
	// patience is how long a child may take to end.
	patience = 10 * time.Second
)

// A Child is a process of this program that this one has started. It must end when its input does.
type Child struct {
	// Lines are what it has printed. The channel is closed when it has ended.
	Lines <-chan string

	cmd   *exec.Cmd
	in    io.WriteCloser
	ended chan struct{} // closed when it is gone and waited for
}

// Start starts this program with other arguments. What it says on its standard error goes to that of this process.
func Start(args ...string) (*Child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, args...) //nolint:noctx // it ends with its input
	cmd.SysProcAttr, cmd.Stderr = attributes(), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the other process: %w", err)
	}
	lines := make(chan string, kept)
	c := &Child{Lines: lines, cmd: cmd, in: in, ended: make(chan struct{})}
	go func() { // ends with the process
		defer close(c.ended)
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			lines <- scanner.Text()
		}
		_ = cmd.Wait() // who kills it knows
	}()
	return c, nil
}

// Say writes a line to its input. One that is gone does not hear it.
func (c *Child) Say(line string) { fmt.Fprintln(c.in, line) }

// Hear gives the next line that it prints.
func (c *Child) Hear(within time.Duration) (string, error) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case line, ok := <-c.Lines:
		if !ok {
			return "", errors.New("the other process has ended")
		}
		return line, nil
	case <-timer.C:
		return "", fmt.Errorf("the other process says nothing for %v", within)
	}
}

// Kill ends it at once, as a power cut would, and does not wait.
func (c *Child) Kill() { _ = c.cmd.Process.Kill() }

// Close has it end, kills it if it takes too long, and waits for that.
func (c *Child) Close() {
	_ = c.in.Close()
	timer := time.AfterFunc(patience, c.Kill)
	defer timer.Stop()
	for range c.Lines {
	}
	<-c.ended
}
