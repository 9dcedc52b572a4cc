package fleet

import (
	"context"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
)

// Sees waits until a cluster's view holds n members, all of them active. When that is not so within the limit, the test
// has failed.
func Sees(t *testing.T, c *cluster.Cluster, limit time.Duration, n int) driver.View {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	changed := make(chan struct{}, 1)
	sub := actor.SubscribeTo(c.ActorSystem().EventStream, func(*cluster.ClusterTopology) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer c.ActorSystem().EventStream.Unsubscribe(sub)
	for {
		view := c.View()
		active := 0
		for _, m := range view.Members {
			if m.State == driver.Active {
				active++
			}
		}
		if active == n && len(view.Members) == n {
			return view
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("the view should have %d active members, and is %v", n, view.Members)
		}
	}
}
