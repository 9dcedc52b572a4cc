package redistest

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/granary-go/granary/internal/servertest"
)

// Server is one Redis server. It ends with its test. Its methods are called by one goroutine at a time.
type Server struct {
	*servertest.Process

	// Address is where clients reach the server, as host:port. It stays the same when it starts again.
	Address string
}

// Start starts a server and waits until it serves. Further flags are those of the redis-server program, for example
// --appendonly yes. Without them what it has is lost when it stops.
func Start(t testing.TB, flags ...string) *Server {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("redistest: %v: Debian's package redis-server has it", err)
	}
	s := &Server{Address: servertest.Address(t)}
	arguments := append([]string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(portOf(s.Address)), "--dir", t.TempDir(), "--save", "", "--daemonize", "no",
		"--protected-mode", "no",
	}, flags...)
	s.Process = servertest.New("redis at "+s.Address, func() (*exec.Cmd, error) {
		return exec.CommandContext(context.Background(), program, arguments...), nil
	}, s.serves)
	t.Cleanup(s.Stop)
	if err := servertest.Start(s.Process); err != nil {
		t.Fatal(err)
	}
	return s
}

// serves asks the server whether it answers, if only that it wants a password.
func (s *Server) serves(ctx context.Context) error {
	client := redis.NewClient(&redis.Options{Addr: s.Address, MaxRetries: -1, ContextTimeoutEnabled: true})
	defer client.Close()
	if err := client.Ping(ctx).Err(); !redis.HasErrorPrefix(err, "NOAUTH") {
		return err
	}
	return nil
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

// portOf is the port of an address that this package has made.
func portOf(address string) int {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	return n
}
