package zk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/granary-go/granary/cluster/driver"
)

const (
	// longestWait bounds a Wait, in case a watch has come to nothing.
	longestWait = 5 * time.Second
	// readerSession is the time-out of sessions that hold nothing.
	readerSession = 10 * time.Second
	// maxRequest is a little more than a server takes.
	maxRequest = 1<<20 + 4<<10
)

// store is a [driver.RecordStore] on ZooKeeper, for one session of the provider. Its nodes are
//
//	base/view             the view record
//	base/view/<random>    made with the record: tells it from another that was made after it was deleted
//	base/members/<id>     the liveness keys, which are ephemeral
//
// ZooKeeper compares versions only, and those of a node that was deleted and made anew begin at 0 again. A write
// therefore also checks that the node below the record, whose name never comes back, is still there.
type store struct {
	hosts  *hosts
	dialer Dialer
	auth   []credential
	acl    []zk.ACL
	base   string
	idle   time.Duration   // time-out of the session that holds nothing
	turn   chan struct{}   // held by who opens a connection
	ctx    context.Context // ends with the store
	cancel context.CancelFunc

	mu           sync.Mutex // guards the fields below
	reader       *client    // nil while there is none
	watches      watches    // of the reader
	descriptions map[string][]byte
	birth        birth
	keeper       *keeper // nil before Register
}

var _ driver.RecordStore = (*store)(nil)

// version is a [driver.Record] Version.
type version struct {
	exists bool
	number int32  // of the record
	mark   string // the node below it
	record int64  // the transaction that changed it last; 0 if there is none
	made   int64  // the last one that made or deleted a liveness key; 0 if there never was any
}

// birth is when the record that was seen last was made, and the node that was made with it.
type birth struct {
	made int64
	mark string
}

// watches tell of changes; those that are nil, or have told of one, are not set.
type watches struct{ record, members <-chan zk.Event }

func (s *store) recordPath() string  { return s.base + "/view" }
func (s *store) membersPath() string { return s.base + "/members" }
func (s *store) memberPath(id driver.MemberID) string {
	return s.membersPath() + "/" + nodeName(string(id))
}

func (s *store) checkPath() error {
	if strings.Contains(s.base, "//") || strings.ContainsFunc(s.base, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) ||
		strings.Contains(s.base+"/", "/./") || strings.Contains(s.base+"/", "/../") {
		return fmt.Errorf("zk: %q is no path of a node: check the prefix and the chroot", s.base)
	}
	return nil
}

// connection gives the connection for everything but the liveness key, and opens one if there is none.
func (s *store) connection(ctx context.Context) (*client, error) {
	ctx, release, err := s.takeTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	s.mu.Lock()
	reader := s.reader
	s.mu.Unlock()
	if reader != nil {
		if _, gone := reader.ended(); gone == nil {
			return reader, nil
		}
		s.replace(nil)
		reader.close()
	}
	if reader, err = s.connect(ctx, s.idle, false); err != nil {
		return nil, err
	}
	s.replace(reader)
	return reader, nil
}

