package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/granary-go/granary/test/process"
)

// Main runs the tests; or, in a process that [Start] has started, plays the role that it was given, and ends the
// process with status 1 when that fails.
func Main[R any](m *testing.M, variable string, play func(R) error) {
	text, ok := os.LookupEnv(variable)
	if !ok {
		os.Exit(m.Run())
	}
	var role R
	err := json.Unmarshal([]byte(text), &role)
	if err == nil {
		err = play(role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAILED:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Start starts the test's own program as a process that plays a role. What it prints goes to the notes. It inherits
// files, the first as descriptor 3, and is killed when the test ends.
func Start(t *testing.T, notes *Notes, name, variable string, role any, files ...*os.File) (*process.Process, error) {
	text, err := json.Marshal(role)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(t.Context(), program)
	// A program with the race detector waits for a second when it ends, which is not the time that a leave takes.
	cmd.Env = append(os.Environ(), variable+"="+string(text), "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
	cmd.ExtraFiles = files
	p, err := process.Start(name, cmd, func(l process.Line) { notes.Add(name, l.Text) })
	if err == nil {
		t.Cleanup(p.Kill)
	}
	return p, err
}

// Listen opens a free port of this machine.
func Listen(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Inherited gives the listener that the test opened for this process and handed on as descriptor 3, so that nobody can
// take its port in between. Who asks a second time, as a member that joins again does, opens the port by itself.
func Inherited() func(context.Context, string) (net.Listener, error) {
	file := os.NewFile(3, "listener")
	return func(ctx context.Context, address string) (net.Listener, error) {
		if file == nil {
			return new(net.ListenConfig).Listen(ctx, "tcp", address)
		}
		defer func() { _, file = file.Close(), nil }()
		return net.FileListener(file)
	}
}
