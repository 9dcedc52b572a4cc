package zk

import (
	"context"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
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
	server := zktest.Start(t)
	_ = server
}
