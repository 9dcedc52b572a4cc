package k8stest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/granary-go/granary/internal/servertest"
)

// Server is an API server with its etcd. Its methods that start and stop something are called by one goroutine at a time.
type Server struct {
	// Host is where the API server is reached, as https://127.0.0.1:port. It stays the same when it starts again.
	Host string

	folder, etcdURL, peerURL string
	release                  []func() // gives its ports back
	etcd, api                *servertest.Process
	http                     *http.Client // of the administrator
}

// Start starts a server for a test, and waits until it serves. It ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	Needed(t)
	s, err := start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// shared is the server of the test program; Main stops it.
var shared struct {
	sync.Mutex // guards the fields below

	server *Server
	err    error
}

// Shared gives the server that all tests of the program have in common, and starts it for the first. Each test takes a
// namespace of its own.
func Shared(t testing.TB) *Server {
	t.Helper()
	Needed(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		var folder string
		if folder, shared.err = os.MkdirTemp("", "k8stest-"); shared.err == nil { //nolint:usetesting // it outlives the test
			shared.server, shared.err = start(folder)
		}
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// Main runs the tests of a program, and stops the server that they shared.
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.close()
		if err := os.RemoveAll(shared.server.folder); err != nil {
			fmt.Fprintln(os.Stderr, "k8stest:", err)
			return max(code, 1)
		}
	}
	return code
}

// Needed skips a test where the servers were not built, as [Start] and [Shared] do.
func Needed(t testing.TB) {
	t.Helper()
	servertest.Need(t, "kube-apiserver")
}

func start(folder string) (*Server, error) {
	s := &Server{folder: folder}
	if err := s.prepare(); err != nil {
		s.close()
		return nil, err
	}
	for _, p := range []*servertest.Process{s.etcd, s.api} {
		if err := servertest.Start(p); err != nil {
			s.close()
			return nil, fmt.Errorf("%w\n%s", err, s.etcd.Output())
		}
	}
	return s, nil
}

// prepare makes all that the servers need, and does not start them.
func (s *Server) prepare() error {
	var ports [3]int
	for i := range ports {
		port, release, err := servertest.Reserve()
		if err != nil {
			return err
		}
		ports[i], s.release = port, append(s.release, release)
	}
	s.etcdURL, s.peerURL = "http://"+servertest.At(ports[0]), "http://"+servertest.At(ports[1])
	s.Host = "https://" + servertest.At(ports[2])
	s.etcd = servertest.New("etcd at "+s.etcdURL, s.etcdCommand, s.etcdServes)
	s.api = servertest.New("the API server at "+s.Host, s.apiCommand, func(ctx context.Context) error {
		return s.ask(ctx, http.MethodGet, "/readyz", "", nil, nil)
	})
	var err error
	if s.http, err = rest.HTTPClientFor(s.Config()); err != nil {
		return err
	}
	return s.writeFiles()
}

func (s *Server) etcdCommand() (*exec.Cmd, error) {
	path, err := servertest.Built("etcd")
	if err != nil {
		if path, err = exec.LookPath("etcd"); err != nil {
			return nil, fmt.Errorf("%w: run scripts/setup, which installs Debian's etcd-server", err)
		}
	}
	cmd := exec.CommandContext(context.Background(), path,
		"--name", "test", "--data-dir", filepath.Join(s.folder, "etcd"),
		"--listen-client-urls", s.etcdURL, "--advertise-client-urls", s.etcdURL,
		"--listen-peer-urls", s.peerURL, "--initial-advertise-peer-urls", s.peerURL, "--initial-cluster", "test="+s.peerURL,
		"--unsafe-no-fsync", // a machine that crashes takes the test with it
		"--logger", "zap", "--log-outputs", "stderr", "--log-level", "warn")
	cmd.Env = append(os.Environ(), "ETCD_UNSUPPORTED_ARCH=arm64") // needed there, ignored elsewhere
	return cmd, nil
}

// etcdServes asks the etcd for its health.
func (s *Server) etcdServes(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.etcdURL+"/health", nil)
	if err != nil {
		return err
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", answer.Status)
	}
	return nil
}

func (s *Server) apiCommand() (*exec.Cmd, error) {
	path, err := servertest.Built("kube-apiserver")
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.Host, "https://"))
	if err != nil {
		return nil, err
	}
	key := filepath.Join(s.folder, accountKeyFile)
	return exec.CommandContext(context.Background(), path,
		"--etcd-servers="+s.etcdURL, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port="+port,
		"--cert-dir="+s.folder, "--tls-cert-file="+filepath.Join(s.folder, certificateFile), "--tls-private-key-file="+filepath.Join(s.folder, keyFile),
		"--authorization-mode=RBAC", "--token-auth-file="+filepath.Join(s.folder, tokensFile),
		"--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24",
		"--service-account-issuer=https://granary.test", "--service-account-key-file="+key, "--service-account-signing-key-file="+key,
		"--profiling=false", "--v=0"), nil
}

// Stop kills the API server, as a crash does. What it had acknowledged it still has after Start.
func (s *Server) Stop() { s.api.Stop() }

// Start starts the API server again after Stop, at its address, and waits until it serves.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.api.Restart(t)
}

// Pause stops the API server where it is (SIGSTOP): connections stay up and nobody answers.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.api.Pause(t)
}

// Resume lets a paused API server go on.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.api.Resume(t)
}

func (s *Server) close() {
	for _, p := range []*servertest.Process{s.api, s.etcd} {
		if p != nil {
			p.Stop()
		}
	}
	if s.http != nil {
		s.http.CloseIdleConnections()
	}
	for _, release := range s.release {
		release()
	}
}
