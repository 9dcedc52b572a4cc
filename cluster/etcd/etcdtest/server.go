package etcdtest

import (
	"context"
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/granary-go/granary/internal/servertest"
)

// Server is one etcd server. It ends with its test. Its methods are called by one goroutine at a time.
type Server struct {
	*servertest.Process

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
}

// Start starts a server of the version [Oldest] and waits until it serves. Further flags are those of the etcd program.
// The least lease time that it grants is a second.
func Start(t testing.TB, flags ...string) *Server {
	t.Helper()
	return Oldest.Start(t, flags...)
}

// Data is the folder with what the server keeps, for tests that copy it while the server is stopped.
func (s *Server) Data() string { return filepath.Join(s.folder, "data") }

// Config is a configuration for a client of this server, without logs.
func (s *Server) Config() clientv3.Config { return clientConfig(s.Endpoint, s.clients) }

// Client connects to the server. The client is closed when the test ends.
func (s *Server) Client(t testing.TB) *clientv3.Client {
	t.Helper()
	return newClient(t, s.Config())
}

func (s *Server) command() (*exec.Cmd, error) {
	args := []string{
		"--name", s.name, "--data-dir", s.Data(),
		"--listen-client-urls", s.Endpoint, "--advertise-client-urls", s.Endpoint,
		"--listen-peer-urls", s.peer, "--initial-advertise-peer-urls", s.peer, "--initial-cluster", s.cluster,
		"--logger", "zap", "--log-outputs", "stderr", "--log-level", "warn",
	}
	if s.Version != Oldest {
		args = append(args, "--unsafe-no-fsync") // a killed process loses nothing by it
	}
	cmd := exec.CommandContext(context.Background(), s.program, append(args, s.flags...)...)
	cmd.Env = append(os.Environ(), "ETCD_UNSUPPORTED_ARCH=arm64") // needed there, ignored elsewhere
	return cmd, nil
}

// serves waits until the server answers a linearisable read.
func (s *Server) serves(ctx context.Context) error {
	client, err := clientv3.New(s.Config())
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := client.Get(ctx, "ready"); err != nil && ctx.Err() != nil {
		return err
	}
	return nil // or it says why not, for example that it wants a user
}
