package redistest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// startTimeout bounds how long a server may take until it serves. It takes 40 ms on an idle machine.
const startTimeout = 60 * time.Second

// Server is one Redis server. It ends with its test. Its methods are called by one goroutine at a time.
type Server struct {
	// Address is where clients reach the server, as host:port. It stays the same when it starts again.
	Address string

	program string
	folder  string
	flags   []string
	output  buffer
	cmd     *exec.Cmd // nil when it does not run
	paused  bool
	alive   context.Context // ends with the process
}

// Start starts a server and waits until it serves. Further flags are those of the redis-server program, for example
// --appendonly yes. Without them what it has is lost when it stops.
func Start(t testing.TB, flags ...string) *Server {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("redistest: %v: Debian's package redis-server has it", err)
	}
	s := &Server{Address: freeAddress(t), program: program, folder: t.TempDir(), flags: flags}
	t.Cleanup(s.Stop)
	if err := s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// Stop kills the server, as a crash does.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended by itself
	<-s.alive.Done()
	s.cmd, s.paused = nil, false
}

// Restart stops the server if it runs, and starts it again on its data and its port.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop()
	if err := s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Pause stops the process where it is (SIGSTOP): connections stay up and nobody answers.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGSTOP)
	s.paused = true
}

// Resume lets a paused process go on.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGCONT)
	s.paused = false
}

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("redistest: %v to the server: %v\n%s", sig, err, &s.output)
	}
}

// Empty deletes all that the server has.
func (s *Server) Empty(t testing.TB) {
	t.Helper()
	if err := s.Client(t).FlushAll(t.Context()).Err(); err != nil {
		t.Fatalf("redistest: %v", err)
	}
}

// Options are those of a client of this server.
func (s *Server) Options() *redis.UniversalOptions {
	return &redis.UniversalOptions{Addrs: []string{s.Address}}
}

// Client makes a client of this server, which ends with the test.
func (s *Server) Client(t testing.TB) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.Address, MaxRetries: -1, ContextTimeoutEnabled: true})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("redistest: %v", err)
		}
	})
	return c
}

func (s *Server) start(ctx context.Context) error {
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return fmt.Errorf("redistest: %w", err)
	}
	s.cmd = exec.Command(s.program, append([]string{ //nolint:noctx // it ends with the test, by Stop
		"--bind", host, "--port", port, "--dir", s.folder, "--save", "", "--daemonize", "no", "--protected-mode", "no",
	}, s.flags...)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return fmt.Errorf("redistest: %w", err)
	}
	alive, died := context.WithCancel(context.Background())
	s.alive = alive
	go func(cmd *exec.Cmd) { // ends with the process, which Stop kills and waits for
		defer died()
		_ = cmd.Wait() // how it ended is in its output
	}(s.cmd)
	return s.await(ctx)
}

// await waits until the server answers.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	stop := context.AfterFunc(s.alive, cancel)
	defer stop()
	client := redis.NewClient(&redis.Options{Addr: s.Address, MaxRetries: -1})
	defer client.Close()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := client.Ping(ctx).Err()
		if err == nil || redis.HasErrorPrefix(err, "NOAUTH") {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("redistest: the server at %s does not serve: %w\n%s", s.Address, err, &s.output)
		}
	}
}

// portOf is the port of an address that this package has made.
func portOf(address string) int {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	return n
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// buffer keeps what the server prints.
type buffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
