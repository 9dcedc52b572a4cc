package zk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/granary-go/granary/cluster/driver"
)

// Wait implements [driver.RecordStore]: watches on the record and on the list of liveness keys, and a look at both after
// they are set. It returns after [longestWait] in any case, and when the connection is lost that has the watches.
func (s *store) Wait(ctx context.Context, since driver.Record) error {
	v, ok := since.Version.(version)
	if !ok {
		return ctx.Err() // nothing was read
	}
	bound := time.NewTimer(longestWait)
	defer bound.Stop()
	c, err := s.connection(ctx)
	if err != nil {
		return s.explain(ctx, "watch the membership", err)
	}
	w, record, made, err := s.watch(ctx, c)
	switch {
	case err != nil:
		return s.explain(ctx, "watch the membership", err)
	case record != v.record || made != v.made:
		return nil
	}
	for {
		changed, gone := c.ended()
		if gone != nil {
			return nil
		}
		select {
		case <-w.record:
			return nil
		case <-w.members:
			return nil
		case <-bound.C:
			return nil
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watch sets the watches that are not set, and gives the transactions that changed both last. One that is set is not
// set again: the library would keep both for as long as nothing changes.
func (s *store) watch(ctx context.Context, c *client) (w watches, record, made int64, err error) {
	s.mu.Lock()
	if s.reader == c {
		w = s.watches
	}
	s.mu.Unlock()
	if w.record, record, err = watchRecord(ctx, c, s.recordPath(), unless(w.record)); err != nil {
		return w, 0, 0, fmt.Errorf("the view record: %w", err)
	}
	if w.members, made, err = watchMembers(ctx, c, s.membersPath(), unless(w.members)); err != nil {
		return w, 0, 0, fmt.Errorf("the liveness keys: %w", err)
	}
	s.mu.Lock()
	if s.reader == c {
		s.watches = w
	}
	s.mu.Unlock()
	return w, record, made, nil
}

// unless gives a watch that has not told of anything, or nil. One that has is closed.
func unless(w <-chan zk.Event) <-chan zk.Event {
	select {
	case <-w:
		return nil
	default:
		return w
	}
}

// seen is what is seen of a node when a watch is set on it.
type seen struct {
	watch <-chan zk.Event
	at    int64 // a transaction; 0 if there is no node
}

// watchRecord sets a watch on a node that may not be there, unless it is set.
func watchRecord(ctx context.Context, c *client, path string, set <-chan zk.Event) (<-chan zk.Event, int64, error) {
	s, err := call(ctx, c, func(conn *zk.Conn) (seen, error) {
		s := seen{watch: set}
		var there bool
		var stat *zk.Stat
		var err error
		if set == nil {
			there, stat, s.watch, err = conn.ExistsW(path)
		} else {
			there, stat, err = conn.Exists(path)
		}
		if err == nil && there {
			s.at = stat.Mzxid
		}
		return s, err
	})
	return s.watch, s.at, err
}

// watchMembers sets a watch on what is below a node, unless it is set, or on the node itself if there is none.
func watchMembers(ctx context.Context, c *client, path string, set <-chan zk.Event) (<-chan zk.Event, int64, error) {
	s, err := call(ctx, c, func(conn *zk.Conn) (seen, error) {
		s := seen{watch: set}
		var stat *zk.Stat
		var err error
		if set == nil {
			_, stat, s.watch, err = conn.ChildrenW(path)
		} else {
			_, stat, err = conn.Children(path)
		}
		if err == nil {
			s.at = stat.Pzxid
		}
		return s, err
	})
	if !errors.Is(err, zk.ErrNoNode) {
		return s.watch, s.at, err
	}
	watch, changed, err := watchRecord(ctx, c, path, set)
	return watch, changed, err // which is no time of a liveness key's, if the node was made just now: read again
}
