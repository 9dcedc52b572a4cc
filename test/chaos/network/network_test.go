package network_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
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
	"echo": runEcho,
	"call": runCall,
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
	cmd := exec.CommandContext(t.Context(), self, args...)
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

func TestProcessesTalk(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a, b := host(t, n, "a"), host(t, n, "b")
		_, server := start(t, b, program(t, b, "echo", b.Address()+":4000"))
		expect(t, server, "listening")
		in, client := start(t, a, program(t, a, "call", b.Address()+":4000"))
		expect(t, client, "connected from "+a.Address()+":")
		fmt.Fprintln(in, "hello")
		expect(t, client, "hello")
		if c := n.LinkCounts(a, b); c.Passed == 0 || c.Bytes == 0 {
			t.Errorf("counted %+v from a to b", c)
		}

		n.Set(a, b, network.Link{Blocked: true})
		fmt.Fprintln(in, "still there?")
		wait(t, "a packet that is blocked", func() bool { return n.LinkCounts(a, b).Blocked > 0 })
		n.Heal()
		expect(t, client, "still there?")
	})
}

func TestPartitionOneWay(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a, b := host(t, n, "a"), host(t, n, "b")
		l := listen(t, b)
		accepted := make(chan net.Conn, 1)
		go func() {
			conn, _ := l.Accept()
			accepted <- conn
		}()
		near := dial(t, a, l.Addr().String())
		far := <-accepted
		defer func() { _ = far.Close() }()
		_ = far.SetDeadline(time.Now().Add(limit))

		n.Set(a, b, network.Link{Blocked: true})
		for _, text := range []string{"one", "two"} { // b to a flows
			if _, err := io.WriteString(far, text); err != nil {
				t.Fatal(err)
			}
			if got := read(near, len(text)); got != text {
				t.Fatalf("read %q, want %q", got, text)
			}
		}
		if _, err := io.WriteString(near, "held"); err != nil {
			t.Fatal(err)
		}
		wait(t, "a packet that is blocked", func() bool { return n.LinkCounts(a, b).Blocked > 0 })
		_ = far.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if got := read(far, 4); got != "" {
			t.Fatalf("read %q over a blocked link", got)
		}
		_ = far.SetReadDeadline(time.Now().Add(limit))
		n.Heal()
		if got := read(far, 4); got != "held" {
			t.Fatalf("read %q after Heal", got)
		}
	})
}

func read(r io.Reader, size int) string {
	got := make([]byte, size)
	size, _ = io.ReadFull(r, got)
	return string(got[:size])
}

func TestDialOfWhatIsBlockedHangsUntilHealed(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a, b := host(t, n, "a"), host(t, n, "b")
		l := listen(t, b)
		go echo(l)
		n.Set(b, a, network.Link{Blocked: true})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if conn, err := a.Dial(ctx, l.Addr().String()); err == nil || !isTimeout(err) {
			t.Fatalf("connected %v, %v; want a time-out", conn, err)
		}
		if n.LinkCounts(b, a).Blocked == 0 {
			t.Error("nothing was counted as blocked")
		}
		before := n.LinkCounts(b, a).Blocked
		dialed := make(chan error, 1)
		go func() {
			conn, err := a.Dial(t.Context(), l.Addr().String())
			if err == nil {
				_ = conn.Close()
			}
			dialed <- err
		}()
		wait(t, "a reply that is blocked", func() bool { return n.LinkCounts(b, a).Blocked > before })
		n.Heal()
		if err := <-dialed; err != nil {
			t.Error(err)
		}
	})
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

func TestDelay(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a, b := host(t, n, "a"), host(t, n, "b")
		l := listen(t, b)
		go echo(l)
		conn := dial(t, a, l.Addr().String())
		ask(t, conn, "fast")
		n.Set(a, b, network.Link{Delay: 60 * time.Millisecond})
		n.Set(b, a, network.Link{Delay: 40 * time.Millisecond, Jitter: 10 * time.Millisecond})
		if took := ask(t, conn, "slow"); took < 100*time.Millisecond {
			t.Errorf("a round trip took %s, want 100ms at least", took)
		}
		if there, back := n.LinkCounts(a, b).Delayed, n.LinkCounts(b, a).Delayed; there == 0 || back == 0 {
			t.Errorf("delayed %d there and %d back", there, back)
		}
		n.Set(a, b, network.Link{Delay: time.Hour})
		if _, err := io.WriteString(conn, "late"); err != nil {
			t.Fatal(err)
		}
		wait(t, "a packet that waits", func() bool { return n.LinkCounts(a, b).Delayed > 1 })
		n.Heal() // lets it pass
		if got := read(conn, 4); got != "late" {
			t.Errorf("read %q after Heal", got)
		}
	})
}

func TestRate(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a, b := host(t, n, "a"), host(t, n, "b")
		l := listen(t, b)
		go echo(l)
		conn := dial(t, a, l.Addr().String())
		n.Set(a, b, network.Link{Rate: 500_000})
		if took := ask(t, conn, strings.Repeat("x", 200_000)); took < 350*time.Millisecond {
			t.Errorf("200 kB at 500 kB/s took %s, want 400ms", took)
		}
	})
}