// takeTurn lets one at a time open a connection, until the store is closed, which ends the context that it gives.
func (s *store) takeTurn(ctx context.Context) (context.Context, func(), error) {
	select {
	case s.turn <- struct{}{}:
	case <-s.ctx.Done():
		return ctx, nil, errClosed
	case <-ctx.Done():
		return ctx, nil, ctx.Err()
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	release := func() {
		stop()
		cancel()
		<-s.turn
	}
	if s.ctx.Err() != nil {
		release()
		return ctx, nil, errClosed
	}
	return ctx, release, nil
}

func (s *store) connect(ctx context.Context, timeout time.Duration, keeper bool) (*client, error) {
	return connect(ctx, s.hosts, s.dialer, s.auth, timeout, keeper)
}

func (s *store) replace(reader *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reader, s.watches = reader, watches{}
}

// Read implements [driver.RecordStore]. What a server gives may be old, and so may what it gives after a sync: that asks
// one that takes itself for the leader, who may have been replaced. Therefore the read is preceded by a transaction that
// changes nothing: the majority agrees on it, and the server that answers has seen all before it.
func (s *store) Read(ctx context.Context) (driver.Record, error) {
	c, err := s.connection(ctx)
	if err != nil {
		return driver.Record{}, s.explain(ctx, "read the membership", err)
	}
	_, err = call(ctx, c, func(conn *zk.Conn) ([]zk.MultiResponse, error) {
		return conn.Multi(&zk.CheckVersionRequest{Path: s.base, Version: -1})
	})
	if err != nil && !errors.Is(err, zk.ErrNoNode) { // which the majority agrees on as well
		return driver.Record{}, s.explain(ctx, "read the membership", err)
	}
	record, v, err := s.readRecord(ctx, c)
	if err != nil {
		return driver.Record{}, s.explain(ctx, "read the view record", err)
	}
	if record.Alive, v.made, err = s.readMembers(ctx, c); err != nil {
		return driver.Record{}, s.explain(ctx, "read the liveness keys", err)
	}
	record.Version = v
	return record, nil
}

// readRecord reads the record and the name of the node below it, which are of one birth.
func (s *store) readRecord(ctx context.Context, c *client) (driver.Record, version, error) {
	for {
		n, err := get(ctx, c, s.recordPath())
		switch {
		case errors.Is(err, zk.ErrNoNode):
			return driver.Record{}, version{}, nil
		case err != nil:
			return driver.Record{}, version{}, err
		}
		s.mu.Lock()
		born := s.birth
		s.mu.Unlock()
		if born.made != n.stat.Czxid {
			if born, err = s.findMark(ctx, c); err != nil && !errors.Is(err, zk.ErrNoNode) {
				return driver.Record{}, version{}, err
			}
			s.mu.Lock()
			s.birth = born
			s.mu.Unlock()
		}
		if born.made == n.stat.Czxid { // or the record was deleted meanwhile
			v := version{exists: true, number: n.stat.Version, mark: born.mark, record: n.stat.Mzxid}
			return driver.Record{Data: append([]byte{}, n.data...)}, v, nil // never nil: the node is there
		}
	}
}

// findMark reads what is below the record; somebody else's record has nothing there.
func (s *store) findMark(ctx context.Context, c *client) (birth, error) {
	n, err := children(ctx, c, s.recordPath())
	if err != nil {
		return birth{}, err
	}
	b := birth{made: n.stat.Czxid}
	if len(n.children) > 0 {
		b.mark = n.children[0]
	}
	return b, nil
}

// readMembers reads the liveness keys. A description is read once: an id is one process's, whose description does not
// change. Nodes that are not ephemeral are somebody else's, and would live for ever.
func (s *store) readMembers(ctx context.Context, c *client) (map[driver.MemberID][]byte, int64, error) {
	alive := map[driver.MemberID][]byte{}
	n, err := children(ctx, c, s.membersPath())
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return alive, 0, nil
	case err != nil:
		return nil, 0, err
	}
	s.mu.Lock()
	known := maps.Clone(s.descriptions)
	s.mu.Unlock()
	maps.DeleteFunc(known, func(name string, _ []byte) bool { return !slices.Contains(n.children, name) })
	unknown := slices.DeleteFunc(slices.Clone(n.children), func(name string) bool { _, is := known[name]; return is })
	found, err := each(unknown, func(name string) (node, error) {
		member, err := get(ctx, c, s.membersPath()+"/"+name)
		if errors.Is(err, zk.ErrNoNode) {
			return node{gone: true}, nil // meanwhile
		}
		return member, err
	})
	if err != nil {
		return nil, 0, err
	}
	for i, name := range unknown {
		switch member := found[i]; {
		case member.gone:
		case member.stat.EphemeralOwner == 0:
			known[name] = nil
		default:
			known[name] = append([]byte{}, member.data...)
		}
	}
	s.mu.Lock()
	s.descriptions = known
	s.mu.Unlock()
	for name, data := range known {
		if id, err := url.PathUnescape(name); err == nil && data != nil {
			alive[driver.MemberID(id)] = data
		}
	}
	return alive, n.stat.Pzxid, nil
}

// Write implements [driver.RecordStore]: a transaction that checks the node below the record, and its version.
func (s *store) Write(ctx context.Context, since driver.Record, data []byte) error {
	if len(data) > MaxRecord {
		return fmt.Errorf("zk: the view record has %d bytes, and a ZooKeeper server takes %d at once: "+
			"make it smaller by fewer labels or members", len(data), MaxRecord)
	}
	c, err := s.connection(ctx)
	if err == nil {
		err = s.write(ctx, c, since, data)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, driver.ErrConflict):
		s.mu.Lock()
		s.birth = birth{} // it may be what was meddled with
		s.mu.Unlock()
		return err
	}
	return s.explain(ctx, "write the view record", err)
}

func (s *store) write(ctx context.Context, c *client, since driver.Record, data []byte) error {
	v, _ := since.Version.(version)
	var err error
	if !v.exists {
		err = s.create(ctx, c, s.base,
			&zk.CreateRequest{Path: s.recordPath(), Data: data, Acl: s.acl},
			&zk.CreateRequest{Path: s.recordPath() + "/" + rand.Text(), Acl: s.acl})
	} else {
		ops := []any{&zk.SetDataRequest{Path: s.recordPath(), Data: data, Version: v.number}}
		if v.mark != "" {
			ops = append(ops, &zk.CheckVersionRequest{Path: s.recordPath() + "/" + v.mark, Version: -1})
		}
		_, err = call(ctx, c, func(conn *zk.Conn) ([]zk.MultiResponse, error) { return conn.Multi(ops...) })
	}
	if errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrNodeExists) {
		return driver.ErrConflict
	}
	return err
}

// Close implements [driver.RecordStore].
func (s *store) Close() error {
	s.cancel()
	s.turn <- struct{}{} // who opens a connection has given up, or done so
	defer func() { <-s.turn }()
	s.mu.Lock()
	reader, k := s.reader, s.keeper
	s.mu.Unlock()
	var wg sync.WaitGroup
	if k != nil {
		wg.Go(k.client.close)
	}
	if reader != nil {
		wg.Go(reader.close)
	}
	wg.Wait()
	return nil
}
