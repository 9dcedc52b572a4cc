package redistest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/granary-go/granary/internal/servertest"
)

// nodes is how many masters a Redis Cluster of this package has; they have no replicas.
const nodes = 3

// Cluster is a Redis Cluster.
type Cluster struct{ Servers []*Server }

// StartCluster starts a Redis Cluster of three masters and waits until it serves.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	c := new(Cluster)
	for range nodes {
		bus := servertest.Port(t)
		c.Servers = append(c.Servers, Start(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus), "--cluster-node-timeout", "2000"))
		if err := c.meet(t, c.Servers[len(c.Servers)-1], bus); err != nil {
			t.Fatalf("redistest: %v", err)
		}
	}
	if err := c.await(t); err != nil {
		t.Fatal(err)
	}
	return c
}

// meet gives the newest server its share of the slots, and makes it known to the first one.
func (c *Cluster) meet(t testing.TB, s *Server, bus int) error {
	const slots = 16384
	i := len(c.Servers) - 1
	client := s.Client(t)
	if err := client.Do(t.Context(), "cluster", "addslotsrange", i*slots/nodes, (i+1)*slots/nodes-1).Err(); err != nil {
		return err
	}
	if i == 0 {
		return nil
	}
	// Two servers that have met know one another's bus.
	return c.Servers[0].Client(t).Do(t.Context(), "cluster", "meet", "127.0.0.1", portOf(s.Address), bus).Err()
}

// await waits until all servers say that all slots are served.
func (c *Cluster) await(t testing.TB) error {
	ctx, cancel := context.WithTimeout(t.Context(), servertest.Patience)
	defer cancel()
	for _, s := range c.Servers {
		client := s.Client(t)
		err := servertest.Poll(ctx, func(ctx context.Context) error {
			said, err := client.ClusterInfo(ctx).Result()
			if err == nil && (!strings.Contains(said, "cluster_state:ok") || !strings.Contains(said, fmt.Sprintf("cluster_size:%d", nodes))) {
				err = fmt.Errorf("it says %q", said)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("redistest: the cluster does not serve: %w\n%s", err, s.Output())
		}
	}
	return nil
}

// Options are those of a client of the cluster.
func (c *Cluster) Options() *redis.UniversalOptions {
	o := &redis.UniversalOptions{IsClusterMode: true}
	for _, s := range c.Servers {
		o.Addrs = append(o.Addrs, s.Address)
	}
	return o
}
