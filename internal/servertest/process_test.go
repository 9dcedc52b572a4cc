//go:build unix

package servertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// role is the environment variable that makes the test program something else: what it is, and the address.
const role = "SERVERTEST_ROLE"

func TestMain(m *testing.M) {
	what, address, _ := strings.Cut(os.Getenv(role), " ")
	switch what {
	case "":
		os.Exit(m.Run())
	case "server":
		fmt.Fprintln(os.Stdout, "I serve")
		fmt.Fprintln(os.Stderr, serve(address))
	case "owner": // ends without stopping its server
		if err := Start(helper("server", address)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	default:
		fmt.Fprintln(os.Stderr, "I cannot", what)
	}
	os.Exit(3)
}

// serve tells everybody its process id.
func serve(address string) error {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		fmt.Fprint(conn, os.Getpid())
		_ = conn.Close()
	}
}

// helper is this program in a role.
func helper(what, address string) *Process {
	return New(what+" at "+address, func() (*exec.Cmd, error) {
		cmd := exec.CommandContext(context.Background(), os.Args[0])
		cmd.Env = append(os.Environ(), role+"="+what+" "+address)
		return cmd, nil
	}, func(ctx context.Context) error {
		_, err := ask(ctx, address)
		return err
	})
}

// ask gives what a server says.
func ask(ctx context.Context, address string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	answer, err := io.ReadAll(conn)
	if err == nil && len(answer) == 0 {
		err = io.ErrUnexpectedEOF
	}
	return string(answer), err
}

func says(t *testing.T, address string) string {
	t.Helper()
	answer, err := ask(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestProcess(t *testing.T) {
	t.Parallel()
	address := Address(t)
	p := helper("server", address)
	p.Stop() // it does not run
	t.Cleanup(p.Stop)
	if err := Start(p); err != nil {
		t.Fatal(err)
	}
	first := says(t, address)
	p.Pause(t)
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := ask(short, address); !errors.Is(err, os.ErrDeadlineExceeded) || p.Running() {
		t.Errorf("while it is paused: %v, running: %v", err, p.Running())
	}
	p.Resume(t)
	if again := says(t, address); again != first || !p.Running() {
		t.Errorf("after a pause it is %s, running: %v; want %s", again, p.Running(), first)
	}
	p.Pause(t)
	p.Stop()
	if _, err := ask(t.Context(), address); !errors.Is(err, syscall.ECONNREFUSED) || p.Running() {
		t.Errorf("after it was stopped: %v, running: %v", err, p.Running())
	}
	p.Restart(t)
	second := says(t, address)
	p.Restart(t)
	if third := says(t, address); second == first || third == second {
		t.Errorf("each start is a process of its own: %s, %s, %s", first, second, third)
	}
	if got := strings.Count(p.Output(), "I serve"); got != 3 {
		t.Errorf("it started %d times: %s", got, p.Output())
	}
}

func TestSeveral(t *testing.T) {
	t.Parallel()
	one, two := Address(t), Address(t)
	needy := helper("server", two)
	needy.ready = func(ctx context.Context) error { // it serves when the other does
		_, err := ask(ctx, one)
		return err
	}
	all := []*Process{needy, helper("server", one)}
	for _, p := range all {
		t.Cleanup(p.Stop)
	}
	if err := Start(all...); err != nil {
		t.Fatal(err)
	}
}

func TestServersThatFail(t *testing.T) {
	t.Parallel()
	address := Address(t)
	running := helper("server", address)
	t.Cleanup(running.Stop)
	if err := Start(running); err != nil {
		t.Fatal(err)
	}
	missing := New("nothing", func() (*exec.Cmd, error) { return exec.CommandContext(t.Context(), "/nowhere"), nil }, nil)
	unready := errors.New("not written")
	broken := New("broken", func() (*exec.Cmd, error) { return nil, unready }, nil)
	for _, c := range []struct {
		p    *Process
		want []string
	}{
		{helper("sing", Address(t)), []string{"sing at 127.0.0.1:", "does not serve", "exit status 3", "I cannot sing"}},
		{missing, []string{"nothing does not start", "/nowhere"}},
		{broken, []string{"broken does not start: not written"}},
	} {
		begun := time.Now()
		err := Start(c.p)
		c.p.Stop()
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Start: %v; want an error with %q", err, want)
			}
		}
		if passed := time.Since(begun); passed > Patience/2 {
			t.Errorf("%s took %v, though its process had ended", c.p.name, passed)
		}
	}
}

// A test that ran out of time, or crashed, leaves no server behind.
func TestOwnerIsGone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux kills the children of a process that ends")
	}
	address := Address(t)
	owner := helper("owner", address)
	t.Cleanup(owner.Stop)
	if err := owner.launch(); err != nil {
		t.Fatal(err)
	}
	<-owner.alive.Done()
	if owner.Output() != "" {
		t.Fatal(owner.Output()) // it could not start its server
	}
	err := Poll(within(t), func(ctx context.Context) error {
		answer, err := ask(ctx, address)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return nil
		}
		return errors.Join(errors.New("the server serves on, as "+answer), err)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	var b tail
	for i := range 20_000 {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	got := b.String()
	if len(got) != kept || cap(b.text) > 4*kept || !strings.HasSuffix(got, "line 19998\nline 19999\n") {
		t.Errorf("%d bytes are kept of %d at most, in %d: …%q", len(got), kept, cap(b.text), got[max(0, len(got)-30):])
	}
}
