package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/granary-go/granary/cluster/directory"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/partition"
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
// to [directory.DefaultConcurrency].
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
	// Resolve fails with the errors of package partition.
	Resolve(ctx context.Context, id driver.Identity, hint driver.MemberID, suspect driver.Fence) (partition.Activation, error)
	StopBegun(id driver.Identity, f driver.Fence)
	LeaseChanged()
	Settle(ctx context.Context) error
	Close(ctx context.Context) error
	// explain fills in what the lookup knows.
	explain(ctx context.Context, id driver.Identity, e *Explanation) error
}

// newLookup makes the lookup of a membership.
func (c *Cluster) newLookup(ctx context.Context, m *membership) (identityLookup, error) {
	if !c.config.entries.chosen {
		lookup, err := partition.New(partition.Config{
			System: c.system, Self: m.self.ID, Activator: c.activator(m.self.ID, m.lease), Lease: m.lease,
			Strategies: c.config.picks(), Refresh: m.session.Refresh, Failed: m.fail, Logger: c.logger,
			Header: c.askedWith(), Placing: c.placing(),
		})
		return memberLookup{lookup}, err
	}
	store, err := c.config.entries.stores.OpenEntries(ctx, c.config.name)
	if err != nil {
		return nil, fmt.Errorf("cluster: identity lookup: %w", err)
	}
	lookup, err := directory.New(directory.Config{
		System: c.system, Self: m.self.ID, Activator: c.activator(m.self.ID, m.lease), Lease: m.lease, Store: store,
		Strategies: c.config.picks(), Refresh: m.session.Refresh, Failed: m.fail, Logger: c.logger,
		Concurrency: c.config.entries.concurrency, Header: c.askedWith(),
	})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return storeLookup{lookup}, nil
}

// memberLookup is the default: the members remember.
type memberLookup struct{ *partition.Lookup }

func (l memberLookup) explain(ctx context.Context, id driver.Identity, e *Explanation) (err error) {
	var also driver.MemberID
	if e.Cached != nil {
		also = e.Cached.Member.ID
	}
	e.Explanation, err = l.Explain(ctx, id, also)
	return err
}

// storeLookup remembers in a database.
type storeLookup struct{ *directory.Lookup }

// SetView implements identityLookup. There are no slots.
func (l storeLookup) SetView(v driver.View) (moved int) {
	l.Lookup.SetView(v)
	return 0
}

// Resolve implements identityLookup.
func (l storeLookup) Resolve(ctx context.Context, id driver.Identity, hint driver.MemberID, suspect driver.Fence) (partition.Activation, error) {
	found, err := l.Lookup.Resolve(ctx, id, hint, suspect)
	return partition.Activation(found), likePartition(err)
}

// likePartition lets an error be found as the one of package partition that means
// the same.
func likePartition(err error) error {
	for _, same := range []struct{ from, to error }{
		{directory.ErrNoView, partition.ErrNoView}, {directory.ErrNoHost, partition.ErrNoHost}, {directory.ErrClosed, partition.ErrClosed},
		{directory.ErrNotYet, partition.ErrNotYet}, {directory.ErrNoAnswer, partition.ErrNoAnswer},
	} {
		if errors.Is(err, same.from) {
			return alikeError{err, same.to}
		}
	}
	return err
}

// alikeError keeps its own text, and is also another error.
type alikeError struct {
	error

	also error
}

// Unwrap gives both.
func (e alikeError) Unwrap() []error { return []error{e.error, e.also} }

func (l storeLookup) explain(ctx context.Context, id driver.Identity, e *Explanation) error {
	said, err := l.Explain(ctx, id)
	if err != nil {
		return likePartition(err)
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

// tellStore is the part of an explanation that a database has told.
func (e Explanation) tellStore(line func(what, format string, args ...any)) {
	s := e.Store
	state := "closed: members are writing back what they host"
	if s.Open {
		state = "open"
	}
	line("store", "era %d, %s; in view %d of %s (members: %d)", s.Era, state, e.Epoch, printable(e.Incarnation), e.Members)
	if s.Entry != nil {
		line("entry", "%s, token %s, of view %d: %s", member(e.at()), printable(s.Entry.Token), s.Entry.Epoch, printable(s.Entry.Verdict))
	}
	if s.Host != "" {
		line("host", "%s, token %s", printable(s.Host), printable(s.HostToken))
	}
	for _, p := range s.Problems {
		line("silent", "%s", printable(p))
	}
}

// at is the member of the entry in the database.
func (e Explanation) at() partition.MemberRef {
	return partition.MemberRef{ID: e.Store.Entry.Member, Address: e.Store.Entry.Address}
}

// stored says where the grain is by the database.
func (e Explanation) stored() string {
	switch s := e.Store; {
	case s.Entry == nil && len(s.Problems) > 0:
		return "cannot be told about: the database of the identity lookup did not answer"
	case s.Entry == nil && e.Hosting == 0:
		return "is not active, and no active member hosts its kind"
	case s.Entry == nil:
		return "is not active"
	case s.Entry.Verdict == "void":
		return "is not active; its entry is that of a member that has left, " + member(e.at())
	case s.Host == "stopping" || s.Host == "releasing":
		return "is stopping on " + member(e.at()) + "; its next activation waits for that"
	case s.Host == "" && len(s.Problems) == 0 && s.Entry.Verdict == "live":
		return "is not active; " + member(e.at()) + " has its entry, and places it anew when it is called"
	default:
		return "is active on " + member(e.at()) + " as far as the database knows"
	}
}
