package zk

import (
	"context"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
	"github.com/granary-go/granary/cluster/record"
	"github.com/granary-go/granary/cluster/zk/zktest"
)

func TestRecordStores(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	drivertest.RecordStores(t, drivertest.RecordService{
		TTL:       time.Second,
		MaxRecord: MaxRecord,
		Open: func(_ context.Context, cluster string) (driver.RecordStore, error) {
			return config{servers: []string{server.Address}, prefix: DefaultPrefix, dialer: tcp}.open(cluster)
		},
	})
}

func TestProviders(t *testing.T) {
	t.Parallel()
	drivertest.Providers(t, drivertest.ProviderService{
		TTL:      3 * time.Second,
		Backends: 4,
		Start: func(t testing.TB) drivertest.Backend {
			server := zktest.Start(t)
			return drivertest.Backend{
				Address: server.Address,
				Stop:    func(testing.TB) { server.Stop() },
				Start:   func(t testing.TB) { server.Restart(t) },
				Empty:   func(t testing.TB) { server.Empty(t) },
			}
		},
		New: func(s drivertest.Setup) driver.Provider {
			return New([]string{s.Address}, WithTTL(s.TTL), WithRecord(record.WithClock(s.Clock), record.WithWallClock(s.Wall)))
		},
	})
}
