package drivertest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
)

// service opens the store of a test, and lets break change each connection.
func service(s *clustertest.RecordStore, change func(driver.RecordStore) driver.RecordStore) drivertest.RecordService {
	return drivertest.RecordService{Open: func(ctx context.Context, cluster string) (driver.RecordStore, error) {
		store, err := s.Open(ctx, driver.Request{Cluster: cluster}, false)
		if change != nil && err == nil {
			store = change(store)
		}
		return store, err
	}}
}

func TestRecordStores(t *testing.T) {
	drivertest.RecordStores(t, service(clustertest.NewRecordStore(), nil))
}

// The stores below break one clause each.

type (
	intact      struct{ driver.RecordStore }
	overwrites  struct{ intact } // Write does not compare
	comparesABA struct{ intact } // Write compares contents
	keysChange  struct{ intact } // a new key is a change of the record
	stale       struct {         // Read gives what it gave before, once
		intact
		mu   sync.Mutex
		last *driver.Record
	}
	deafToKeys struct{ intact } // Wait does not notice liveness keys
	fromNow    struct{ intact } // Wait does not notice what was before it
	early      struct{ intact } // the key ends before the lease
	eternal    struct {         // the key does not end
		intact
		cancel context.CancelFunc
		wg     sync.WaitGroup
	}
	revives struct { // Renew makes the key again
		intact
		reopen func() driver.RecordStore
		id     driver.MemberID
		data   []byte
	}
	stays      struct{ intact } // Unregister leaves the key
	tidy       struct{ intact } // Close deletes the key
	deaf       struct{ intact } // contexts do not end calls
	truncates  struct{ intact }
	loseErrors struct{ intact } // a conflict is no error
)

func (s overwrites) Write(ctx context.Context, _ driver.Record, data []byte) error {
	for {
		now, err := s.Read(ctx)
		if err != nil {
			return err
		}
		if err := s.RecordStore.Write(ctx, now, data); err == nil || ctx.Err() != nil {
			return err
		}
	}
}

func (s comparesABA) Write(ctx context.Context, since driver.Record, data []byte) error {
	now, err := s.Read(ctx)
	if err == nil && string(now.Data) == string(since.Data) && (now.Data == nil) == (since.Data == nil) {
		since = now
	}
	return s.RecordStore.Write(ctx, since, data)
}

func (s keysChange) Write(ctx context.Context, since driver.Record, data []byte) error {
	if now, err := s.Read(ctx); err == nil && len(now.Alive) != len(since.Alive) {
		return driver.ErrConflict
	}
	return s.RecordStore.Write(ctx, since, data)
}

