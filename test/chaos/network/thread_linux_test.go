package network_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/granary-go/granary/test/chaos/network"
)

// TestThreadsGoHome shows that a thread outlives its host, where it was before: whatever it has started there goes on.
func TestThreadsGoHome(t *testing.T) {
	n, err := network.New()
	if err != nil {
		t.Fatal(err)
	}
	outside, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := host(t, n, "a").Run(cmd.Start); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid)); err != nil || strings.Contains(string(stat), ") Z ") {
		t.Errorf("what a thread has started has ended with its host: %s, %v", stat, err)
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		if at, err := os.Readlink("/proc/self/task/" + thread.Name() + "/ns/net"); err == nil && at != outside {
			t.Errorf("the thread %s is in %s and not in %s", thread.Name(), at, outside)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
}
