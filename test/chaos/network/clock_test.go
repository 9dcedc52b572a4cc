package network_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/test/chaos/network"
)

const clocks = "echo $$; exec cat /proc/uptime"

func TestInTime(t *testing.T) {
	n := newNetwork(t, network.Namespaces)
	for _, offset := range []time.Duration{1000 * time.Second, -2 * time.Second} {
		cmd := exec.Command("sh", "-c", clocks)
		if err := network.InTime(cmd, offset); err != nil {
			t.Skip(err)
		}
		_, lines := start(t, host(t, n, "a"), cmd)
		expect(t, lines, strconv.Itoa(cmd.Process.Pid)+"\n")
		line, _ := lines.ReadString('\n')
		there, here := uptime(t, line), machineUptime(t)
		if d := there - here - offset.Seconds(); d < -5 || d > 5 {
			t.Errorf("%s: its clock is at %f, ours at %f", offset, there, here)
		}
	}
}

func machineUptime(t *testing.T) float64 {
	t.Helper()
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	return uptime(t, string(text))
}

func uptime(t *testing.T, text string) float64 {
	t.Helper()
	first, _, _ := strings.Cut(text, " ")
	seconds, err := strconv.ParseFloat(first, 64)
	if err != nil {
		t.Fatal(err)
	}
	return seconds
}

func TestInTimeRefuses(t *testing.T) {
	missing := "no-such-program"
	for name, change := range map[string]struct {
		cmd    *exec.Cmd
		offset time.Duration
		want   string
	}{
		"no program":         {exec.Command(missing), 0, missing},
		"parts of a second":  {exec.Command("true"), time.Millisecond, "whole seconds"},
		"before the machine": {exec.Command("true"), -1e6 * time.Hour, "cannot be had here"},
	} {
		args := len(change.cmd.Args)
		err := network.InTime(change.cmd, change.offset)
		if err == nil || !strings.Contains(err.Error(), change.want) {
			t.Errorf("%s: %v", name, err)
		}
		if len(change.cmd.Args) != args {
			t.Errorf("%s: changed the command to %v", name, change.cmd.Args)
		}
	}
}
