package pingpong_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/granary-go/granary/internal/exampletest"
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

// The two programs do as the README says.
func TestPingPong(t *testing.T) {
	ports := freePorts(t, 3)
	members := fmt.Sprintf("-members=127.0.0.1:%d", ports[1])
	member := exampletest.Start(t, exampletest.Build(t, "./member"), members,
		fmt.Sprintf("-port=%d", ports[0]), fmt.Sprintf("-membership-port=%d", ports[1]))
	member.Until("is ready")

	client := exampletest.Start(t, exampletest.Build(t, "./client"), members,
		fmt.Sprintf("-membership-port=%d", ports[2]), "-every=10ms", "-pings=3")
	exampletest.Compare(t, exampletest.Shown(t, 1), client.Wait())

	member.Terminate()
	exampletest.Compare(t, exampletest.Shown(t, 0), member.Wait())
}

func TestBadFlags(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), exampletest.Build(t, "./client"), "-every=0s").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "-every must be more than zero") {
		t.Errorf("%v\n%s", err, out)
	}
}
