package consul

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/consul/consultest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
	"github.com/granary-go/granary/cluster/record"
)

func TestRecordStores(t *testing.T) {
	t.Parallel()
	server := consultest.Start(t)
	drivertest.RecordStores(t, drivertest.RecordService{
		TTL: time.Second,
		Open: func(_ context.Context, cluster string) (driver.RecordStore, error) {
			client, err := dial(server.Config())
			if err != nil {
				return nil, err
			}
			return newStore(client, DefaultPrefix, cluster), nil
		},
	})
}

func TestFencedStores(t *testing.T) {
	t.Parallel()
	server := consultest.Start(t)
	drivertest.FencedStores(t, func(t *testing.T) driver.FencedStore {
		return NewFencedStore(server.Client(t), "test/state")
	})
}

func TestProviders(t *testing.T) {
	t.Parallel()
	drivertest.Providers(t, drivertest.ProviderService{
		TTL:      leaseTime,
		Backends: 3,
		Start: func(t testing.TB) drivertest.Backend {
			server := consultest.Start(t)
			return drivertest.Backend{
				Address: server.Address,
				Stop:    func(testing.TB) { server.Stop() },
				Start:   func(t testing.TB) { server.Restart(t) },
				Empty:   func(t testing.TB) { server.Empty(t) },
			}
		},
		New: func(s drivertest.Setup) driver.Provider {
			config := api.Config{Address: s.Address, Scheme: "http"}
			return New(config, WithTTL(s.TTL), WithRecord(record.WithClock(s.Clock), record.WithWallClock(s.Wall)))
		},
	})
}
