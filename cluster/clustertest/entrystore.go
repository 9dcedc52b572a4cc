package clustertest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// ErrLost is the error of operations whose answer was lost; they were carried
// out.
var ErrLost = errors.New("clustertest: the answer of the store was lost")

// EntryStore keeps in memory where identities are active, as
// [driver.EntryStore] asks; give it to cluster.WithIdentityLookup. It can be
// told to fail in the ways that databases do. Its methods may be called from
// several goroutines, and within a testing/synctest bubble.
type EntryStore struct {
	mu      sync.Mutex // guards the fields below
	shelves map[string]*shelf
	down    error
	delay   time.Duration
	lossy   func() bool

	calls, atOnce, most atomic.Int64
}

// shelf is what is kept for one cluster.
type shelf struct {
	entries map[driver.Identity]driver.Entry
	record  driver.Era
	mark    driver.EraID
	counter uint64
}

// NewEntryStore makes an empty store.
func NewEntryStore() *EntryStore { return &EntryStore{shelves: make(map[string]*shelf)} }

// OpenEntries implements [driver.EntryStores].
func (s *EntryStore) OpenEntries(_ context.Context, cluster string) (driver.EntryStore, error) {
	return &entryConn{store: s, cluster: cluster}, nil
}

// Down makes all operations fail with an error; nil makes an end of it.
func (s *EntryStore) Down(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
}

// Slow makes each operation take at least d; 0 makes an end of it.
func (s *EntryStore) Slow(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// LoseAnswers makes operations that were carried out fail with [ErrLost],
// whenever lose says so; nil makes an end of it.
func (s *EntryStore) LoseAnswers(lose func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lossy = lose
}

// Empty loses all that is kept.
func (s *EntryStore) Empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.shelves)
}

// Entries gives what is kept for a cluster.
func (s *EntryStore) Entries(cluster string) map[driver.Identity]driver.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.of(cluster).entries)
}

// Era gives the era record of a cluster.
func (s *EntryStore) Era(cluster string) driver.Era {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(cluster).record
}

// Calls counts the operations so far, and gives how many were under way at once
// at most.
func (s *EntryStore) Calls() (all, atOnce int64) { return s.calls.Load(), s.most.Load() }

// of is called under the lock.
func (s *EntryStore) of(cluster string) *shelf {
	if s.shelves[cluster] == nil {
		s.shelves[cluster] = &shelf{entries: make(map[driver.Identity]driver.Entry)}
	}
	return s.shelves[cluster]
}

// entryConn is one process's connection.
type entryConn struct {
	store   *EntryStore
	cluster string
}

// do carries out one operation.
func (c *entryConn) do(ctx context.Context, operation func(*shelf) error) error {
	s := c.store
	s.calls.Add(1)
	for n := s.atOnce.Add(1); ; {
		if most := s.most.Load(); n <= most || s.most.CompareAndSwap(most, n) {
			break
		}
	}
	defer s.atOnce.Add(-1)
	s.mu.Lock()
	delay := s.delay
	s.mu.Unlock()
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("clustertest: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return s.down
	}
	err := operation(s.of(c.cluster))
	if s.lossy != nil && s.lossy() {
		return ErrLost
	}
	return err
}

// Read implements driver.EntryStore.
func (c *entryConn) Read(ctx context.Context, id driver.Identity) (e driver.Entry, err error) {
	err = c.do(ctx, func(s *shelf) error {
		e = s.entries[id]
		return nil
	})
	return e, err
}

// Claim implements driver.EntryStore.
func (c *entryConn) Claim(ctx context.Context, e driver.Entry, over driver.Fence) (driver.Entry, error) {
	err := c.do(ctx, func(s *shelf) error {
		if s.mark != e.Era {
			return driver.ErrEra
		}
		if there := s.entries[e.Identity]; !there.IsZero() && there.Token != over {
			e = there
			return driver.ErrClaimed
		}
		s.counter++
		e.Token = driver.Fence{Term: e.Era.Number, Seq: s.counter}
		s.entries[e.Identity] = e
		return nil
	})
	return e, err
}

// Release implements driver.EntryStore.
func (c *entryConn) Release(ctx context.Context, id driver.Identity, token driver.Fence) error {
	return c.do(ctx, func(s *shelf) error {
		if s.entries[id].Token == token {
			delete(s.entries, id)
		}
		return nil
	})
}

// Restore implements driver.EntryStore.
func (c *entryConn) Restore(ctx context.Context, entries []driver.Entry) (kept []driver.Entry, err error) {
	err = c.do(ctx, func(s *shelf) error {
		for _, e := range entries {
			if s.mark != e.Era {
				return driver.ErrEra
			}
			if there := s.entries[e.Identity]; there.Token.Compare(e.Token) > 0 {
				kept = append(kept, there)
				continue
			}
			s.entries[e.Identity] = e
		}
		return nil
	})
	return kept, err
}

// Remove implements driver.EntryStore.
func (c *entryConn) Remove(ctx context.Context, m driver.MemberID) error {
	return c.do(ctx, func(s *shelf) error {
		maps.DeleteFunc(s.entries, func(_ driver.Identity, e driver.Entry) bool { return e.Member == m })
		return nil
	})
}

// List implements driver.EntryStore. A cursor is the number of entries before it,
// in the order of their tokens, which those that come later do not change.
func (c *entryConn) List(ctx context.Context, cursor string, limit int) (entries []driver.Entry, next string, err error) {
	var after uint64
	if cursor != "" {
		if after, err = strconv.ParseUint(cursor, 10, 64); err != nil {
			return nil, "", fmt.Errorf("clustertest: the cursor %q is none that List gave", cursor)
		}
	}
	err = c.do(ctx, func(s *shelf) error {
		all := slices.SortedFunc(maps.Values(s.entries), func(a, b driver.Entry) int {
			return cmp.Compare(a.Token.Seq, b.Token.Seq)
		})
		for i, e := range all {
			if e.Token.Seq <= after && cursor != "" {
				continue
			}
			entries = append(entries, e)
			last := i == len(all)-1
			if len(entries) >= limit && !last && all[i+1].Token.Seq != e.Token.Seq {
				next = strconv.FormatUint(e.Token.Seq, 10)
				return nil
			}
		}
		return nil
	})
	return entries, next, err
}

// ReadEra implements driver.EntryStore.
func (c *entryConn) ReadEra(ctx context.Context) (r driver.Era, err error) {
	err = c.do(ctx, func(s *shelf) error {
		r = s.record
		return nil
	})
	return r, err
}

// WriteEra implements driver.EntryStore.
func (c *entryConn) WriteEra(ctx context.Context, since, next driver.Era) error {
	return c.do(ctx, func(s *shelf) error {
		r := s.record
		if r.EraID != since.EraID || r.Incarnation != since.Incarnation || r.Open != since.Open || !slices.Equal(r.Joined, since.Joined) {
			return driver.ErrEra
		}
		s.record = next
		if next.EraID != r.EraID && next.Number > s.mark.Number {
			s.mark, s.counter = next.EraID, 0
		}
		return nil
	})
}

// Close implements driver.EntryStore.
func (*entryConn) Close() error { return nil }
