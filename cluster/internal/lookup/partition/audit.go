package partition

import (
	"context"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup"
	"github.com/granary-go/granary/internal/placement"
)

// Key keeps to the packages below cluster what package cluster has to export for them: nobody else can name it.
type Key struct{}

// OwnerLoad is how much the owner actor of a member has to do. It is the machine's.
type OwnerLoad = placement.OwnerLoad

// Sample is a part of what the owner and the host actor of a member have.
type Sample struct {
	// Entered are in the owner's table, with their hosts, and Hosted run here.
	Entered []placement.Placed
	Hosted  []placement.Entry
	// Violations counts what the audits of both have found since the member joined.
	Violations int
}

// Load asks this member's owner actor how much it has to do. Nobody else is asked, and
// a client has nothing to do.
func (l *Lookup) Load(ctx context.Context) (OwnerLoad, error) {
	if l.owner == nil {
		return OwnerLoad{Epoch: l.View().Epoch}, nil
	}
	return actor.Ask[OwnerLoad](ctx, l.cfg.System.Root, l.owner, loadQuery{})
}

// Sample takes a sample of this member's owner and host actor, up to n of each; it is
// empty on a client.
func (l *Lookup) Sample(ctx context.Context, n int) (Sample, error) {
	if l.owner == nil {
		return Sample{}, nil
	}
	owner, err := actor.Ask[Sample](ctx, l.cfg.System.Root, l.owner, sampleQuery{n})
	if err != nil {
		return Sample{}, err
	}
	host, err := actor.Ask[Sample](ctx, l.cfg.System.Root, l.host, sampleQuery{n})
	host.Entered, host.Violations = owner.Entered, owner.Violations+host.Violations
	return host, err
}

// ProbeOwner says what this member's owner actor has of identities, in their order.
func (l *Lookup) ProbeOwner(ctx context.Context, ids []driver.Identity) ([]placement.OwnerState, error) {
	if l.owner == nil {
		return nil, lookup.ErrClosed
	}
	return actor.Ask[[]placement.OwnerState](ctx, l.cfg.System.Root, l.owner, probeQuery{ids})
}

// ProbeHost says what this member's host actor has of identities, in their order.
func (l *Lookup) ProbeHost(ctx context.Context, ids []driver.Identity) ([]placement.HostState, error) {
	if l.host == nil {
		return nil, lookup.ErrClosed
	}
	return actor.Ask[[]placement.HostState](ctx, l.cfg.System.Root, l.host, probeQuery{ids})
}

// Questions that stay in the process. A probe's identities are not changed.
type (
	loadQuery   struct{}
	sampleQuery struct{ limit int }
	probeQuery  struct{ identities []driver.Identity }
)

func (a *ownerActor) probe(q probeQuery) []placement.OwnerState {
	out := make([]placement.OwnerState, len(q.identities))
	for i, id := range q.identities {
		out[i] = a.machine.Explain(id)
	}
	return out
}

func (a *hostActor) probe(q probeQuery) []placement.HostState {
	out := make([]placement.HostState, len(q.identities))
	for i, id := range q.identities {
		out[i] = a.machine.Explain(id)
	}
	return out
}
