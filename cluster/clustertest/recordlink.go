package clustertest

import (
	"context"
	"sync"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
)

// link is what is wrong with the way of a process to the store.
type link struct {
	stalled, cut int // how often
	delay        time.Duration
	broken       chan struct{} // closed by the next break
}

// RecordLink is the way of processes to a [RecordStore], which a test breaks.
// It is a drivertest.Link.
type RecordLink struct {
	store   *RecordStore
	address string
}

// Link gives the way of the processes with an address, whether there are some
// already or not.
func (s *RecordStore) Link(address string) RecordLink { return RecordLink{s, address} }

// ProviderAt is Provider for a process that connects by way of a link, whatever
// its own address is.
func (s *RecordStore) ProviderAt(address string, opts ...record.Option) driver.Provider {
	return s.provider(func(ctx context.Context, r driver.Request, observe bool) (driver.RecordStore, error) {
		r.Member.Address = address
		return s.Open(ctx, r, observe)
	}, opts)
}

// Address is the link's own.
func (l RecordLink) Address() string { return l.address }

// Stall lets calls wait until their context is done, until heal is called.
func (l RecordLink) Stall() (heal func()) { return l.count(func(k *link) *int { return &k.stalled }) }

// Cut makes calls fail until heal is called, also those under way.
func (l RecordLink) Cut() (heal func()) { return l.count(func(k *link) *int { return &k.cut }) }

func (l RecordLink) count(of func(*link) *int) (heal func()) {
	l.store.change(func() { *of(l.store.link(l.address))++ })
	return sync.OnceFunc(func() { l.store.change(func() { *of(l.store.link(l.address))-- }) })
}

// Break makes the calls under way fail, once.
func (l RecordLink) Break() {
	l.store.change(func() {
		k := l.store.link(l.address)
		close(k.broken)
		k.broken = make(chan struct{})
	})
}

// Slow makes what a call sends, and its answer, take at least d each. 0 makes
// an end of it.
func (l RecordLink) Slow(d time.Duration) {
	l.store.change(func() { l.store.link(l.address).delay = d })
}
