package drivertest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
	"github.com/granary-go/granary/cluster/record"
)

// inProcess gives the service of a store within the process, whose sessions
// change breaks; nil leaves them as they are.
func inProcess(ttl time.Duration, change func(driver.Session) driver.Session) drivertest.ProviderService {
	var stores sync.Map // by the addresses of the links to them
	var links atomic.Int64
	return drivertest.ProviderService{
		TTL: ttl,
		Start: func(testing.TB) drivertest.Backend {
			s := clustertest.NewRecordStore()
			link := func() drivertest.Link {
				l := s.Link(fmt.Sprint("link ", links.Add(1)))
				stores.Store(l.Address(), s)
				return l
			}
			return drivertest.Backend{
				Address: link().Address(),
				Stop:    func(testing.TB) { s.Outage(true) },
				Start:   func(testing.TB) { s.Outage(false) },
				Empty:   func(testing.TB) { s.Empty() },
				Link:    func(testing.TB) drivertest.Link { return link() },
			}
		},
		New: func(s drivertest.Setup) driver.Provider {
			store, _ := stores.Load(s.Address)
			p := store.(*clustertest.RecordStore).ProviderAt(s.Address, record.WithTTL(s.TTL), record.WithClock(s.Clock), record.WithWallClock(s.Wall))
			if change == nil {
				return p
			}
			return flawed{p, change}
		},
	}
}

// TestProviders runs the kit on the real clock.
func TestProviders(t *testing.T) {
	s := inProcess(record.MinTTL, nil)
	s.Backends, s.Parallel = 4, 32
	drivertest.Providers(t, s)
}

// TestProvidersInABubble runs it with lease times that are usual.
func TestProvidersInABubble(t *testing.T) {
	for _, ttl := range []time.Duration{record.DefaultTTL, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			for _, err := range drivertest.CheckProvider(t, inProcess(ttl, nil)) {
				t.Error(err)
			}
			t.Logf("with a lease time of %v: %v", ttl, time.Since(begun))
		})
	}
}

// flawed is a provider whose sessions break a clause.
type flawed struct {
	driver.Provider
	change func(driver.Session) driver.Session
}

func (p flawed) Join(ctx context.Context, r driver.Request) (driver.Session, error) {
	s, err := p.Provider.Join(ctx, r)
	if err != nil {
		return nil, err
	}
	return p.change(s), nil
}

type (
	forgetsToLeave struct{ driver.Session }
	repeats        struct{ driver.Session }
	staysValid     struct{ driver.Session }
	validLease     struct{ driver.Lease }
	renames        struct{ driver.Session }
)

func (forgetsToLeave) Leave(context.Context) error { return nil }

func (s repeats) Watch(ctx context.Context, _ uint64) (driver.View, error) {
	return s.Session.Watch(ctx, 0)
}

func (s staysValid) Lease() driver.Lease { return validLease{s.Session.Lease()} }
func (validLease) Valid() bool           { return true }

func (s renames) Watch(ctx context.Context, after uint64) (driver.View, error) {
	v, err := s.Session.Watch(ctx, after)
	if len(v.Members) > 1 {
		v.Members = append(v.Members[1:len(v.Members):len(v.Members)], v.Members[0])
	}
	return v, err
}

func TestProvidersCatches(t *testing.T) {
	for name, c := range map[string]struct {
		want   string
		change func(driver.Session) driver.Session
	}{
		"nothing":          {"", func(s driver.Session) driver.Session { return s }},
		"stays valid":      {"a crash: the lease", func(s driver.Session) driver.Session { return staysValid{s} }},
		"forgets to leave": {"drain and leave", func(s driver.Session) driver.Session { return forgetsToLeave{s} }},
		"repeats":          {"is shown view", func(s driver.Session) driver.Session { return repeats{s} }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				errs := drivertest.CheckProvider(t, inProcess(0, c.change))
				found := c.want == "" && len(errs) == 0
				for _, err := range errs {
					found = found || c.want != "" && strings.Contains(err.Error(), c.want)
				}
				if !found {
					t.Errorf("the kit found %v; want something about %q", errs, c.want)
				}
			})
		})
	}
}

func TestProvidersCatchesTwoOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		errs := drivertest.CheckProvider(t, inProcess(0, func(s driver.Session) driver.Session {
			if n.Add(1) != 3 {
				return s
			}
			return renames{s}
		}))
		found := false
		for _, err := range errs {
			found = found || strings.Contains(err.Error(), "two views of epoch")
		}
		if !found {
			t.Errorf("the kit found %v; want two views of one epoch", errs)
		}
	})
}
