package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/explanation"
	"github.com/granary-go/granary/cluster/internal/lookup"
	"github.com/granary-go/granary/cluster/internal/lookup/directory"
	"github.com/granary-go/granary/cluster/internal/lookup/partition"
)

// WithIdentityLookup keeps in a database where the grains are active, instead of
// with the members themselves: redis.New of package cluster/redis makes one
// such store. All members and clients of a cluster are given the same one, and a
// client needs the strategies of its kinds, too. It goes with every membership
// provider and every guarantee. docs/guides/identity-lookups.md tells what it costs,
// and what happens when the database is out of reach or loses its content.
func WithIdentityLookup(store driver.EntryStores, opts ...LookupOption) Option {
	return option(func(c *Config) {
		c.entries = entryLookup{stores: store, chosen: true}
		for _, o := range opts {
			if o != nil {
				o(&c.entries)
			}
		}
	})
}

// LookupOption changes how a process uses the database of its identity lookup.
type LookupOption func(*entryLookup)

// WithLookupConcurrency bounds the operations that this process has under way in
// the database. More wait in line, within the deadlines of their calls. Defaults
// to 64.
func WithLookupConcurrency(n int) LookupOption {
	return func(l *entryLookup) { l.concurrency = n }
}

// entryLookup is the lookup in a database, if one was chosen.
type entryLookup struct {
	stores      driver.EntryStores
	chosen      bool
	concurrency int
}

func (l entryLookup) validate() error {
	switch {
	case l.chosen && l.stores == nil:
		return errors.New("the store of WithIdentityLookup is nil: without the option, the members themselves remember where grains are")
	case l.concurrency < 0:
		return fmt.Errorf("WithLookupConcurrency is %d: it must be positive", l.concurrency)
	}
	return nil
}

// identityLookup finds where grains are active.
type identityLookup interface {
	// SetView returns how many slots have another owner than before; none are moved by the first view.
	SetView(v driver.View) (moved int)
	View() driver.View
	// Resolve fails with the errors of package lookup.
	Resolve(ctx context.Context, id driver.Identity, hint driver.MemberID, suspect driver.Fence) (lookup.Activation, error)
	StopBegun(id driver.Identity, f driver.Fence)
	LeaseChanged()
	Settle(ctx context.Context) error
	Close(ctx context.Context) error
	// explain fills in what the lookup knows.
	explain(ctx context.Context, id driver.Identity, e *explanation.Explanation) error
}

// newLookup makes the lookup of a membership.
func (c *Cluster) newLookup(ctx context.Context, m *membership) (identityLookup, error) {
	config := lookup.Config{
		System: c.system, Self: m.self.ID, Activator: c.activator(m.self.ID, m.lease), Lease: m.lease,
		Strategies: c.config.picks(), Refresh: m.session.Refresh, Failed: m.fail, Logger: c.logger, Header: c.askedWith(),
	}
	if !c.config.entries.chosen {
		members, err := partition.New(partition.Config{Config: config, Placing: c.placing()})
		return memberLookup{members}, err
	}
	store, err := c.config.entries.stores.OpenEntries(ctx, c.config.name)
	if err != nil {
		return nil, fmt.Errorf("cluster: identity lookup: %w", err)
	}
	entries, err := directory.New(directory.Config{Config: config, Store: store, Concurrency: c.config.entries.concurrency})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return storeLookup{entries}, nil
}

// memberLookup is the default: the members remember.
type memberLookup struct{ *partition.Lookup }

func (l memberLookup) explain(ctx context.Context, id driver.Identity, e *explanation.Explanation) error {
	var also driver.MemberID
	if e.Cached != nil {
		also = e.Cached.Member.ID
	}
	return l.Explain(ctx, id, also, e)
}

// storeLookup remembers in a database.
type storeLookup struct{ *directory.Lookup }

// SetView implements identityLookup. There are no slots.
func (l storeLookup) SetView(v driver.View) (moved int) {
	l.Lookup.SetView(v)
	return 0
}

func (l storeLookup) explain(ctx context.Context, id driver.Identity, e *explanation.Explanation) error {
	said, err := l.Explain(ctx, id)
	if err != nil {
		return err
	}
	view := l.View()
	e.Incarnation, e.Epoch, e.Members = view.Incarnation, view.Epoch, len(view.Members)
	for _, m := range view.Members {
		if m.Hosts(id.Kind) {
			e.Hosting++
		}
	}
	e.Store = &said
	return nil
}
