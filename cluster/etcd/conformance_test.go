package etcd

import (
	"context"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
	"github.com/granary-go/granary/cluster/etcd/etcdtest"
)

func TestRecordStores(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	drivertest.RecordStores(t, drivertest.RecordService{
		TTL: time.Second,
		Open: func(ctx context.Context, cluster string) (driver.RecordStore, error) {
			client, err := dial(ctx, server.Config())
			if err != nil {
				return nil, err
			}
			return &store{client: client, owned: true, prefix: clusterPrefix(DefaultPrefix, cluster)}, nil
		},
	})
}

func TestFencedStores(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	drivertest.FencedStores(t, func(t *testing.T) driver.FencedStore {
		return NewFencedStore(server.Client(t), "/test/state")
	})
}

func TestProviders(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	drivertest.Providers(t, drivertest.ProviderService{
		TTL: leaseTime,
		New: func() driver.Provider { return New(server.Config(), WithTTL(leaseTime)) },
	})
}
