package clustertest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// connection is one process's [driver.RecordStore].
type connection struct {
	store            *RecordStore
	cluster, address string
	closed           chan struct{}
	closer           sync.Once

	// id and key are guarded by the store's mutex.
	id  driver.MemberID
	key *key
}

// do performs a call: it waits while the process is cut off, and takes its
// time.
func (c *connection) do(ctx context.Context, f func(*content) error) error {
	delay, err := c.reach(ctx, nil)
	if err != nil {
		return err
	}
	if err := pause(ctx, delay/2); err != nil {
		return err
	}
	var result error
	if _, err := c.reach(ctx, func(kept *content) { result = f(kept) }); err != nil {
		return err
	}
	if err := pause(ctx, delay/2); err != nil {
		return err
	}
	if _, err := c.reach(ctx, nil); err != nil {
		return err // the answer was lost
	}
	return result
}

// reach waits until the service can be reached and then does f at once.
func (c *connection) reach(ctx context.Context, f func(*content)) (delay time.Duration, err error) {
	s := c.store
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		s.mu.Lock()
		changed, cut, down := s.changed, s.cut[c.address] > 0, s.down
		delay = s.delay
		if !cut && !down && f != nil && !c.isClosed() {
			before := s.revision
			f(s.content(c.cluster))
			if s.revision != before {
				close(s.changed)
				s.changed = make(chan struct{})
			}
		}
		s.mu.Unlock()
		switch {
		case c.isClosed():
			return 0, errClosed
		case down && !cut:
			return 0, errDown
		case !cut:
			return delay, nil
		}
		select {
		case <-changed:
		case <-c.closed:
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: %w", errCut, ctx.Err())
		}
	}
}

func (c *connection) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Read implements driver.RecordStore.
func (c *connection) Read(ctx context.Context) (r driver.Record, err error) {
	err = c.do(ctx, func(kept *content) error {
		r = kept.read()
		return nil
	})
	return r, err
}

// Wait implements driver.RecordStore.
func (c *connection) Wait(ctx context.Context, since driver.Record) error {
	for {
		c.store.mu.Lock()
		changed := c.store.changed
		c.store.mu.Unlock()
		done := false
		if err := c.do(ctx, func(kept *content) error {
			seen, _ := since.Version.(version)
			done = kept.rev != seen.rev
			return nil
		}); err != nil || done {
			return err
		}
		select {
		case <-changed:
		case <-c.closed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Write implements driver.RecordStore.
func (c *connection) Write(ctx context.Context, since driver.Record, data []byte) error {
	data = slices.Clone(data)
	return c.do(ctx, func(kept *content) error {
		if seen, read := since.Version.(version); !read || seen.mod != kept.mod {
			return driver.ErrConflict
		}
		c.store.put(kept, data)
		return nil
	})
}

// Register implements driver.RecordStore.
func (c *connection) Register(ctx context.Context, id driver.MemberID, data []byte, ttl time.Duration) (time.Duration, error) {
	data = slices.Clone(data)
	return ttl, c.do(ctx, func(kept *content) error {
		if c.key != nil {
			return errCalls
		}
		c.id, c.key = id, &key{data: data, ttl: ttl}
		c.store.add(kept, id, c.key)
		return nil
	})
}

// Renew implements driver.RecordStore.
func (c *connection) Renew(ctx context.Context) (granted time.Duration, err error) {
	err = c.do(ctx, func(kept *content) error {
		switch {
		case c.key == nil:
			return errCalls
		case kept.keys[c.id] != c.key:
			return driver.ErrLeaseLost
		}
		c.key.renew()
		granted = c.key.ttl
		return nil
	})
	return granted, err
}

// Unregister implements driver.RecordStore.
func (c *connection) Unregister(ctx context.Context) error {
	return c.do(ctx, func(kept *content) error {
		if c.key == nil {
			return errCalls
		}
		if kept.keys[c.id] == c.key {
			c.store.remove(kept, c.id)
		}
		return nil
	})
}

// Close implements driver.RecordStore.
func (c *connection) Close() error {
	c.closer.Do(func() { close(c.closed) })
	return nil
}
