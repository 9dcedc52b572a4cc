package drivertest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
	"github.com/granary-go/granary/cluster/record"
)

// The providers below break a clause each, and one named case finds it.

// joinsAlways makes members of observers.
type joinsAlways struct{ driver.Provider }

func (p joinsAlways) Observe(ctx context.Context, r driver.Request) (driver.Session, error) {
	r.Member.ID = "an-observer"
	return p.Join(ctx, r)
}

// oneCluster has a single cluster, whatever its name is.
type oneCluster struct{ driver.Provider }

func (p oneCluster) Join(ctx context.Context, r driver.Request) (driver.Session, error) {
	r.Cluster = r.Cluster[:12]
	return p.Provider.Join(ctx, r)
}

// silentError hides where the backend is.
type silentError struct{ driver.Provider }

func (p silentError) Join(ctx context.Context, r driver.Request) (driver.Session, error) {
	s, err := p.Provider.Join(ctx, r)
	if err != nil {
		return nil, errors.New("no backend")
	}
	return s, nil
}

// forgets is a new provider for each session.
type forgets struct {
	driver.Provider
	fresh func() driver.Provider
}

func (p forgets) Join(ctx context.Context, r driver.Request) (driver.Session, error) {
	return p.fresh().Join(ctx, r)
}

// queues shows all views, the oldest first.
type queues struct {
	driver.Session
	views chan driver.View
}

func (s queues) Watch(ctx context.Context, _ uint64) (driver.View, error) {
	select {
	case v, open := <-s.views:
		if open {
			return v, nil
		}
		return s.Session.Watch(ctx, 1<<63)
	case <-ctx.Done():
		return driver.View{}, ctx.Err()
	}
}

func queueing(s driver.Session) driver.Session {
	q := queues{s, make(chan driver.View, 100)}
	go func() { // ends with the session
		defer close(q.views)
		for after := uint64(0); ; {
			v, err := s.Watch(context.Background(), after)
			switch {
			case err == nil:
				after = v.Epoch
				q.views <- v
			case errors.Is(err, driver.ErrClosed), errors.Is(err, driver.ErrRemoved):
				return
			}
		}
	}()
	return q
}

// gullible never learns that it was removed.
type gullible struct{ driver.Session }

func (s gullible) Watch(ctx context.Context, after uint64) (driver.View, error) {
	v, err := s.Session.Watch(ctx, after)
	if errors.Is(err, driver.ErrRemoved) {
		<-ctx.Done()
		return v, ctx.Err()
	}
	return v, err
}

// timid is over after the first error.
type timid struct{ driver.Session }

func (s timid) Watch(ctx context.Context, after uint64) (driver.View, error) {
	v, err := s.Session.Watch(ctx, after)
	if err != nil && ctx.Err() == nil && !strings.Contains(err.Error(), "not taken into") {
		return v, errors.Join(driver.ErrRemoved, err)
	}
	return v, err
}

// stuck does not look at its context.
type stuck struct {
	driver.Session
	released chan struct{}
}

func (s stuck) Watch(context.Context, uint64) (driver.View, error) {
	<-s.released
	return driver.View{}, driver.ErrClosed
}

// fragile does not connect anew.
type fragile struct {
	driver.RecordStore
	dead *atomic.Bool
}

func (s fragile) Wait(ctx context.Context, since driver.Record) error {
	err := s.RecordStore.Wait(ctx, since)
	if err != nil && ctx.Err() == nil {
		s.dead.Store(true)
	}
	return err
}

func (s fragile) Read(ctx context.Context) (driver.Record, error) {
	if s.dead.Load() {
		return driver.Record{}, errors.New("the connection is dead")
	}
	return s.RecordStore.Read(ctx)
}

func TestProvidersCatchesADeadConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		store := clustertest.NewRecordStore()
		s := drivertest.ProviderService{
			Start: func(testing.TB) drivertest.Backend {
				return drivertest.Backend{Address: "direct", Link: func(testing.TB) drivertest.Link { return store.Link("link") }}
			},
			New: func(setup drivertest.Setup) driver.Provider {
				return record.New(func(ctx context.Context, r driver.Request, observe bool) (driver.RecordStore, error) {
					r.Member.Address = setup.Address
					opened, err := store.Open(ctx, r, observe)
					return fragile{opened, new(atomic.Bool)}, err
				}, record.WithTTL(setup.TTL), record.WithClock(func() time.Duration { return time.Since(begun) }))
			},
		}
		if errs := drivertest.CheckProvider(t, s, "connections that break"); !contains(errs, "waits for a view") {
			t.Errorf("the kit found %v", errs)
		}
	})
}

