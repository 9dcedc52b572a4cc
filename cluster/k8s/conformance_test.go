package k8s

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
	"github.com/granary-go/granary/cluster/k8s/k8stest"
	"github.com/granary-go/granary/cluster/record"
)

func TestMain(m *testing.M) { os.Exit(k8stest.Main(m)) }

// open makes the store of a process that is in no pod, unless an option says otherwise.
func open(ctx context.Context, c *rest.Config, namespace, cluster string, change ...func(*config)) (*store, error) {
	begun := time.Now()
	with := config{
		prefix: DefaultLabelPrefix, namespace: namespace, started: processStart, longestWait: longestWait,
		now: func() time.Duration { return time.Since(begun) },
	}
	for _, f := range change {
		f(&with)
	}
	r := driver.Request{Cluster: cluster, Logger: slog.New(slog.DiscardHandler)}
	return openStore(ctx, c, with, r, false)
}

func TestRecordStores(t *testing.T) {
	t.Parallel()
	server := k8stest.Shared(t)
	namespace := server.Namespace(t)
	drivertest.RecordStores(t, drivertest.RecordService{
		TTL: time.Second,
		Open: func(ctx context.Context, cluster string) (driver.RecordStore, error) {
			return open(ctx, server.Config(), namespace, cluster)
		},
	})
}

// Lease times that leave time for calls on a machine that is busy.
const (
	leaseTime = 6 * time.Second
	kitTime   = 4 * time.Second
)

// It runs before the tests that run at the same time.
func TestProviders(t *testing.T) {
	k8stest.Needed(t)
	drivertest.Providers(t, drivertest.ProviderService{
		TTL:      kitTime,
		Backends: 2, // each takes 300 MB, and seconds to start
		Start: func(t testing.TB) drivertest.Backend {
			server := k8stest.Start(t)
			return drivertest.Backend{
				Address: strings.TrimPrefix(server.Host, "https://"),
				Stop:    func(testing.TB) { server.Stop() },
				Start:   func(t testing.TB) { server.Start(t) },
				Empty:   func(t testing.TB) { server.Empty(t) },
			}
		},
		New: func(s drivertest.Setup) driver.Provider {
			return NewWithConfig(k8stest.ConfigAt(s.Address), WithNamespace("default"), WithTTL(s.TTL),
				WithRecord(record.WithClock(s.Clock), record.WithWallClock(s.Wall), record.WithCallTimeout(s.TTL/2)), func(c *config) {
					if s.Clock != nil {
						c.now = s.Clock
					}
				})
		},
	})
}
