package k8s

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
	"github.com/granary-go/granary/cluster/k8s/k8stest"
)

func TestMain(m *testing.M) { os.Exit(k8stest.Main(m)) }

// open makes the store of a process that is in no pod, unless an option says otherwise.
func open(ctx context.Context, c *rest.Config, namespace, cluster string, change ...func(*config)) (*store, error) {
	begun := time.Now()
	with := config{
		prefix: DefaultLabelPrefix, namespace: namespace, started: processStart,
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
