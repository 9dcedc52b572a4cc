//go:build linux

package remote

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
)

// exhaust takes every file descriptor that the process may have, and returns how they are given back.
func exhaust(t *testing.T) (restore func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = 256
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return func() {
		for _, f := range files {
			_ = f.Close() // it was only read, and not even that
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Fatal(err)
		}
	}
}

// Without a file descriptor left, what is connected goes on; who wants to connect is told, and both sides recover.
func TestNoFileDescriptorLeft(t *testing.T) {
	a, b := startProcess(t, Configure("127.0.0.1", 0)), startProcess(t, Configure("127.0.0.1", 0))
	c := startProcess(t, Configure("127.0.0.1", 0, WithDialTimeout(time.Second)))
	a.mustAsk(b.echo("echo"), "connects")
	restore := exhaust(t)
	a.mustAsk(b.at("echo"), "the connection goes on")
	a.wantDeadLetter(c.at("echo"), text("x"), "too many open files")
	c.wantDeadLetter(a.at("echo"), text("x"), "too many open files")
	restore()
	c.echo("echo")
	timeout := time.After(30 * time.Second)
	again := time.NewTicker(DefaultBackoffMin)
	defer again.Stop()
	for {
		_, err := a.ask(c.at("echo"), "recovers")
		if err == nil {
			break
		}
		if _, dead := errors.AsType[*actor.DeadLetterError](err); !dead {
			t.Fatal(err)
		}
		select {
		case <-again.C: // the pause after an attempt that failed
		case <-timeout:
			t.Fatalf("does not recover: %v", err)
		}
	}
}
