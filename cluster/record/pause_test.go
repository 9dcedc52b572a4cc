//go:build unix

package record_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
)

// pausedEnv makes a process of this test the one that is stopped.
const pausedEnv = "RECORD_TEST_PAUSED"

// TestAPausedProcess stops a member for three lease times. What it sees first
// when it goes on is that its lease has ended.
func TestAPausedProcess(t *testing.T) {
	if os.Getenv(pausedEnv) != "" {
		beStopped(t)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestAPausedProcess$")
	command.Env = append(os.Environ(), pausedEnv+"=1")
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	expect := func(want string) {
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("the member says %q, want %q", lines.Text(), want)
		}
	}
	expect("valid true")
	if err := command.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Error(err)
	}
	<-time.After(3 * record.MinTTL)
	if err := command.Process.Signal(syscall.SIGCONT); err != nil {
		t.Error(err)
	}
	expect("after a pause valid false, phase fenced")
	for lines.Scan() {
		if lines.Text() == "FAIL" {
			t.Error("the member failed")
		}
	}
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
}

// beStopped looks at its lease all the time, and says what it sees first after
// a pause.
func beStopped(t *testing.T) {
	s := clustertest.NewRecordStore()
	p := record.New(s.Open, record.WithTTL(record.MinTTL)) // on the clock that production uses
	session, err := p.Join(t.Context(), driver.Request{Cluster: "c", Member: member(0), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	lease := session.Lease()
	last := time.Now() // before the other process knows whom to stop
	fmt.Fprintln(os.Stdout, "valid", lease.Valid())
	for {
		now := time.Now()
		if now.Sub(last) > 2*record.MinTTL {
			fmt.Fprintf(os.Stdout, "after a pause valid %v, phase %v\n", lease.Valid(), lease.Phase())
			break
		}
		last = now
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
}
