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
	"testing"
	"time"

	"github.com/granary-go/granary/internal/servertest"
)

const (
	// askTimeout bounds a question to a server: one that accepts connections may not answer yet.
	askTimeout = 2 * time.Second
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
	*servertest.Process

	// Address is where clients reach the server, as host:port. It stays the same when it starts again.
	Address string

	id     int // in an ensemble, from 1; 0 for a server on its own
	folder string
	config string
}

// Start starts a server on its own and waits until it serves. Further settings are lines of zoo.cfg.
func Start(t testing.TB, more ...string) *Server {
	t.Helper()
	s := newServer(t, 0)
	s.config = settings + lines(more)
	if err := servertest.Start(s.Process); err != nil {
		t.Fatal(err)
	}
	return s
}

func newServer(t testing.TB, id int) *Server {
	t.Helper()
	s := &Server{Address: servertest.Address(t), id: id, folder: t.TempDir()}
	s.Process = servertest.New("ZooKeeper at "+s.Address, s.command, func(ctx context.Context) error {
		_, err := s.Mode(ctx)
		return err
	})
	t.Cleanup(s.Stop)
	return s
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

// Change stops the server if it runs, and starts it again with other further settings. It keeps its data.
func (s *Server) Change(t testing.TB, more ...string) {
	t.Helper()
	s.Stop()
	s.config = settings + lines(more)
	s.Restart(t)
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

func (s *Server) command() (*exec.Cmd, error) {
	program, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("%w: run scripts/setup, which installs Debian's openjdk-17-jre-headless", err)
	}
	if _, err := os.Stat(jar); err != nil {
		return nil, fmt.Errorf("%w: run scripts/setup, which installs Debian's libzookeeper-java", err)
	}
	return exec.CommandContext(context.Background(), program,
		"-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=1024", "-Dzookeeper.cnxTimeout=500",
		"-cp", jar, "org.apache.zookeeper.server.quorum.QuorumPeerMain", filepath.Join(s.folder, "zoo.cfg")), s.configure()
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

func lines(more []string) string {
	if len(more) == 0 {
		return ""
	}
	return strings.Join(more, "\n") + "\n"
}