func TestProvidersCatchesWithOneCase(t *testing.T) {
	sessions := func(change func(driver.Session) driver.Session) func(driver.Provider, func() driver.Provider) driver.Provider {
		return func(p driver.Provider, _ func() driver.Provider) driver.Provider { return flawed{p, change} }
	}
	released := make(chan struct{})
	for name, c := range map[string]struct {
		named, want string
		options     []record.Option
		change      func(p driver.Provider, again func() driver.Provider) driver.Provider
	}{
		"joins always":     {"an observer alone", "is shown view", nil, func(p driver.Provider, _ func() driver.Provider) driver.Provider { return joinsAlways{p} }},
		"one cluster":      {"two clusters are apart", "waits for a view", nil, func(p driver.Provider, _ func() driver.Provider) driver.Provider { return oneCluster{p} }},
		"silent error":     {"a backend that cannot be reached at first", "does not name link", nil, func(p driver.Provider, _ func() driver.Provider) driver.Provider { return silentError{p} }},
		"forgets":          {drivertest.CaseEmptied, "under an earlier id", nil, func(p driver.Provider, again func() driver.Provider) driver.Provider { return forgets{p, again} }},
		"queues":           {"who looked away is shown the newest view", "want the newest", nil, sessions(queueing)},
		"gullible":         {drivertest.CaseLongOutage, "want driver: this member is no longer", nil, sessions(func(s driver.Session) driver.Session { return gullible{s} })},
		"timid":            {drivertest.CaseRestart, "Watch ends", nil, sessions(func(s driver.Session) driver.Session { return timid{s} })},
		"hasty":            {"a slow backend", "joins", []record.Option{record.WithCallTimeout(500 * time.Millisecond)}, nil},
		"slow clock":       {"members that are cut off", "whose lease is valid", []record.Option{record.WithClock(slowClock())}, nil},
		"slow clock, idle": {drivertest.CaseClocks, "whose lease is valid", []record.Option{record.WithClock(slowClock())}, nil},
		"stays valid":      {drivertest.CaseLongOutage, "fenced, and valid", nil, sessions(func(s driver.Session) driver.Session { return staysValid{s} })},
		"stuck":            {"a crash", "it hangs", nil, sessions(func(s driver.Session) driver.Session { return stuck{s, released} })},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				released = make(chan struct{})
				errs := drivertest.CheckProvider(t, changed(c.options, c.change), c.named)
				close(released)
				if !contains(errs, c.want) {
					t.Errorf("the kit found %v; want something about %q", errs, c.want)
				}
			})
		})
	}
}

// removed ends at its first look at a view.
type removed struct{ driver.Session }

func (s removed) Watch(context.Context, uint64) (driver.View, error) {
	return driver.View{}, errors.Join(driver.ErrRemoved, s.Close())
}

// Where one member is removed that was not to be, the others do not wait for it until the time of the case is over.
func TestProvidersCatchesARemovalSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var one atomic.Bool
		broken := func(p driver.Provider, _ func() driver.Provider) driver.Provider {
			return flawed{p, func(s driver.Session) driver.Session {
				if one.CompareAndSwap(false, true) {
					return removed{s}
				}
				return s
			}}
		}
		if errs := drivertest.CheckProvider(t, changed(nil, broken), "members come and go"); !contains(errs, "waits for a view") {
			t.Errorf("the kit found %v", errs)
		}
		if took := time.Since(begun); took > 2*time.Minute {
			t.Errorf("it took %v of the bubble's time", took)
		}
	})
}

// unites has all views but the first follow none.
type unites struct{ driver.Session }

func (s unites) Watch(ctx context.Context, after uint64) (driver.View, error) {
	v, err := s.Session.Watch(ctx, after)
	v.Previous = 0
	return v, err
}

// leaseless says that it has no leases.
type leaseless struct{ driver.Provider }

func (leaseless) Leases() bool { return false }

