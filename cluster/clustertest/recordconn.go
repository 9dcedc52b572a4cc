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

// do performs a call: it waits while the process is cut off, takes its time, and
// fails if the connection breaks meanwhile.
func (c *connection) do(ctx context.Context, f func(*content) error) error {
	broken := c.broken()
	var result error
	delay, err := c.reach(ctx, broken, nil)
	if err == nil {
		err = c.pause(ctx, delay/2, broken)
	}
	if err == nil {
		_, err = c.reach(ctx, broken, func(kept *content) { result = f(kept) })
	}
	if err == nil {
		err = c.pause(ctx, delay/2, broken)
	}
	if err == nil {
		_, err = c.reach(ctx, broken, nil) // else the answer is lost
	}
	if err != nil {
		return err
	}
	return result
}

// broken gives what is closed when the connection breaks.
func (c *connection) broken() <-chan struct{} {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	return c.store.link(c.address).broken
}

// reach waits until the service can be reached and then does f at once. It
// gives the time that a call takes.
func (c *connection) reach(ctx context.Context, broken <-chan struct{}, f func(*content)) (delay time.Duration, err error) {
	s := c.store
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		s.mu.Lock()
		k := s.link(c.address)
		changed, stalled, cut, down := s.changed, k.stalled > 0, k.cut > 0 || isClosed(broken), s.down
		delay = s.delay + 2*k.delay
		if !stalled && !cut && !down && f != nil && !isClosed(c.closed) {
			before := s.revision
			f(s.content(c.cluster))
			if s.revision != before {
				close(s.changed)
				s.changed = make(chan struct{})
			}
		}
		s.mu.Unlock()
		switch {
		case isClosed(c.closed):
			return 0, errClosed
		case cut:
			return 0, c.brokenErr()
		case down && !stalled:
			return 0, errDown
		case !stalled:
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

func (c *connection) brokenErr() error {
	return fmt.Errorf("%w, which led by way of %s", errBroken, c.address)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (c *connection) pause(ctx context.Context, d time.Duration, broken <-chan struct{}) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-broken:
		return c.brokenErr()
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
	broken := c.broken()
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
		case <-broken:
			return c.brokenErr()
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
