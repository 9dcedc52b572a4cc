package cluster_test

import (
	"testing"
	"time"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
)

// A process that loses its liveness key before it was taken in registers anew,
// and its Start goes on waiting.
func TestLeaseThatEndsDuringStart(t *testing.T) {
	t.Parallel()
	w, store := newWorld(t), clustertest.NewRecordStore()
	go func() {
		for {
			if _, alive := store.Get("test"); len(alive) > 0 {
				for _, id := range alive {
					store.Expire(id) // while it waits whether there is a record
				}
				return
			}
			select {
			case <-t.Context().Done():
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	member := w.onStore(store, false, w.kind(), cluster.WithStartTimeout(time.Minute))
	add(t, member, "x", 1)
}
