package drivertest_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
	"github.com/granary-go/granary/cluster/record"
)

func TestProviders(t *testing.T) {
	s := clustertest.NewRecordStore()
	drivertest.Providers(t, drivertest.ProviderService{
		New: func() driver.Provider { return s.Provider(record.WithTTL(record.MinTTL)) },
		TTL: record.MinTTL,
	})
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
				s := clustertest.NewRecordStore()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				errs := drivertest.CheckProvider(ctx, drivertest.ProviderService{
					New: func() driver.Provider { return flawed{s.Provider(), c.change} },
				})
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
		s := clustertest.NewRecordStore()
		errs := drivertest.CheckProvider(t.Context(), drivertest.ProviderService{New: func() driver.Provider {
			if n.Add(1) != 3 {
				return s.Provider()
			}
			return flawed{s.Provider(), func(s driver.Session) driver.Session { return renames{s} }}
		}})
		found := false
		for _, err := range errs {
			found = found || strings.Contains(err.Error(), "two views of epoch")
		}
		if !found {
			t.Errorf("the kit found %v; want two views of one epoch", errs)
		}
	})
}
