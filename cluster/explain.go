package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/explanation"
	"github.com/granary-go/granary/cluster/internal/lookup"
)

// Explain asks the owner of a grain's identity, and then its host, what they
// know about it. It works on members and clients, activates nothing and changes
// nothing. Whoever does not answer in time is named in the explanation, and is
// no error; half of the time is kept for the host. Without a deadline the
// request timeout is the limit. Errors are those of a process that is not
// running, [ErrInvalidIdentity], and [ErrNoView] when no view came in time.
func (c *Cluster) Explain(ctx context.Context, identity, kind string) (explanation.Explanation, error) {
	id, err := newIdentity(identity, kind)
	if err != nil {
		return explanation.Explanation{}, err
	}
	m, err := c.running()
	if err != nil {
		return explanation.Explanation{}, err
	}
	ctx, cancel := c.bounded(ctx, callSettings{})
	defer cancel()
	e := explanation.Explanation{Kind: kind, Identity: identity, Cached: c.cached(m, id)}
	err = m.lookup.explain(ctx, id, &e)
	switch {
	case errors.Is(err, lookup.ErrNoView):
		return e, c.explain(id, err)
	case err != nil:
		return e, fmt.Errorf("cluster: explain %s: %w", id, err)
	}
	return e, nil
}

// cached is the location that this process has of an identity.
func (c *Cluster) cached(m *membership, id driver.Identity) *explanation.Cached {
	loc := c.cache.get(id)
	if loc == nil {
		return nil
	}
	at := explanation.Member{Address: loc.pid.Address}
	for _, member := range m.lookup.View().Members {
		if loc.pid.Id == activationID(id, member.ID, loc.fence) {
			at.ID = member.ID
		}
	}
	return &explanation.Cached{Member: at, Token: loc.fence.String()}
}
