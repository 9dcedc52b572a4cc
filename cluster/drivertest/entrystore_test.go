package drivertest_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
)

func TestEntryStores(t *testing.T) {
	t.Parallel()
	store := clustertest.NewEntryStore()
	drivertest.EntryStores(t, drivertest.EntryService{
		Open: store.OpenEntries,
		Lose: map[string]func(){"emptied": store.Empty},
	})
}

// wrong is a store that is right but for one method.
type wrong struct {
	driver.EntryStore

	read    func(driver.Entry) driver.Entry
	claim   func(ctx context.Context, s driver.EntryStore, e driver.Entry, over driver.Fence) (driver.Entry, error)
	release func(ctx context.Context, s driver.EntryStore, id driver.Identity, token driver.Fence) error
	restore func(ctx context.Context, s driver.EntryStore, e []driver.Entry) ([]driver.Entry, error)
	remove  func(ctx context.Context, s driver.EntryStore, m driver.MemberID) error
	list    func(e []driver.Entry) []driver.Entry
	era     func(driver.Era) driver.Era
	write   func(ctx context.Context, s driver.EntryStore, since, next driver.Era) error
}

func (w wrong) Read(ctx context.Context, id driver.Identity) (driver.Entry, error) {
	e, err := w.EntryStore.Read(ctx, id)
	if w.read != nil {
		e = w.read(e)
	}
	return e, err
}

func (w wrong) Claim(ctx context.Context, e driver.Entry, over driver.Fence) (driver.Entry, error) {
	if w.claim != nil {
		return w.claim(ctx, w.EntryStore, e, over)
	}
	return w.EntryStore.Claim(ctx, e, over)
}

func (w wrong) Release(ctx context.Context, id driver.Identity, token driver.Fence) error {
	if w.release != nil {
		return w.release(ctx, w.EntryStore, id, token)
	}
	return w.EntryStore.Release(ctx, id, token)
}

func (w wrong) Restore(ctx context.Context, e []driver.Entry) ([]driver.Entry, error) {
	if w.restore != nil {
		return w.restore(ctx, w.EntryStore, e)
	}
	return w.EntryStore.Restore(ctx, e)
}

func (w wrong) Remove(ctx context.Context, m driver.MemberID) error {
	if w.remove != nil {
		return w.remove(ctx, w.EntryStore, m)
	}
	return w.EntryStore.Remove(ctx, m)
}

func (w wrong) List(ctx context.Context, cursor string, limit int) ([]driver.Entry, string, error) {
	entries, next, err := w.EntryStore.List(ctx, cursor, limit)
	if w.list != nil {
		entries = w.list(entries)
	}
	return entries, next, err
}

func (w wrong) ReadEra(ctx context.Context) (driver.Era, error) {
	era, err := w.EntryStore.ReadEra(ctx)
	if w.era != nil {
		era = w.era(era)
	}
	return era, err
}

func (w wrong) WriteEra(ctx context.Context, since, next driver.Era) error {
	if w.write != nil {
		return w.write(ctx, w.EntryStore, since, next)
	}
	return w.EntryStore.WriteEra(ctx, since, next)
}

// readThenWrite claims in two steps, as a database without compare-and-set does.
func readThenWrite(ctx context.Context, s driver.EntryStore, e driver.Entry, over driver.Fence) (driver.Entry, error) {
	there, err := s.Read(ctx, e.Identity)
	if err != nil {
		return there, err
	}
	if !there.IsZero() && there.Token != over {
		return there, driver.ErrClaimed
	}
	for range 100 {
		runtime.Gosched()
	}
	for {
		got, err := s.Claim(ctx, e, there.Token)
		if !errors.Is(err, driver.ErrClaimed) {
			return got, err
		}
		there = got
	}
}

