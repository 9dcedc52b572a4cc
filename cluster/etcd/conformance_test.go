package etcd

import (
	"context"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
	"github.com/granary-go/granary/cluster/etcd/etcdtest"
	"github.com/granary-go/granary/cluster/record"
)

func TestRecordStores(t *testing.T) {
	t.Parallel()
	etcdtest.Each(t, func(t *testing.T, v etcdtest.Version) {
		server := v.Start(t)
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
	})
}

func TestFencedStores(t *testing.T) {
	t.Parallel()
	etcdtest.Each(t, func(t *testing.T, v etcdtest.Version) {
		server := v.Start(t)
		drivertest.FencedStores(t, func(t *testing.T) driver.FencedStore {
			return NewFencedStore(server.Client(t), "/test/state")
		})
	})
}

func TestProviders(t *testing.T) {
	t.Parallel()
	etcdtest.Each(t, func(t *testing.T, v etcdtest.Version) {
		drivertest.Providers(t, drivertest.ProviderService{
			TTL:      leaseTime,
			Backends: 4,
			Parallel: 8,
			Start: func(t testing.TB) drivertest.Backend {
				server := v.Start(t)
				return drivertest.Backend{
					Address: strings.TrimPrefix(server.Endpoint, "http://"),
					Stop:    func(testing.TB) { server.Stop() },
					Start:   func(t testing.TB) { server.Restart(t) },
					Empty: func(t testing.TB) {
						if _, err := server.Client(t).Delete(t.Context(), DefaultPrefix, clientv3.WithPrefix()); err != nil {
							t.Fatal(err)
						}
					},
				}
			},
			New: func(s drivertest.Setup) driver.Provider {
				config := clientv3.Config{Endpoints: []string{"http://" + s.Address}}
				return New(config, WithTTL(s.TTL), WithRecord(record.WithClock(s.Clock), record.WithWallClock(s.Wall)))
			},
		})
	})
}
