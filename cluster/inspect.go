package cluster

import (
	"errors"
	"iter"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup/partition"
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

// Slots gives the lookup by which the members themselves remember where grains are, to
// package cluster/admin: nobody else can name the key. It fails as Err says, and where a
// database is the lookup.
func (i Inspector) Slots(partition.Key) (*partition.Lookup, error) {
	m, err := i.cluster.running()
	if err != nil {
		return nil, err
	}
	l, ok := m.lookup.(memberLookup)
	if !ok {
		return nil, errNoSlots
	}
	return l.Lookup, nil
}

// errNoSlots is the answer to what only members with slots have.
var errNoSlots = errors.New("cluster: a database keeps where grains are: there are no slots")