func TestLossAndDuplicatesAndDisorderAreMended(t *testing.T) {
	n := newNetwork(t, network.Namespaces)
	a, b := host(t, n, "a"), host(t, n, "b")
	l := listen(t, b)
	go echo(l)
	conn := dial(t, a, l.Addr().String())
	n.Set(a, b, network.Link{Loss: 0.02, Reorder: 0.1, Duplicate: 0.1})
	n.Set(b, a, network.Link{Loss: 0.02, Reorder: 0.1, Duplicate: 0.1})
	for c := n.Counts(); c.Lost == 0 || c.Reordered == 0 || c.Duplicated == 0; c = n.Counts() {
		ask(t, conn, strings.Repeat("granary ", 10_000))
	}
	t.Logf("%+v", n.Counts())
}

func TestLossResetsProxiedConnectionsNowAndThen(t *testing.T) {
	n := newNetwork(t, network.Proxies)
	a, b := host(t, n, "a"), host(t, n, "b")
	l := listen(t, b)
	go echo(l)
	conn := dial(t, a, l.Addr().String())
	n.Set(a, b, network.Link{Loss: 0.5})
	for {
		before := n.LinkCounts(a, b).Lost
		begin := time.Now()
		_, _ = io.WriteString(conn, "hello")
		_, err := io.ReadFull(conn, make([]byte, 5))
		if err == nil {
			if took := time.Since(begin); n.LinkCounts(a, b).Lost > before && took < 200*time.Millisecond {
				t.Fatalf("a piece was lost and came after %s", took)
			}
			continue
		}
		if c := n.LinkCounts(a, b); c.Reset != 1 || !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("%v, and counted %+v", err, c)
		}
		return
	}
}

// answer replies to a question when that has ended.
func answer(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		question, _ := io.ReadAll(conn)
		_, _ = conn.Write(append([]byte("re: "), question...))
		_ = conn.Close()
	}
}

func TestServe(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a, store := host(t, n, "a"), host(t, n, "store")
		server, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		target := server.Addr().String()
		if err := store.Serve(2379, target); err != nil {
			t.Fatal(err)
		}
		go answer(server)
		conn := dial(t, a, store.Address()+":2379")
		if _, err := io.WriteString(conn, "question"); err != nil {
			t.Fatal(err)
		}
		if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(conn); string(got) != "re: question" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}

		_ = server.Close()
		conn, err = a.Dial(t.Context(), store.Address()+":2379")
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(limit))
			if got, err := io.ReadAll(conn); len(got) > 0 || isTimeout(err) {
				t.Errorf("a server that is down sent %q, %v", got, err)
			}
			_ = conn.Close()
		}

		if server, err = net.Listen("tcp", target); err != nil {
			t.Skipf("the port was taken by somebody else: %v", err)
		}
		defer func() { _ = server.Close() }()
		go echo(server)
		ask(t, dial(t, a, store.Address()+":2379"), "back again")
	})
}

func TestProcessesDieWithTheNetwork(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		h := host(t, n, "a")
		cmd := exec.Command("sleep", "1000")
		if err := h.Start(cmd); err != nil {
			t.Fatal(err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(cmd.Process.Pid, 0); err != nil {
			t.Fatalf("somebody else has waited for the process: %v", err)
		}
		_ = cmd.Wait()
		if s := cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != syscall.SIGKILL {
			t.Errorf("the process ended with %s", cmd.ProcessState)
		}
		if err := h.Start(exec.Command("true")); err == nil {
			t.Error("started a process on a host that is closed")
		}
		if _, err := n.Host("b"); !errors.Is(err, network.ErrClosed) {
			t.Errorf("a host of a closed network: %v", err)
		}
	})
}

// TestNothingIsLeft looks at goroutines, descriptors and namespaces.
func TestNothingIsLeft(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			useNetwork(t, newNetwork(t, mode)) // and what the runtime keeps
			goroutines, files, namespaces := runtime.NumGoroutine(), openFiles(t), threadNamespaces(t)
			for range 3 {
				useNetwork(t, newNetwork(t, mode))
			}
			wait(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
			wait(t, "files to be closed", func() bool { return openFiles(t) <= files })
			wait(t, "threads to leave their namespaces", func() bool { return threadNamespaces(t) <= namespaces })
		})
	}
}

func useNetwork(t *testing.T, n *network.Network) {
	t.Helper()
	a, b := host(t, n, "a"), host(t, n, "b")
	l := listen(t, b)
	go echo(l)
	if err := b.Serve(80, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	n.Set(a, b, network.Link{Delay: time.Millisecond})
	conn := dial(t, a, l.Addr().String())
	ask(t, conn, "hello")
	_ = conn.Close() // what ends on the closed network is not heard of at the other end
	cmd := exec.Command("sleep", "1000")
	if err := a.Start(cmd); err != nil {
		t.Fatal(err)
	}
	open := dial(t, a, b.Address()+":80") // which Serve closes
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	_, _ = l.Close(), open.Close()
}

func openFiles(t *testing.T) int {
	t.Helper()
	runtime.GC() // io.Copy keeps pipes between sockets until then
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// threadNamespaces counts the network namespaces that this process's threads are in.
func threadNamespaces(t *testing.T) int {
	t.Helper()
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, thread := range threads {
		if name, err := os.Readlink(thread); err == nil {
			found[name] = true
		}
	}
	return len(found)
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