// The kit finds what is wrong with a store, in the case that is about it.
func TestEntryStoresFindsFlaws(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		wrong    wrong
	}{
		{"claims in two steps", "one of many claims wins", wrong{claim: readThenWrite}},
		{"takes over whatever is there", "a claim replaces the entry that it names alone", wrong{claim: func(ctx context.Context, s driver.EntryStore, e driver.Entry, over driver.Fence) (driver.Entry, error) {
			if over.IsZero() {
				return s.Claim(ctx, e, over)
			}
			return readThenWrite(ctx, s, e, func() driver.Fence { there, _ := s.Read(ctx, e.Identity); return there.Token }())
		}}},
		{"refuses to take over", "a claim over a void entry is won once", wrong{claim: func(ctx context.Context, s driver.EntryStore, e driver.Entry, _ driver.Fence) (driver.Entry, error) {
			return s.Claim(ctx, e, driver.Fence{})
		}}},
		{"names no entry that was there first", "an entry comes and goes", wrong{claim: func(ctx context.Context, s driver.EntryStore, e driver.Entry, over driver.Fence) (driver.Entry, error) {
			got, err := s.Claim(ctx, e, over)
			if errors.Is(err, driver.ErrClaimed) {
				got = driver.Entry{}
			}
			return got, err
		}}},
		{"forgets the epoch", "an entry comes and goes", wrong{read: func(e driver.Entry) driver.Entry { e.Epoch &= 1<<53 - 1; return e }}},
		{"folds case", "identities are apart", wrong{read: func(e driver.Entry) driver.Entry { e.Identity.Name = strings.ToLower(e.Identity.Name); return e }}},
		{"releases whatever is there", "a release removes its own entry alone", wrong{release: func(ctx context.Context, s driver.EntryStore, id driver.Identity, _ driver.Fence) error {
			there, _ := s.Read(ctx, id)
			return s.Release(ctx, id, there.Token)
		}}},
		{"does not release", "an entry comes and goes", wrong{release: func(context.Context, driver.EntryStore, driver.Identity, driver.Fence) error { return nil }}},
		{"writes nothing back", "entries are written back", wrong{restore: func(context.Context, driver.EntryStore, []driver.Entry) ([]driver.Entry, error) { return nil, nil }}},
		{"does not say what it kept", "entries are written back", wrong{restore: func(ctx context.Context, s driver.EntryStore, e []driver.Entry) ([]driver.Entry, error) {
			_, err := s.Restore(ctx, e)
			return nil, err
		}}},
		{"removes all", "what a member had is removed", wrong{remove: func(ctx context.Context, s driver.EntryStore, _ driver.MemberID) error {
			return errors.Join(s.Remove(ctx, "m0"), s.Remove(ctx, "m1"), s.Remove(ctx, "m2"))
		}}},
		{"removes nothing", "what a member had is removed", wrong{remove: func(context.Context, driver.EntryStore, driver.MemberID) error { return nil }}},
		{"lists all but one", "everything is listed", wrong{list: func(e []driver.Entry) []driver.Entry { return e[:max(len(e)-1, 0)] }}},
		{"forgets who joined", "the era record is compared and set", wrong{era: func(e driver.Era) driver.Era { e.Joined = nil; return e }}},
		{"compares numbers alone", "the era record is compared and set", wrong{write: func(ctx context.Context, s driver.EntryStore, since, next driver.Era) error {
			if there, _ := s.ReadEra(ctx); there.Number == since.Number {
				since = there
			}
			return s.WriteEra(ctx, since, next)
		}}},
		{"sets without comparing", "one of many begins an era", wrong{write: func(ctx context.Context, s driver.EntryStore, _, next driver.Era) error {
			for {
				there, _ := s.ReadEra(ctx)
				if err := s.WriteEra(ctx, there, next); !errors.Is(err, driver.ErrEra) {
					return err
				}
			}
		}}},
		{"claims in any era", "claims of another era are refused", wrong{claim: func(ctx context.Context, s driver.EntryStore, e driver.Entry, over driver.Fence) (driver.Entry, error) {
			era, _ := s.ReadEra(ctx)
			e.Era = era.EraID
			return s.Claim(ctx, e, over)
		}}},
		{"does not look at its context", "calls end with their context", wrong{remove: func(_ context.Context, s driver.EntryStore, m driver.MemberID) error {
			return s.Remove(context.Background(), m)
		}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := clustertest.NewEntryStore()
			found := drivertest.CheckEntryStore(t.Context(), drivertest.EntryService{Open: func(ctx context.Context, name string) (driver.EntryStore, error) {
				s, err := store.OpenEntries(ctx, name)
				w := c.wrong
				w.EntryStore = s
				return w, err
			}})
			for _, err := range found {
				if strings.HasPrefix(err.Error(), c.in) {
					return
				}
			}
			t.Errorf("not found in the case %q; found %v", c.in, found)
		})
	}
}
