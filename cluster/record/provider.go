package record

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/boottime"
	"github.com/granary-go/granary/internal/record"
)

// Defaults and limits of a provider.
const (
	// DefaultTTL is the lease time: a member that fails is removed after it.
	// Less is found sooner, more survives a longer outage of the store.
	DefaultTTL = 10 * time.Second
	// MinTTL and MaxTTL bound it.
	MinTTL = time.Second
	MaxTTL = 10 * time.Minute
	// DefaultPause is how long each writer lets the one before it go first.
	DefaultPause = 200 * time.Millisecond
	maxPause     = 10 * time.Second
	minTimeout   = 10 * time.Millisecond
)

var errInUse = errors.New("record: the provider has an open session; close it first, or make a provider for each cluster")

// Opener connects a process to the store of a cluster: it is called for each
// session, with the request of Join or Observe, and the session closes what it
// gives. The context bounds the call alone.
type Opener func(ctx context.Context, r driver.Request, observe bool) (driver.RecordStore, error)

// Provider is a [driver.Provider] above a [driver.RecordStore]. It serves one
// session at a time.
type Provider struct {
	open   Opener
	config config
	busy   atomic.Bool

	mu sync.Mutex // guards the fields below
	// seen is the highest epoch of the cluster that the last session was of.
	cluster string
	seen    uint64
}

var _ driver.Provider = (*Provider)(nil)

type config struct {
	ttl, pause, timeout time.Duration
	now, exact          func() time.Duration
	wall                func() time.Time
}

// Option changes a provider that is being made.
type Option func(*config)

// WithTTL sets the lease time, from [MinTTL] to [MaxTTL]. The store may grant
// another, which counts. Defaults to [DefaultTTL].
func WithTTL(d time.Duration) Option { return func(c *config) { c.ttl = d } }

// WithPause sets how long each of those who may write the record lets the one
// before it go first, up to ten seconds. All members had better have the same.
// Defaults to [DefaultPause].
func WithPause(d time.Duration) Option { return func(c *config) { c.pause = d } }

// WithCallTimeout bounds each call of the store, from 10 ms to the lease time.
// Defaults to a third of the lease time.
func WithCallTimeout(d time.Duration) Option { return func(c *config) { c.timeout = d } }

// WithClock replaces the clock that leases are counted on, for tests: it gives
// the time since any instant, and never goes back. Nil leaves it as it is.
// Defaults to the time since boot, with the time that the machine slept.
func WithClock(now func() time.Duration) Option {
	return func(c *config) {
		if now != nil {
			c.now, c.exact = now, now
		}
	}
}

// WithWallClock replaces the wall clock, for tests. Only the first epoch of a
// cluster is taken from it. Nil leaves it as it is. Defaults to [time.Now].
func WithWallClock(now func() time.Time) Option {
	return func(c *config) {
		if now != nil {
			c.wall = now
		}
	}
}

// New makes a provider of stores that open connects to. Nonsense among the
// options is an error of Join and Observe.
func New(open Opener, opts ...Option) *Provider {
	p := &Provider{open: open, config: config{
		ttl: DefaultTTL, pause: DefaultPause, now: boottime.Now, exact: boottime.Exact, wall: time.Now,
	}}
	for _, o := range opts {
		if o != nil {
			o(&p.config)
		}
	}
	p.config.timeout = cmp.Or(p.config.timeout, p.config.ttl/3)
	return p
}

// check reports what is wrong with the configuration.
func (c config) check() error {
	switch {
	case c.ttl < MinTTL || c.ttl > MaxTTL:
		return fmt.Errorf("record: a lease time of %v; it must be from %v to %v, and %v is usual", c.ttl, MinTTL, MaxTTL, DefaultTTL)
	case c.pause <= 0 || c.pause > maxPause:
		return fmt.Errorf("record: a pause of %v; it must be above 0 and at most %v, and %v is usual", c.pause, maxPause, DefaultPause)
	case c.timeout < minTimeout || c.timeout > c.ttl:
		return fmt.Errorf("record: calls of the store are bounded by %v; that must be from %v to the lease time %v", c.timeout, minTimeout, c.ttl)
	}
	return nil
}

// Leases implements [driver.Provider]: there are.
func (p *Provider) Leases() bool { return true }

// LeaseTime implements [driver.LeaseTimer].
func (p *Provider) LeaseTime() time.Duration { return p.config.ttl }

// Join implements [driver.Provider]. It registers the member's liveness key,
// and fails if the store cannot be reached.
func (p *Provider) Join(ctx context.Context, r driver.Request) (driver.Session, error) {
	if r.Member.ID == "" {
		return nil, errors.New("record: a member without an id; observe instead")
	}
	r.Member.State = driver.Active
	r.Member.Kinds = slices.SortedFunc(slices.Values(r.Member.Kinds), func(a, b driver.Kind) int { return cmp.Compare(a.Name, b.Name) })
	about := record.About{TTL: record.Time(p.config.ttl), Seen: p.remembers(r.Cluster)}
	description, err := encodeMember(r.Member, about)
	if err != nil {
		return nil, err
	}
	return p.begin(ctx, r, description)
}

// Observe implements [driver.Provider].
func (p *Provider) Observe(ctx context.Context, r driver.Request) (driver.Session, error) {
	r.Member.ID = ""
	return p.begin(ctx, r, nil)
}

// remembers gives the highest epoch that earlier sessions saw of a cluster. A
// store that is emptied, or has an old record again, does not know it; the
// members tell each other, so that epochs go on rising.
func (p *Provider) remembers(cluster string) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cluster != cluster {
		return 0
	}
	return p.seen
}

// release ends a session.
func (p *Provider) release(cluster string, seen uint64) {
	p.mu.Lock()
	p.cluster, p.seen = cluster, seen
	p.mu.Unlock()
	p.busy.Store(false)
}

// begin opens the store and starts a session; that of an observer has no
// description.
func (p *Provider) begin(ctx context.Context, r driver.Request, description []byte) (_ driver.Session, err error) {
	if err := errors.Join(p.config.check(), checkText("the cluster's name", r.Cluster)); err != nil {
		return nil, err
	}
	if !p.busy.CompareAndSwap(false, true) {
		return nil, errInUse
	}
	defer func() {
		if err != nil {
			p.busy.Store(false)
		}
	}()
	store, err := p.open(ctx, r, description == nil)
	if err != nil {
		return nil, fmt.Errorf("record: opening the store: %w", mayPass(err))
	}
	s := newSession(p.config, r, store, p.remembers(r.Cluster), func(seen uint64) { p.release(r.Cluster, seen) })
	if description != nil {
		if err := s.register(ctx, description); err != nil {
			return nil, mayPass(errors.Join(err, store.Close()))
		}
	}
	s.start(rand.Text())
	return s, nil
}