// A view that unites two sides of a split is right where there are no leases, and a fault where there are.
func TestProvidersCatchesUnions(t *testing.T) {
	broken := func(p driver.Provider, _ func() driver.Provider) driver.Provider {
		return flawed{p, func(s driver.Session) driver.Session { return unites{s} }}
	}
	synctest.Test(t, func(t *testing.T) {
		if errs := drivertest.CheckProvider(t, changed(nil, broken), "a crash"); !contains(errs, "no view unites two sides") {
			t.Errorf("with leases the kit found %v", errs)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := changed(nil, func(p driver.Provider, again func() driver.Provider) driver.Provider {
			return leaseless{broken(p, again)}
		})
		if errs := drivertest.CheckProvider(t, s, "a crash"); len(errs) > 0 {
			t.Errorf("without leases the kit found %v", errs)
		}
	})
}

// slowClock runs at two thirds of the rate, which no provider allows for.
func slowClock() func() time.Duration {
	var begun time.Time
	return func() time.Duration {
		if begun.IsZero() {
			begun = time.Now()
		}
		return time.Since(begun) * 2 / 3
	}
}

func contains(errs []error, want string) bool {
	for _, err := range errs {
		if strings.Contains(err.Error(), want) {
			return true
		}
	}
	return false
}

// changed is inProcess with options, and with providers that are changed.
func changed(options []record.Option, change func(driver.Provider, func() driver.Provider) driver.Provider) drivertest.ProviderService {
	s := inProcess(0, nil)
	intact := s.New
	s.New = func(setup drivertest.Setup) driver.Provider {
		again := func() driver.Provider { return intact(setup) }
		if change == nil {
			return again()
		}
		return change(again(), again)
	}
	if options != nil {
		var store *clustertest.RecordStore
		s.Start = func(testing.TB) drivertest.Backend {
			store = clustertest.NewRecordStore()
			links := 0
			return drivertest.Backend{Address: "direct", Link: func(testing.TB) drivertest.Link {
				links++
				return store.Link(strings.Repeat("x", links))
			}}
		}
		s.New = func(setup drivertest.Setup) driver.Provider {
			return store.ProviderAt(setup.Address, append([]record.Option{record.WithTTL(setup.TTL)}, options...)...)
		}
	}
	return s
}

// A service that cannot do something says so, or the case fails.
func TestProvidersReportsWhatABackendCannotDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inProcess(0, nil)
		start := s.Start
		s.Start = func(t testing.TB) drivertest.Backend {
			b := start(t)
			b.Stop, b.Empty = nil, nil
			return b
		}
		for _, name := range []string{drivertest.CaseRestart, drivertest.CaseLongOutage, drivertest.CaseEmptied} {
			if errs := drivertest.CheckProvider(t, s, name); !contains(errs, "say why in Omit") {
				t.Errorf("%s: %v; want an error about what is missing", name, errs)
			}
		}
		s.Omit = map[string]string{drivertest.CaseEmptied: "there is no way"}
		if errs := drivertest.CheckProvider(t, s, drivertest.CaseEmptied); len(errs) > 0 {
			t.Errorf("%v of a case that is omitted", errs)
		}
	})
}

// failsOnce is a provider whose first Join of all fails.
type failsOnce struct {
	driver.Provider
	failed *atomic.Bool
	err    error
}

func (p failsOnce) Join(ctx context.Context, r driver.Request) (driver.Session, error) {
	if p.failed.CompareAndSwap(false, true) {
		return nil, p.err
	}
	return p.Provider.Join(ctx, r)
}

// A backend may be unavailable for a moment; any other error of Join is one.
func TestProvidersTriesToJoinAgain(t *testing.T) {
	for want, err := range map[string]error{
		"":                 fmt.Errorf("busy: %w", driver.ErrUnavailable),
		"joins: forbidden": errors.New("forbidden"),
	} {
		synctest.Test(t, func(t *testing.T) {
			var failed atomic.Bool
			s := changed(nil, func(p driver.Provider, _ func() driver.Provider) driver.Provider { return failsOnce{p, &failed, err} })
			errs := drivertest.CheckProvider(t, s, "a crash")
			if !failed.Load() || want == "" && len(errs) > 0 || want != "" && !contains(errs, want) {
				t.Errorf("with an error %q the kit found %v; want something about %q", err, errs, want)
			}
		})
	}
}