func (s *stale) Read(ctx context.Context) (driver.Record, error) {
	r, err := s.RecordStore.Read(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.last; last != nil {
		s.last = nil
		return *last, err
	}
	s.last = &r
	return r, err
}

func (s deafToKeys) Wait(ctx context.Context, since driver.Record) error {
	for {
		now, err := s.Read(ctx)
		if err != nil || string(now.Data) != string(since.Data) {
			return err
		}
		if err := s.RecordStore.Wait(ctx, now); err != nil {
			return err
		}
	}
}

func (s fromNow) Wait(ctx context.Context, _ driver.Record) error {
	now, err := s.Read(ctx)
	if err != nil {
		return err
	}
	return s.RecordStore.Wait(ctx, now)
}

func (s early) Register(ctx context.Context, id driver.MemberID, data []byte, ttl time.Duration) (time.Duration, error) {
	_, err := s.RecordStore.Register(ctx, id, data, ttl/2)
	return ttl, err
}

func (s early) Renew(ctx context.Context) (time.Duration, error) {
	granted, err := s.RecordStore.Renew(ctx)
	return 2 * granted, err
}

func (s *eternal) Register(ctx context.Context, id driver.MemberID, data []byte, ttl time.Duration) (time.Duration, error) {
	granted, err := s.RecordStore.Register(ctx, id, data, ttl)
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.wg.Go(func() {
		ticker := time.NewTicker(ttl / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				_, _ = s.Renew(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
	return granted, err
}

func (s *eternal) Close() error {
	if s.cancel != nil {
		s.cancel()
	}
	s.wg.Wait()
	return s.RecordStore.Close()
}

func (s *revives) Register(ctx context.Context, id driver.MemberID, data []byte, ttl time.Duration) (time.Duration, error) {
	s.id, s.data = id, data
	return s.RecordStore.Register(ctx, id, data, ttl)
}

func (s *revives) Renew(ctx context.Context) (time.Duration, error) {
	granted, err := s.RecordStore.Renew(ctx)
	if err != nil && ctx.Err() == nil {
		_ = s.Close()
		s.RecordStore = s.reopen()
		granted, err = s.RecordStore.Register(ctx, s.id, s.data, time.Second)
	}
	return granted, err
}

func (stays) Unregister(context.Context) error { return nil }

func (s tidy) Close() error {
	_ = s.Unregister(context.Background())
	return s.intact.Close()
}

func (s deaf) Write(ctx context.Context, since driver.Record, data []byte) error {
	return s.RecordStore.Write(context.WithoutCancel(ctx), since, data)
}

func (s truncates) Write(ctx context.Context, since driver.Record, data []byte) error {
	return s.RecordStore.Write(ctx, since, data[:min(len(data), 1<<16)])
}

func (s loseErrors) Write(ctx context.Context, since driver.Record, data []byte) error {
	if err := s.RecordStore.Write(ctx, since, data); err != nil && !errors.Is(err, driver.ErrConflict) {
		return err
	}
	return nil
}

func TestRecordStoresCatches(t *testing.T) {
	for name, c := range map[string]struct {
		want   string // the case that fails
		change func(driver.RecordStore) driver.RecordStore
	}{
		"nothing":          {"", func(s driver.RecordStore) driver.RecordStore { return s }},
		"overwrites":       {"a stale write", func(s driver.RecordStore) driver.RecordStore { return overwrites{intact{s}} }},
		"compares content": {"a stale write", func(s driver.RecordStore) driver.RecordStore { return comparesABA{intact{s}} }},
		"keys change":      {"do not touch", func(s driver.RecordStore) driver.RecordStore { return keysChange{intact{s}} }},
		"stale":            {"is read by everybody", func(s driver.RecordStore) driver.RecordStore { return &stale{intact: intact{s}} }},
		"deaf to keys":     {"wait notices", func(s driver.RecordStore) driver.RecordStore { return deafToKeys{intact{s}} }},
		"from now":         {"wait notices", func(s driver.RecordStore) driver.RecordStore { return fromNow{intact{s}} }},
		"early":            {"ends with its lease", func(s driver.RecordStore) driver.RecordStore { return early{intact{s}} }},
		"eternal":          {"ends with its lease", func(s driver.RecordStore) driver.RecordStore { return &eternal{intact: intact{s}} }},
		"stays":            {"unregister deletes", func(s driver.RecordStore) driver.RecordStore { return stays{intact{s}} }},
		"tidy":             {"close leaves", func(s driver.RecordStore) driver.RecordStore { return tidy{intact{s}} }},
		"deaf":             {"contexts end", func(s driver.RecordStore) driver.RecordStore { return deaf{intact{s}} }},
		"truncates":        {"large values", func(s driver.RecordStore) driver.RecordStore { return truncates{intact{s}} }},
		"loses errors":     {"of writers that race", func(s driver.RecordStore) driver.RecordStore { return loseErrors{intact{s}} }},
	} {
		t.Run(name, func(t *testing.T) { catches(t, service(clustertest.NewRecordStore(), c.change), c.want) })
	}
	t.Run("shares clusters", func(t *testing.T) {
		s := clustertest.NewRecordStore()
		catches(t, drivertest.RecordService{Open: func(ctx context.Context, name string) (driver.RecordStore, error) {
			return s.Open(ctx, driver.Request{Cluster: name[:20]}, false)
		}}, "do not meet")
	})
	t.Run("revives", func(t *testing.T) {
		s := clustertest.NewRecordStore()
		catches(t, drivertest.RecordService{Open: func(ctx context.Context, name string) (driver.RecordStore, error) {
			open := func() driver.RecordStore {
				store, _ := s.Open(ctx, driver.Request{Cluster: name}, false)
				return store
			}
			return &revives{intact: intact{open()}, reopen: open}, nil
		}}, "ends with its lease")
	})
}

// catches runs the kit in a bubble and expects that a case fails.
func catches(t *testing.T, s drivertest.RecordService, want string) {
	synctest.Test(t, func(t *testing.T) {
		errs := drivertest.CheckRecordStore(t.Context(), s)
		found := want == "" && len(errs) == 0
		for _, err := range errs {
			found = found || want != "" && strings.Contains(err.Error(), want)
		}
		if !found {
			t.Errorf("the kit found %v; want something in the case %q", errs, want)
		}
	})
}
