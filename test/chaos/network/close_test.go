package network_test

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/granary-go/granary/test/chaos/network"
)

func TestProcessesDieWithTheNetwork(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		h := host(t, n, "a")
		cmd := exec.Command("sleep", "1000")
		if err := h.Start(cmd); err != nil {
			t.Fatal(err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(cmd.Process.Pid, 0); err != nil {
			t.Fatalf("somebody else has waited for the process: %v", err)
		}
		_ = cmd.Wait()
		if s := cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != syscall.SIGKILL {
			t.Errorf("the process ended with %s", cmd.ProcessState)
		}
		if err := h.Start(exec.Command("true")); err == nil {
			t.Error("started a process on a host that is closed")
		}
		if _, err := n.Host("b"); !errors.Is(err, network.ErrClosed) {
			t.Errorf("a host of a closed network: %v", err)
		}
	})
}

// TestProcessesDieWithTheHarness sees the end of a process by the end of the output that it shares with its parent.
func TestProcessesDieWithTheHarness(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		h := host(t, n, "harness")
		cmd := program(t, h, "harness", n.Mode())
		_, lines := start(t, h, cmd)
		expect(t, lines, "started")
		ended := make(chan error, 1)
		go func() {
			_, err := lines.ReadString('\n')
			ended <- err
		}()
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		case <-time.After(limit):
			t.Error("the process has outlived its harness")
		}
	})
}

// TestNothingIsLeft looks at goroutines, descriptors and namespaces.
func TestNothingIsLeft(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			useNetwork(t, newNetwork(t, mode)) // and what the runtime keeps
			goroutines, files, namespaces := runtime.NumGoroutine(), openFiles(t), threadNamespaces(t)
			for range 3 {
				useNetwork(t, newNetwork(t, mode))
			}
			wait(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
			wait(t, "files to be closed", func() bool { return openFiles(t) <= files })
			wait(t, "threads to leave their namespaces", func() bool { return threadNamespaces(t) <= namespaces })
		})
	}
}

func useNetwork(t *testing.T, n *network.Network) {
	t.Helper()
	a, b := host(t, n, "a"), host(t, n, "b")
	l := listen(t, b)
	go echo(l)
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go echo(server)
	if err := b.Serve(8080, server.Addr().String()); err != nil {
		t.Fatal(err)
	}
	n.Set(a, b, network.Link{Delay: time.Millisecond})
	conn := dial(t, a, l.Addr().String())
	ask(t, conn, "hello")
	_ = conn.Close() // what ends on the closed network is not heard of at the other end
	cmd := exec.Command("sleep", "1000")
	if err := a.Start(cmd); err != nil {
		t.Fatal(err)
	}
	open := dial(t, a, b.Address()+":8080") // which Serve closes
	ask(t, open, "hello")
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	_, _ = l.Close(), server.Close()
	_ = open.Close()
}

func openFiles(t *testing.T) int {
	t.Helper()
	runtime.GC() // io.Copy keeps pipes between sockets until then
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// threadNamespaces counts the network namespaces that this process's threads are in.
func threadNamespaces(t *testing.T) int {
	t.Helper()
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, thread := range threads {
		if name, err := os.Readlink(thread); err == nil {
			found[name] = true
		}
	}
	return len(found)
}
