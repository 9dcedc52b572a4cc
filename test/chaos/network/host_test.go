package network_test

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/granary-go/granary/test/chaos/network"
)

func TestRunRunsOnTheHost(t *testing.T) {
	n := newNetwork(t, network.Namespaces)
	seen := map[string]string{}
	for _, name := range []string{"a", "b", "a"} {
		h := host(t, n, name)
		err := h.Run(func() error {
			namespace, err := os.Readlink("/proc/thread-self/ns/net")
			if other := seen[name]; other != "" && other != namespace {
				t.Errorf("%s was in %s and is in %s", name, other, namespace)
			}
			seen[name] = namespace
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil || ours == seen["a"] || ours == seen["b"] || seen["a"] == seen["b"] {
		t.Errorf("%v, and this process is in %s, %v", seen, ours, err)
	}
}

func TestRunGivesErrorsBack(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		h := host(t, n, "a")
		if err := h.Run(func() error { return io.EOF }); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		ended := h.Run(func() error { runtime.Goexit(); return nil })
		if ended == nil || !strings.Contains(ended.Error(), "runtime.Goexit") {
			t.Error(ended)
		}
		if err := h.Run(func() error { return nil }); err == nil {
			t.Error("ran on a thread that has ended")
		}
	})
}

func TestDialFails(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a, b := host(t, n, "a"), host(t, n, "b")
		for name, address := range map[string]string{"a name": "localhost:80", "no port": b.Address()} {
			if _, err := a.Dial(t.Context(), address); err == nil || !strings.Contains(err.Error(), "IP address and a port") {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, address := range map[string]string{"b": b.Address() + ":9", "itself": a.Address() + ":9"} {
			if _, err := a.Dial(t.Context(), address); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("dial %s, where nobody listens: %v", name, err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		nowhere := strings.TrimSuffix(b.Address(), "2") + "200:80"
		if _, err := a.Dial(ctx, nowhere); err == nil {
			t.Errorf("connected to %s", nowhere)
		}
		if n.Counts().Unknown == 0 {
			t.Error("nothing was counted that went to no host")
		}
	})
}

func TestHostsAreNamedOnce(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a := host(t, n, "a")
		if host(t, n, "a") != a || a.Name() != "a" {
			t.Error("two hosts of one name")
		}
		if host(t, n, "b").Address() == a.Address() {
			t.Error("two hosts of one address")
		}
		if _, err := n.Host(""); err == nil {
			t.Error("a host without a name")
		}
	})
}

// TestNetworksStandSideBySide makes the same hosts in two of them, which do not see each other.
func TestNetworksStandSideBySide(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			one, other := newNetwork(t, mode), newNetwork(t, mode)
			for _, n := range []*network.Network{one, other} {
				a, b := host(t, n, "a"), host(t, n, "b")
				if err := b.Serve(4000, "127.0.0.1:1"); err != nil {
					t.Fatal(err)
				}
				if conn, err := a.Dial(t.Context(), b.Address()+":4000"); err == nil {
					_ = conn.Close()
				}
				if n.LinkCounts(a, b).Passed == 0 && mode == network.Namespaces {
					t.Error("nothing has passed")
				}
			}
			defer func() {
				if recover() == nil {
					t.Error("one network has set a link of another")
				}
			}()
			one.Set(host(t, other, "a"), host(t, other, "b"), network.Link{})
		})
	}
}

func TestThereIsABoundOnHosts(t *testing.T) {
	n := newNetwork(t, network.Proxies)
	for i := range 250 {
		host(t, n, strconv.Itoa(i))
	}
	if _, err := n.Host("one more"); err == nil {
		t.Error("made one host more than there are addresses")
	}
}

func TestNewRefuses(t *testing.T) {
	for want, opt := range map[string]network.Option{
		"no mode":  network.WithMode("telepathy"),
		"an MTU":   network.WithMTU(10),
		"a queue":  network.WithQueue(10),
		"an MTU o": network.WithMTU(1 << 20),
	} {
		n, err := network.New(opt)
		if err == nil || !strings.HasPrefix(err.Error(), "network: "+want) {
			t.Errorf("want %q: %v", want, err)
		}
		if n != nil {
			_ = n.Close()
		}
	}
}

// TestWithoutRights runs a program as nobody, which gets proxies and is told why.
func TestWithoutRights(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become nobody")
	}
	n := newNetwork(t, network.Proxies)
	h := host(t, n, "a")
	cmd := program(t, h, "mode")
	folder := t.TempDir() // nobody may not run what is in go test's
	for _, open := range []string{folder, folder + "/.."} {
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(cmd.Path)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path = folder + "/program"
	if err := os.WriteFile(cmd.Path, text, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Dir = "/"
	out, err := cmd.Output()
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("this root may not become nobody: %v", err)
	}
	if want := "proxies make a network namespace: operation not permitted"; err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("printed %q, %v; want %q", out, err, want)
	}
}

// TestPlaceWithoutANetwork listens and dials as package net does.
func TestPlaceWithoutANetwork(t *testing.T) {
	here := network.Here()
	if here != (network.Place{}) {
		t.Errorf("this test is at %+v", here)
	}
	l, err := here.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	conn, err := here.Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

func TestAddressesOfConnections(t *testing.T) {
	eachMode(t, func(t *testing.T, n *network.Network) {
		a, b := host(t, n, "a"), host(t, n, "b")
		l := listen(t, b)
		go echo(l)
		conn := dial(t, a, l.Addr().String())
		if from, to := conn.LocalAddr().String(), conn.RemoteAddr().String(); !strings.HasPrefix(from, a.Address()+":") || to != l.Addr().String() {
			t.Errorf("from %s to %s", from, to)
		}
	})
}
