package servertest

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPortThatUDPHas(t *testing.T) {
	t.Parallel()
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := freeForUDP(conn.LocalAddr().(*net.UDPAddr).Port); err == nil {
		t.Error("a port that UDP has is free for it")
	}
}

// No t.Parallel: it sets the environment.
func TestBuilt(t *testing.T) {
	folder := t.TempDir()
	t.Setenv(Variable, folder)
	Need(skipper{t}, "it")
	if _, err := Built("thing"); err == nil || !strings.Contains(err.Error(), "go run ./tools/servers thing") {
		t.Errorf("without the program: %v; want an error that says how to build it", err)
	}
	name := filepath.Join(folder, "thing")
	if err := os.WriteFile(name, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if path, err := Built("thing"); err != nil || path != name {
		t.Errorf("with the program: %q, %v; want %q", path, err, name)
	}
	t.Setenv(Variable, "")
	defer func() {
		if got := recover(); got != "needs it, which `make test-all` builds" {
			t.Errorf("without %s a test skips with %v", Variable, got)
		}
	}()
	Need(skipper{t}, "it")
}

// skipper is a test that panics instead of skipping.
type skipper struct{ testing.TB }

func (skipper) Skipf(format string, args ...any) {
	panic(strings.ReplaceAll(format, "%s", args[0].(string)))
}

func TestPollTriesOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Poll(ctx, func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
	fault := errors.New("fault")
	if err := Poll(ctx, func(context.Context) error { return fault }); !errors.Is(err, fault) || !errors.Is(err, context.Canceled) {
		t.Errorf("Poll: %v; want the fault, and why it ended", err)
	}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
