package network_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/test/chaos/network"
)

const limit = 20 * time.Second

// envProgram makes this test a program: see programs.
const envProgram = "NETWORK_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if program := programs[os.Getenv(envProgram)]; program != nil {
		if err := program(os.Args[1:]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var programs = map[string]func(args []string) error{
	"echo":    runEcho,
	"call":    runCall,
	"harness": runHarness,
	"mode":    runMode,
}

// runEcho listens at the address and sends back what comes.
func runEcho(args []string) error {
	l, err := network.Here().Listen(context.Background(), args[0])
	if err != nil {
		return err
	}
	fmt.Println("listening")
	echo(l)
	return nil
}

// runCall sends lines to the address, one behind the reply to the other, and prints the replies, until its input ends.
func runCall(args []string) error {
	conn, err := network.Here().Dial(context.Background(), args[0])
	if err != nil {
		return err
	}
	fmt.Println("connected from", conn.LocalAddr())
	lines, replies := bufio.NewScanner(os.Stdin), bufio.NewReader(conn)
	for lines.Scan() {
		if _, err := fmt.Fprintln(conn, lines.Text()); err != nil {
			return err
		}
		reply, err := replies.ReadString('\n')
		if err != nil {
			return err
		}
		fmt.Print(reply)
	}
	return conn.Close()
}

// runHarness starts a process on a host, in the mode of the argument, which does not end by itself, nor does runHarness.
func runHarness(args []string) error {
	n, err := network.New(network.WithMode(args[0]))
	if err != nil {
		return err
	}
	h, err := n.Host("a")
	if err != nil {
		return err
	}
	cmd := exec.Command("sleep", "1000")
	cmd.Stdout = os.Stdout
	if err := h.Start(cmd); err != nil {
		return err
	}
	fmt.Println("started")
	return cmd.Wait()
}

// runMode prints what a network is made of here.
func runMode([]string) error {
	n, err := network.New()
	if err != nil {
		return err
	}
	fmt.Println(n.Mode(), n.Why())
	return n.Close()
}

// echo sends back what comes to a listener until that is closed.
func echo(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}()
	}
}

// eachMode runs a test in both modes, and in the second alone where the first cannot be had.
func eachMode(t *testing.T, test func(t *testing.T, n *network.Network)) {
	t.Helper()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) { test(t, newNetwork(t, mode)) })
	}
}

var modes = []string{network.Namespaces, network.Proxies}

func newNetwork(t *testing.T, mode string, opts ...network.Option) *network.Network {
	t.Helper()
	if mode == network.Namespaces {
		n, err := network.New(opts...)
		if err == nil && n.Mode() != mode {
			_ = n.Close()
			t.Skipf("the mode proxies alone can be had here: %s", n.Why())
		}
		return closing(t, n, err)
	}
	n, err := network.New(append(opts, network.WithMode(mode))...)
	return closing(t, n, err)
}

func closing(t *testing.T, n *network.Network, err error) *network.Network {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func host(t *testing.T, n *network.Network, name string) *network.Host {
	t.Helper()
	h, err := n.Host(name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// listen makes a listener on the host, which ends with the test.
func listen(t *testing.T, h *network.Host) net.Listener {
	t.Helper()
	l, err := h.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// dial connects from the host, and closes that when the test ends.
func dial(t *testing.T, h *network.Host, address string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	conn, err := h.Dial(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(limit))
	return conn
}

// ask sends a text and reads it back, and tells how long that took.
func ask(t *testing.T, conn net.Conn, text string) time.Duration {
	t.Helper()
	begin := time.Now()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, len(text))
	if _, err := io.ReadFull(conn, back); err != nil || string(back) != text {
		t.Fatalf("sent %.20q, got %.20q, %v", text, back, err)
	}
	return time.Since(begin)
}

// program is a command that runs this test as the program of a name.
func program(t *testing.T, h *network.Host, name string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(h.Environ(), envProgram+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

// start starts a program on a host, waits for its end when the test ends, and gives its input and its lines.
func start(t *testing.T, h *network.Host, cmd *exec.Cmd) (io.Writer, *bufio.Reader) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return in, bufio.NewReader(out)
}

func expect(t *testing.T, lines *bufio.Reader, prefix string) {
	t.Helper()
	line, err := lines.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, prefix) {
		t.Fatalf("read %q, %v; want a line that begins with %q", line, err, prefix)
	}
}

// wait waits until something is so.
func wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(limit)
	defer end.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("waited %s for %s", limit, what)
		}
	}
}
