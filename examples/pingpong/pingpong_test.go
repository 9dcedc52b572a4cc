package pingpong_test

import (
	"bufio"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/granary-go/granary/internal/servertest"
)

// freePorts reserves ports for the length of the test.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		ports[i] = servertest.Port(t)
	}
	return ports
}

// build compiles one of the two programs.
func build(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// member is a running member program.
type member struct {
	cmd *exec.Cmd
	log *bufio.Scanner
}

// waitFor reads the member's log up to a line that holds a text.
func (m member) waitFor(t *testing.T, text string) {
	t.Helper()
	var lines []string
	for m.log.Scan() {
		lines = append(lines, m.log.Text())
		if strings.Contains(m.log.Text(), text) {
			return
		}
	}
	t.Fatalf("the member ended without %q:\n%s", text, strings.Join(lines, "\n"))
}

func startMember(t *testing.T, program string, args ...string) member {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return member{cmd: cmd, log: bufio.NewScanner(stderr)}
}

// The two programs do as the README says.
func TestPingPong(t *testing.T) {
	ports := freePorts(t, 3)
	members := fmt.Sprintf("-members=127.0.0.1:%d", ports[1])
	m := startMember(t, build(t, "member"), members,
		fmt.Sprintf("-port=%d", ports[0]), fmt.Sprintf("-membership-port=%d", ports[1]))
	m.waitFor(t, "member is ready")

	out, err := exec.CommandContext(t.Context(), build(t, "client"), members,
		fmt.Sprintf("-membership-port=%d", ports[2]), "-every=10ms", "-pings=3").CombinedOutput()
	if err != nil {
		t.Errorf("client: %v", err)
	}
	for count := 1; count <= 3; count++ {
		want := fmt.Sprintf("pong %d: the grain on 127.0.0.1:%d has answered %d\n", count, ports[0], count)
		if !strings.Contains(string(out), want) {
			t.Errorf("the client does not say %q:\n%s", want, out)
		}
	}

	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.waitFor(t, "ponger stops")
	for m.log.Scan() { // to its end, as Wait wants it
	}
	if err := m.cmd.Wait(); err != nil {
		t.Errorf("member: %v", err)
	}
}

func TestBadFlags(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), build(t, "client"), "-every=0s").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "-every must be more than zero") {
		t.Errorf("%v\n%s", err, out)
	}
}
