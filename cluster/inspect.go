package cluster

import (
	"context"
	"errors"
	"iter"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/partition"
	"github.com/granary-go/granary/internal/placement"
	"github.com/granary-go/granary/remote"
)

// Inspector looks at what this process has in a cluster, for people and tools: package
// cluster/admin answers by it. It asks no other process and changes nothing.
type Inspector struct{ cluster *Cluster }

// Inspect gives the inspector of a cluster, which works in any phase.
func (c *Cluster) Inspect() Inspector { return Inspector{c} }

// Err says why this process can call no grain at the moment: [ErrNotStarted] before the
// start, joined with the cause if that has failed, [ErrShutdown] once a shutdown
// has begun, and an error of its own while it joins, or joins again. It is nil for a
// process that runs, be its view as it may.
func (i Inspector) Err() error {
	_, err := i.cluster.running()
	return err
}

// Failed reports whether the process can never become a member any more: the start has
// failed or a shutdown is over.
func (i Inspector) Failed() bool {
	c := i.cluster
	select {
	case <-c.done:
		return true
	default:
		return c.is(failed)
	}
}

// Joined reports whether this process has been in a view under its present id.
func (i Inspector) Joined() bool {
	m := i.cluster.current.Load()
	return m != nil && m.isMember() && m.hasJoined()
}

// HasLookupStore reports whether a database keeps where grains are; then there are no
// slots. See [WithIdentityLookup].
func (i Inspector) HasLookupStore() bool { return i.cluster.config.entries.chosen }

// Traffic gives the counts of the messages from and to other processes; zero before
// the start.
func (i Inspector) Traffic() remote.Stats {
	if r := i.cluster.Remote(); r != nil {
		return r.Stats()
	}
	return remote.Stats{}
}

// Activation is a grain that is active in this process.
type Activation struct {
	Kind, Identity string
	Token          driver.Fence
	// Handled counts the messages that it got since it was activated.
	Handled uint64
}

// Activations gives the grains that are active in this process, in no order. What
// begins or ends meanwhile may be missed. A member with a million of them needs some
// tenths of a second.
func (i Inspector) Activations() iter.Seq[Activation] {
	return func(yield func(Activation) bool) {
		i.cluster.activations.byPID.Range(func(_, v any) bool {
			a, ok := v.(*activation)
			return !ok || yield(a.shown())
		})
	}
}

func (a *activation) shown() Activation {
	return Activation{Kind: a.identity.Kind, Identity: a.identity.Name, Token: a.fence, Handled: a.handled.Load()}
}

// Load says how this member's slots are; zero, but for the epoch, where it has none.
func (i Inspector) Load(ctx context.Context) (partition.OwnerLoad, error) {
	if i.HasLookupStore() {
		return partition.OwnerLoad{Epoch: i.cluster.View().Epoch}, i.Err()
	}
	return inspected(i, func(l *partition.Lookup) (partition.OwnerLoad, error) { return l.Load(ctx) })
}

// Sample takes a sample of what this member's owner and host have, for an audit.
func (i Inspector) Sample(ctx context.Context, n int) (partition.Sample, error) {
	return inspected(i, func(l *partition.Lookup) (partition.Sample, error) { return l.Sample(ctx, n) })
}

// ProbeOwner says what this member's owner has of identities, in their order.
func (i Inspector) ProbeOwner(ctx context.Context, ids []driver.Identity) ([]placement.OwnerState, error) {
	return inspected(i, func(l *partition.Lookup) ([]placement.OwnerState, error) { return l.ProbeOwner(ctx, ids) })
}

// ProbeHost says what this member's host has of identities, in their order.
func (i Inspector) ProbeHost(ctx context.Context, ids []driver.Identity) ([]placement.HostState, error) {
	return inspected(i, func(l *partition.Lookup) ([]placement.HostState, error) { return l.ProbeHost(ctx, ids) })
}

// errNoSlots is the answer to what only members with slots have.
var errNoSlots = errors.New("cluster: a database keeps where grains are: there are no slots")

// inspected asks the lookup of this process. Where a database is the lookup, there is
// nothing to ask.
func inspected[T any](i Inspector, ask func(*partition.Lookup) (T, error)) (T, error) {
	var none T
	m, err := i.cluster.running()
	if err != nil {
		return none, err
	}
	l, ok := m.lookup.(memberLookup)
	if !ok {
		return none, errNoSlots
	}
	return ask(l.Lookup)
}
