package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// process is a member process as its parent sees it.
type process struct {
	number int
	cmd    *exec.Cmd
	in     io.WriteCloser
	log    *tail
	grains atomic.Int64 // as it told last
	// actors is where its actors are, once it is a member.
	actors atomic.Pointer[string]
	// asked says that it was told to end, or killed, by this program.
	asked atomic.Bool

	listening, ready chan string // what it said; nothing more than once

	exited chan struct{} // closed when the process is gone and waited for
	err    error         // how it ended; to be read once exited is closed
}

// spawn starts a member process and the goroutine that listens to it, which
// ends with the process.
func spawn(program string, number int, o Options, log io.Writer) (*process, error) {
	cmd := exec.Command(program, MemberVerb, //nolint:noctx // it ends by order, so that it can take its leave
		fmt.Sprintf("--%s=%d", NumberFlag, number), fmt.Sprintf("--%s=%v", PingFlag, o.Ping))
	cmd.SysProcAttr = attributes()
	p := &process{
		number: number, cmd: cmd, log: &tail{through: log},
		listening: make(chan string, 1), ready: make(chan string, 1), exited: make(chan struct{}),
	}
	cmd.Stderr = p.log
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a member process: %w", err)
	}
	go func() {
		defer close(p.exited)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			p.hear(scanner.Text())
		}
		p.err = cmd.Wait()
	}()
	return p, nil
}

// hear takes a line of the member's.
func (p *process) hear(line string) {
	word, about, _ := strings.Cut(line, " ")
	switch word {
	case wordListening:
		tell(p.listening, about)
	case wordReady:
		p.actors.Store(&about)
		tell(p.ready, about)
	case wordGrains:
		if n, err := strconv.ParseInt(about, 10, 64); err == nil {
			p.grains.Store(n)
		}
	}
}

func tell(to chan string, text string) {
	select {
	case to <- text:
	default:
	}
}

// await waits for what the member has to say first.
func (p *process) await(ctx context.Context, from chan string) (string, error) {
	select {
	case text := <-from:
		return text, nil
	case <-p.exited:
		return "", fmt.Errorf("member %d ended before it was one: %w%s", p.number, p.cause(), p.log.indented())
	case <-ctx.Done():
		return "", fmt.Errorf("member %d (pid %d) did not become one in time: %w%s", p.number, p.pid(), ctx.Err(), p.log.indented())
	}
}

// cause is how the process ended, in words.
func (p *process) cause() error {
	if p.err == nil {
		return errors.New("exit status 0")
	}
	return p.err
}

// address is where its actors are; empty before it is a member.
func (p *process) address() string {
	if a := p.actors.Load(); a != nil {
		return *a
	}
	return ""
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) say(words ...string) {
	fmt.Fprintln(p.in, strings.Join(words, " ")) // whoever does not hear it is gone, which exited tells
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	p.asked.Store(true)
	_ = p.cmd.Process.Kill() // it fails when the process is gone
}

// running reports whether the process has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// wasKilled reports whether SIGKILL ended it.
func (p *process) wasKilled() bool {
	var exit *exec.ExitError
	if !errors.As(p.err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// stop has the process shut down gracefully, and kills it when the context is
// done before. It returns when the process is gone, with an error if it did not
// end cleanly.
func (p *process) stop(ctx context.Context) error {
	p.asked.Store(true)
	p.say(wordStop)
	select {
	case <-p.exited:
		if p.err != nil {
			return fmt.Errorf("member %d: %w%s", p.number, p.err, p.log.indented())
		}
		return nil
	case <-ctx.Done():
		p.kill()
		<-p.exited
		return fmt.Errorf("member %d did not stop in time and was killed%s", p.number, p.log.indented())
	}
}

// tail keeps the end of a log, and passes all of it on if there is where to.
type tail struct {
	through io.Writer // may be nil

	mu   sync.Mutex // guards text
	text []byte
}

const keptLog = 2 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-keptLog):]
	if t.through == nil {
		return len(p), nil
	}
	return t.through.Write(p)
}

// indented gives the end of the log, to be put behind an error.
func (t *tail) indented() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.text))
	if text == "" {
		return ""
	}
	return "\n  its log ends:\n    " + strings.ReplaceAll(text, "\n", "\n    ")
}
