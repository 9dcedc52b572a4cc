package etcdtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// startTimeout bounds how long a server may take until it serves. It takes half a second on an idle machine.
const startTimeout = 60 * time.Second

// Server is one etcd server. It ends with its test. Its methods are called by one goroutine at a time.
type Server struct {
	// Endpoint is where clients reach the server, as http://host:port. It stays the same when it starts again.
	Endpoint string
	// Version is the server's.
	Version Version

	name    string
	program string
	peer    string // its address for the other servers
	cluster string // all servers, as the etcd program takes them
	folder  string
	flags   []string
	clients *tls.Config
	output  buffer
	cmd     *exec.Cmd       // nil when it does not run
	paused  bool            // stopped where it is
	alive   context.Context // ends with the process
}

// Start starts a server of the version [Oldest] and waits until it serves. Further flags are those of the etcd program.
// The least lease time that it grants is a second.
func Start(t testing.TB, flags ...string) *Server {
	t.Helper()
	return Oldest.Start(t, flags...)
}

// Stop kills the server, as a crash does. What it had acknowledged it still has after Restart.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended by itself
	<-s.alive.Done()
	s.cmd, s.paused = nil, false
}

// Restart stops the server if it runs, and starts it again on its data and its ports.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop()
	if err := s.start(); err != nil {
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
		t.Fatalf("etcdtest: %v to the server: %v\n%s", sig, err, &s.output)
	}
}

// Output is what the server has printed: its warnings and errors.
func (s *Server) Output() string { return s.output.String() }

// Data is the folder with what the server keeps, for tests that copy it while the server is stopped.
func (s *Server) Data() string { return filepath.Join(s.folder, "data") }

// Config is a configuration for a client of this server, without logs.
func (s *Server) Config() clientv3.Config { return clientConfig(s.Endpoint, s.clients) }

// Client connects to the server. The client is closed when the test ends.
func (s *Server) Client(t testing.TB) *clientv3.Client {
	t.Helper()
	return newClient(t, s.Config())
}

func (s *Server) start() error {
	args := []string{
		"--name", s.name, "--data-dir", s.Data(),
		"--listen-client-urls", s.Endpoint, "--advertise-client-urls", s.Endpoint,
		"--listen-peer-urls", s.peer, "--initial-advertise-peer-urls", s.peer, "--initial-cluster", s.cluster,
		"--logger", "zap", "--log-outputs", "stderr", "--log-level", "warn",
	}
	if s.Version != Oldest {
		args = append(args, "--unsafe-no-fsync") // a killed process loses nothing by it
	}
	s.cmd = exec.CommandContext(context.Background(), s.program, append(args, s.flags...)...)
	s.cmd.Env = append(os.Environ(), "ETCD_UNSUPPORTED_ARCH=arm64") // needed there, ignored elsewhere
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return fmt.Errorf("etcdtest: %w", err)
	}
	alive, died := context.WithCancel(context.Background())
	s.alive = alive
	go func(cmd *exec.Cmd) { // ends with the process, which Stop kills and waits for
		defer died()
		_ = cmd.Wait() // how it ended is in its output
	}(s.cmd)
	return s.await()
}

// await waits until the server answers a linearisable read.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(s.alive, startTimeout)
	defer cancel()
	client, err := clientv3.New(s.Config())
	if err != nil {
		return fmt.Errorf("etcdtest: %w", err)
	}
	defer client.Close()
	if _, err := client.Get(ctx, "ready"); err != nil && ctx.Err() != nil {
		return fmt.Errorf("etcdtest: the server at %s does not serve: %w\n%s", s.Endpoint, err, &s.output)
	}
	return nil // or it says why not, for example that it wants a user
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
