package zktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// startTimeout bounds how long a server may take until it serves. It takes half a second on an idle machine.
	startTimeout = 90 * time.Second
	// askTimeout bounds a question to a server: one that accepts connections may not answer yet.
	askTimeout = 2 * time.Second
	// retry is the pause between two questions.
	retry = 50 * time.Millisecond
	// jar is where Debian's libzookeeper-java is.
	jar = "/usr/share/java/zookeeper.jar"
)

// TickTime is that of the servers. Sessions last from two to 300 of them.
const TickTime = 200 * time.Millisecond

// settings are those of all servers. Writes need not survive a crash of the machine.
const settings = `tickTime=200
minSessionTimeout=400
maxSessionTimeout=60000
maxClientCnxns=0
admin.enableServer=false
4lw.commands.whitelist=srvr
initLimit=20
syncLimit=10
`

// Server is one ZooKeeper server. It ends with its test. Its methods are called by one goroutine at a time.
type Server struct {
	// Address is where clients reach the server, as host:port. It stays the same when it starts again.
	Address string

	id     int // in an ensemble, from 1; 0 for a server on its own
	folder string
	config string
	output buffer
	cmd    *exec.Cmd
	alive  context.Context // ends with the process
}

// Start starts a server on its own and waits until it serves. Further settings are lines of zoo.cfg.
func Start(t testing.TB, more ...string) *Server {
	t.Helper()
	var err error
	for range 5 { // somebody else may take a free port before the server does
		s := &Server{Address: freeAddress(t), folder: t.TempDir(), config: settings + lines(more)}
		t.Cleanup(s.Stop)
		if err = s.start(); err == nil {
			if err = s.await(); err == nil {
				return s
			}
		}
		s.Stop()
	}
	t.Fatal(err)
	return nil
}

// Stop kills the server, as a crash does. What it had acknowledged it still has after Restart.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended by itself
	<-s.alive.Done()
	s.cmd = nil
}

// Restart stops the server if it runs, starts it again on its data and its ports, and waits until it serves.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop()
	err := s.start()
	if err == nil {
		err = s.await()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Empty stops the server if it runs, deletes its data, and starts it again: it knows no node and no session.
func (s *Server) Empty(t testing.TB) {
	t.Helper()
	s.Stop()
	if err := os.RemoveAll(s.data()); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
}

// Pause stops the process where it is (SIGSTOP): connections stay up and nobody answers.
func (s *Server) Pause(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (s *Server) Resume(t testing.TB) { s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("zktest: %v to the server: %v\n%s", sig, err, &s.output)
	}
}

// Mode asks the server what it is: "standalone", "leader" or "follower". It fails while the server does not serve.
func (s *Server) Mode(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte("srvr")); err != nil {
		return "", err
	}
	var answer bytes.Buffer
	_, err = answer.ReadFrom(conn)
	for line := range strings.Lines(answer.String()) {
		if mode, ok := strings.CutPrefix(line, "Mode: "); ok {
			return strings.TrimSpace(mode), nil
		}
	}
	return "", errors.Join(fmt.Errorf("the server at %s does not serve: %q", s.Address, &answer), err)
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

// start starts the process, which may not serve yet.
func (s *Server) start() error {
	program, err := exec.LookPath("java")
	if err != nil {
		return fmt.Errorf("zktest: %w: run scripts/setup, which installs Debian's openjdk-17-jre-headless", err)
	}
	if _, err := os.Stat(jar); err != nil {
		return fmt.Errorf("zktest: %w: run scripts/setup, which installs Debian's libzookeeper-java", err)
	}
	if err := s.configure(); err != nil {
		return fmt.Errorf("zktest: %w", err)
	}
	s.cmd = exec.CommandContext(context.Background(), program,
		"-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=1024", "-Dzookeeper.cnxTimeout=500",
		"-cp", jar, "org.apache.zookeeper.server.quorum.QuorumPeerMain", filepath.Join(s.folder, "zoo.cfg"))
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return fmt.Errorf("zktest: %w", err)
	}
	alive, died := context.WithCancel(context.Background())
	s.alive = alive
	go func(cmd *exec.Cmd) { // ends with the process, which Stop kills and waits for
		defer died()
		_ = cmd.Wait() // how it ended is in its output
	}(s.cmd)
	return nil
}

// configure writes the files that the server reads.
func (s *Server) configure() error {
	if err := os.MkdirAll(s.data(), 0o700); err != nil {
		return err
	}
	if s.id != 0 {
		if err := os.WriteFile(filepath.Join(s.data(), "myid"), fmt.Appendln(nil, s.id), 0o600); err != nil {
			return err
		}
	}
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%sdataDir=%s\nclientPort=%s\nclientPortAddress=%s\n", s.config, s.data(), port, host)
	return os.WriteFile(filepath.Join(s.folder, "zoo.cfg"), []byte(text), 0o600)
}

// await waits until the server serves.
func (s *Server) await() (err error) {
	ctx, cancel := context.WithTimeout(s.alive, startTimeout)
	defer cancel()
	for ctx.Err() == nil {
		if _, err = s.Mode(ctx); err == nil {
			return nil
		}
		pause(ctx)
	}
	return fmt.Errorf("zktest: %w\n%s", err, &s.output)
}

// pause waits a little, at most until the context is done.
func pause(ctx context.Context) {
	timer := time.NewTimer(retry)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func lines(more []string) string {
	if len(more) == 0 {
		return ""
	}
	return strings.Join(more, "\n") + "\n"
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
