package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// firstJoin joins for the first time. What the provider needs may come up at the same time as this process: as long as it
// cannot be reached, and Start may take, it is tried again.
func (c *Cluster) firstJoin(ctx context.Context, member bool) (*membership, error) {
	for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
		m, err := c.join(ctx, member)
		if err == nil || !errors.Is(err, driver.ErrUnavailable) {
			return m, err
		}
		if retry == firstRetry {
			c.logger.Warn("cluster: what the membership provider needs cannot be reached; trying again", "error", err)
		}
		timer := time.NewTimer(retry)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("%w; it was tried for as long as Start may take (WithStartTimeout)", err)
		}
	}
}

// startPatience is how long Start may take: what the program says, or else the default, and besides it the lease time
// that passes before a cluster is founded above a store.
func (c *Config) startPatience() time.Duration {
	if c.startTimeout != 0 {
		return c.startTimeout
	}
	if timed, ok := c.provider.(driver.LeaseTimer); ok {
		return DefaultStartTimeout + timed.LeaseTime()
	}
	return DefaultStartTimeout
}
