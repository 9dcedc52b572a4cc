package latch

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
	"github.com/granary-go/granary/cluster/record"
)

// TestConformance runs the whole kit against the real service.
func TestConformance(t *testing.T) {
	program := filepath.Join(t.TempDir(), "latchd")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../latchd").CombinedOutput(); err != nil {
		t.Fatalf("building latchd: %v\n%s", err, out)
	}
	t.Run("record stores", func(t *testing.T) { testRecordStores(t, program) })
	t.Run("fenced stores", func(t *testing.T) { testFencedStores(t, program) })
	t.Run("providers", func(t *testing.T) { testProviders(t, program) })
}

func testRecordStores(t *testing.T, program string) {
	t.Parallel()
	server := startServer(t, program)
	drivertest.RecordStores(t, drivertest.RecordService{
		TTL: time.Second,
		Open: func(_ context.Context, cluster string) (driver.RecordStore, error) {
			return &store{client: connect(server.address, "cluster "+cluster)}, nil
		},
	})
}

func testFencedStores(t *testing.T, program string) {
	t.Parallel()
	server := startServer(t, program)
	drivertest.FencedStores(t, func(t *testing.T) driver.FencedStore {
		s := NewFencedStore(server.address, "test")
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}

func testProviders(t *testing.T, program string) {
	t.Parallel()
	drivertest.Providers(t, drivertest.ProviderService{
		TTL:      2 * time.Second,
		Backends: 4,
		Parallel: 16,
		Start: func(t testing.TB) drivertest.Backend {
			server := startServer(t, program)
			return drivertest.Backend{
				Address: server.address,
				Stop:    func(testing.TB) { server.kill() },
				Start:   func(t testing.TB) { server.start(t) },
				Empty:   func(t testing.TB) { server.empty(t) },
			}
		},
		New: func(s drivertest.Setup) driver.Provider {
			return New(s.Address, record.WithTTL(s.TTL), record.WithClock(s.Clock), record.WithWallClock(s.Wall))
		},
	})
}
