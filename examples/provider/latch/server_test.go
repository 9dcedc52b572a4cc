package latch

import (
	"bufio"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// server is the service as a process of a test.
type server struct {
	program, address, file string
	process                *exec.Cmd
}

// startServer starts the service at a free address. It ends with the test.
func startServer(t testing.TB, program string) *server {
	s := &server{program: program, address: "127.0.0.1:0", file: filepath.Join(t.TempDir(), "keys")}
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

// start starts it, with what it has kept, and returns when it listens.
func (s *server) start(t testing.TB) {
	s.process = exec.Command(s.program, "-listen", s.address, "-file", s.file)
	s.process.Stderr = os.Stderr
	stdout, err := s.process.StdoutPipe()
	if err = errors.Join(err, s.process.Start()); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("latchd ends before it listens: %v", err)
	}
	s.address = strings.TrimSpace(strings.TrimPrefix(line, "listening at "))
}

// kill ends it as a crash does.
func (s *server) kill() {
	_ = s.process.Process.Kill() // it may have ended
	_ = s.process.Wait()
}

// empty makes it forget everything.
func (s *server) empty(t testing.TB) {
	all := client{http.DefaultClient, "http://" + s.address + "/v1/"}
	if err := all.call(t.Context(), http.MethodDelete, "", "", nil, new(struct{})); err != nil {
		t.Fatal(err)
	}
}
