package k8stest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

const (
	// Variable names the folder that has the programs which `make test-all` builds.
	Variable = "GRANARY_TEST_SERVERS"
	// Skipped is what a test says that is skipped because they were not built.
	Skipped = "needs kube-apiserver, which `make test-all` builds"
	// startTimeout bounds how long the servers may take until they serve: 3 s on an idle machine.
	startTimeout = 2 * time.Minute
	pollPause    = 50 * time.Millisecond
)

// Server is an API server with its etcd. Its methods that start and stop something are called by one goroutine at a time.
type Server struct {
	// Host is where the API server is reached, as https://127.0.0.1:port. It stays the same when it starts again.
	Host string

	folder, etcdURL string
	etcd, api       *program
	http            *http.Client // of the administrator
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
	if os.Getenv(Variable) == "" {
		t.Skip(Skipped)
	}
}

// find gives the path of a program that make test-all builds.
func find(name string) (string, error) {
	path, err := exec.LookPath(filepath.Join(os.Getenv(Variable), name))
	if err != nil {
		return "", fmt.Errorf("k8stest: %s is set, and its program is not there: %w: run make test-all, which builds it", Variable, err)
	}
	return path, nil
}

func start(folder string) (*Server, error) {
	s := &Server{folder: folder}
	if err := s.writeFiles(); err != nil {
		return nil, err
	}
	var err error
	for range 5 { // somebody else may take a free port before the servers do
		if err = s.startBoth(); err == nil {
			return s, nil
		}
		s.close()
		if errClean := os.RemoveAll(filepath.Join(folder, "etcd")); errClean != nil {
			return nil, errClean
		}
	}
	return nil, err
}

func (s *Server) startBoth() error {
	var addresses [3]string
	for i := range addresses {
		var err error
		if addresses[i], err = freeAddress(); err != nil {
			return err
		}
	}
	s.etcdURL, s.Host = "http://"+addresses[0], "https://"+addresses[2]
	var err error
	if s.http, err = rest.HTTPClientFor(s.Config()); err != nil {
		return err
	}
	etcd, err := find("etcd")
	if err != nil {
		if etcd, err = exec.LookPath("etcd"); err != nil {
			return fmt.Errorf("k8stest: %w: run scripts/setup, which installs Debian's etcd-server", err)
		}
	}
	peer := "http://" + addresses[1]
	s.etcd, err = run(etcd,
		"--name", "test", "--data-dir", filepath.Join(s.folder, "etcd"),
		"--listen-client-urls", s.etcdURL, "--advertise-client-urls", s.etcdURL,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "test="+peer,
		"--unsafe-no-fsync", // a machine that crashes takes the test with it
		"--logger", "zap", "--log-outputs", "stderr", "--log-level", "warn")
	if err != nil {
		return err
	}
	return s.startAPI()
}

// startAPI starts the API server on the etcd, and waits until it serves.
func (s *Server) startAPI() error {
	path, err := find("kube-apiserver")
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.Host, "https://"))
	if err != nil {
		return err
	}
	key := filepath.Join(s.folder, accountKeyFile)
	s.api, err = run(path,
		"--etcd-servers="+s.etcdURL, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port="+port,
		"--cert-dir="+s.folder, "--tls-cert-file="+filepath.Join(s.folder, certificateFile), "--tls-private-key-file="+filepath.Join(s.folder, keyFile),
		"--authorization-mode=RBAC", "--token-auth-file="+filepath.Join(s.folder, tokensFile),
		"--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24",
		"--service-account-issuer=https://granary.test", "--service-account-key-file="+key, "--service-account-signing-key-file="+key,
		"--profiling=false", "--v=0")
	if err != nil {
		return err
	}
	return s.await()
}

// await waits until the API server says that it is ready.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(s.api.alive, startTimeout)
	defer cancel()
	tick := time.NewTicker(pollPause)
	defer tick.Stop()
	err := errors.New("not asked")
	for ctx.Err() == nil {
		if err = s.ask(ctx, http.MethodGet, "/readyz", "", nil, nil); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return fmt.Errorf("k8stest: the API server at %s does not serve: %w\n%s\n%s", s.Host, err, s.api, s.etcd)
}

// Stop kills the API server, as a crash does. What it had acknowledged it still has after Start.
func (s *Server) Stop() { s.api.kill() }

// Start starts the API server again after Stop, at its address, and waits until it serves.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.api.kill()
	if err := s.startAPI(); err != nil {
		t.Fatal(err)
	}
}

// Pause stops the API server where it is (SIGSTOP): connections stay up and nobody answers.
func (s *Server) Pause(t testing.TB) { s.api.signal(t, syscall.SIGSTOP) }

// Resume lets a paused API server go on.
func (s *Server) Resume(t testing.TB) { s.api.signal(t, syscall.SIGCONT) }

func (s *Server) close() {
	s.api.kill()
	s.etcd.kill()
	if s.http != nil {
		s.http.CloseIdleConnections()
	}
}

// program is a process.
type program struct {
	cmd    *exec.Cmd
	output buffer
	alive  context.Context // ends with the process
}

func run(path string, arguments ...string) (*program, error) {
	alive, died := context.WithCancel(context.Background())
	p := &program{cmd: exec.CommandContext(context.Background(), path, arguments...), alive: alive}
	p.cmd.Env = append(os.Environ(), "ETCD_UNSUPPORTED_ARCH=arm64") // needed there, ignored elsewhere
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.SysProcAttr = attributes()
	if err := p.cmd.Start(); err != nil {
		died()
		return nil, fmt.Errorf("k8stest: %w", err)
	}
	go func() { // ends with the process, which kill kills and waits for
		defer died()
		_ = p.cmd.Wait() // how it ended is in its output
	}()
	return p, nil
}

func (p *program) kill() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.alive.Done()
}

func (p *program) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("k8stest: %v: %v\n%s", sig, err, p)
	}
}

// String is the end of what the process has printed.
func (p *program) String() string {
	if p == nil {
		return "not started"
	}
	return filepath.Base(p.cmd.Path) + ": " + p.output.String()
}

func freeAddress() (string, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// keptOutput is how much of a program's output is kept, in bytes.
const keptOutput = 16 << 10

// buffer keeps the end of what a program prints.
type buffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.text.Write(p)
	if surplus := b.text.Len() - keptOutput; surplus > keptOutput {
		b.text.Next(surplus)
	}
	return n, err
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.text.Bytes()
	return string(text[max(0, len(text)-keptOutput):])
}
