package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// program is the built command, for all tests; it is made once.
var program = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "granary-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "granary")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){"granary": main})
}

// tidy removes the built command behind the tests.
type tidy struct{ *testing.M }

// Run implements testscript.TestingM.
func (t tidy) Run() int {
	status := t.M.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	return status
}

// transcript is what a demo printed so far.
type transcript struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
	grew chan struct{} // holds at most one
}

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	select {
	case w.grew <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// await waits until a demo has printed a text.
func (w *transcript) await(ctx context.Context, t *testing.T, text string) {
	t.Helper()
	for !strings.Contains(w.String(), text) {
		select {
		case <-w.grew:
		case <-ctx.Done():
			t.Fatalf("no %q in time:\n%s", text, w)
		}
	}
}

// start runs a demo with patience: other tests want the machine too.
func start(t *testing.T, args ...string) (*exec.Cmd, *transcript, context.Context) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	out := &transcript{grew: make(chan struct{}, 1)}
	cmd := exec.CommandContext(ctx, path, append([]string{"demo", "--ping=500ms", "--recover-within=15s"}, args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out, ctx
}

var member = regexp.MustCompile(`member \d+ .*pid (\d+)`)

// pids are the member processes that a demo has named.
func (w *transcript) pids(t *testing.T) map[int]bool {
	t.Helper()
	pids := map[int]bool{}
	for _, found := range member.FindAllStringSubmatch(w.String(), -1) {
		pid, err := strconv.Atoi(found[1])
		if err != nil {
			t.Fatal(err)
		}
		pids[pid] = true
	}
	return pids
}

// noneLeft checks that no process of a demo is left that waited for them.
func noneLeft(t *testing.T, out *transcript, want int) {
	t.Helper()
	pids := out.pids(t)
	if len(pids) != want {
		t.Errorf("the demo named %d processes, want %d", len(pids), want)
	}
	for pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is left: %v", pid, err)
		}
	}
}

func TestDemo(t *testing.T) {
	cmd, out, _ := start(t, "--for=12s", "--kill-after=2s", "--add-after=5s")
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	if n := strings.Count(out.String(), "\n  true    "); n != 7 {
		t.Errorf("%d claims are true, want 7:\n%s", n, out)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("colours, though this is no terminal")
	}
	noneLeft(t, out, 4)
}

// What cannot be true is told: nothing answers again within a nanosecond.
func TestDemoFails(t *testing.T) {
	cmd, out, _ := start(t, "--members=2", "--grains=20", "--for=6s", "--kill-after=500ms", "--add-after=2s", "--recover-within=1ns")
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != failed {
		t.Errorf("ended by %v", err)
	}
	if !strings.Contains(out.String(), "FALSE   member") || !strings.Contains(out.String(), "granary: demo: 1 of 7 claims were not true") {
		t.Errorf("output:\n%s", out)
	}
	noneLeft(t, out, 3)
}

func TestDemoInterrupted(t *testing.T) {
	for name, args := range map[string][]string{"by hand": nil, "unattended": {"--for=30s"}} {
		t.Run(name, func(t *testing.T) {
			cmd, out, ctx := start(t, args...)
			out.await(ctx, t, "\n    1s ")
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			err := cmd.Wait()
			if (err == nil) != (args == nil) {
				t.Errorf("ended by %v:\n%s", err, out)
			}
			if !strings.Contains(out.String(), "unseen  a member is killed") {
				t.Errorf("no verdict:\n%s", out)
			}
			noneLeft(t, out, 3)
		})
	}
}

// The command that the demo prints works while it runs.
func TestDemoExplained(t *testing.T) {
	cmd, out, ctx := start(t)
	out.await(ctx, t, "\n    1s ")
	line := regexp.MustCompile(`granary (explain Counter/.*)`).FindStringSubmatch(out.String())
	at := regexp.MustCompile(`export GRANARY_MEMBER=(.*)`).FindStringSubmatch(out.String())
	if line == nil || at == nil {
		t.Fatalf("no command in:\n%s", out)
	}
	t.Setenv(memberVariable, at[1])
	var said strings.Builder
	if status := execute(ctx, append(strings.Fields(line[1]), "--timeout=30s"), nil, &said, &said); status != succeeded ||
		!strings.HasPrefix(said.String(), "Counter/counter-1 is active on 127.0.0.1:") {
		t.Errorf("status %d:\n%s", status, said.String())
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	noneLeft(t, out, 3)
}

// The members notice when the demo is killed.
func TestDemoKilled(t *testing.T) {
	cmd, out, ctx := start(t)
	out.await(ctx, t, "All grains answered")
	var connections []net.Conn
	for _, found := range regexp.MustCompile(`pid \d+ +(127\.0\.0\.1:\d+)`).FindAllStringSubmatch(out.String(), -1) {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", found[1])
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		connections = append(connections, c)
	}
	if len(connections) != 3 {
		t.Fatalf("%d members, want 3:\n%s", len(connections), out)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for _, c := range connections {
		awaitSilence(ctx, t, c)
	}
}

// awaitSilence waits until nobody listens any more where a connection leads.
func awaitSilence(ctx context.Context, t *testing.T, c net.Conn) {
	t.Helper()
	for address := c.RemoteAddr().String(); ; {
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the member at %v is left", address)
		}
		// A process that ends closes its listener last, or first.
		again, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return
		}
		defer again.Close()
		c = again
	}
}
