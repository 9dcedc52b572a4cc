package clustertest

import (
	"context"
	"sync"

	"github.com/granary-go/granary/cluster/driver"
)

// Lease is a lease that a test sets by hand. Make one with [NewLease] and give
// it to [Registry.LeasedProvider]. Its methods may be called from several
// goroutines.
type Lease struct {
	mu      sync.Mutex // guards the fields below
	phase   driver.LeasePhase
	changed chan struct{} // closed by the next phase
}

// NewLease makes a lease that is valid until Set says otherwise.
func NewLease() *Lease { return &Lease{changed: make(chan struct{})} }

// Set changes the phase. A lease that is fenced stays so.
func (l *Lease) Set(phase driver.LeasePhase) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.phase == phase || l.phase == driver.LeaseFenced {
		return
	}
	l.phase = phase
	close(l.changed)
	l.changed = make(chan struct{})
}

// Valid implements driver.Lease.
func (l *Lease) Valid() bool { return l.Phase() != driver.LeaseFenced }

// Phase implements driver.Lease.
func (l *Lease) Phase() driver.LeasePhase {
	phase, _ := l.read()
	return phase
}

func (l *Lease) read() (driver.LeasePhase, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.phase, l.changed
}

// Watch implements driver.Lease.
func (l *Lease) Watch(ctx context.Context, last driver.LeasePhase) (driver.LeasePhase, error) {
	for {
		phase, changed := l.read()
		if phase != last {
			return phase, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return last, ctx.Err()
		}
	}
}

// LeasedProvider gives a provider for one more process, whose members have
// leases: the one given, and after that has ended and the process joins again,
// one that stays valid. A member whose lease has ended is told to join again; the registry removes nobody because a lease has ended.
func (r *Registry) LeasedProvider(l *Lease) driver.Provider { return leasedProvider{provider{r}, l} }

type leasedProvider struct {
	provider
	lease *Lease
}

// Leases implements driver.Provider.
func (leasedProvider) Leases() bool { return true }

// Join implements driver.Provider.
func (p leasedProvider) Join(ctx context.Context, request driver.Request) (driver.Session, error) {
	s, err := p.provider.Join(ctx, request)
	if err != nil {
		return nil, err
	}
	lease := p.lease
	if lease.Phase() == driver.LeaseFenced {
		lease = NewLease()
	}
	return leasedSession{s, lease}, nil
}

type leasedSession struct {
	driver.Session
	lease *Lease
}

// Watch implements driver.Session: a member whose lease has ended joins again.
func (s leasedSession) Watch(ctx context.Context, after uint64) (driver.View, error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		for phase := driver.LeaseValid; phase != driver.LeaseFenced; {
			var err error
			if phase, err = s.lease.Watch(ctx, phase); err != nil {
				return
			}
		}
		cancel()
	})
	view, err := s.Session.Watch(ctx, after)
	if s.lease.Phase() == driver.LeaseFenced {
		return driver.View{}, driver.ErrRemoved
	}
	return view, err
}

// Lease implements driver.Session.
func (s leasedSession) Lease() driver.Lease { return s.lease }
