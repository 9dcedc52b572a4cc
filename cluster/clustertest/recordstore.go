package clustertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
)

var (
	errDown   = fmt.Errorf("clustertest: the store is down: %w", driver.ErrUnavailable)
	errCut    = errors.New("clustertest: cut off from the store")
	errBroken = errors.New("clustertest: the connection to the store has broken")
	errClosed = errors.New("clustertest: the connection to the store is closed")
	errCalls  = errors.New("clustertest: Register was called twice, or not at all")
)

// RecordStore is a coordination service within a process: it keeps a view
// record and liveness keys for each cluster, as [driver.RecordStore] asks. It
// can be told to fail in the ways that such services do. Its methods may be
// called from several goroutines, and within a testing/synctest bubble.
type RecordStore struct {
	start time.Time

	mu       sync.Mutex // guards the fields below and what hangs from them
	clusters map[string]*content
	links    map[string]*link // by address
	down     bool
	delay    time.Duration
	revision uint64        // counts all changes, also of the faults
	changed  chan struct{} // closed by the next change
}

// content is what is kept for one cluster.
type content struct {
	data []byte
	mod  uint64 // revision of the record's last change
	rev  uint64 // revision of the last change of any of it
	keys map[driver.MemberID]*key
}

// key is a liveness key with its lease.
type key struct {
	data  []byte
	ttl   time.Duration
	due   time.Time // when it ends
	timer *time.Timer
}

// renew gives the lease its whole time again.
func (k *key) renew() {
	k.due = time.Now().Add(k.ttl)
	k.timer.Reset(k.ttl)
}

// version is what a connection has read.
type version struct{ mod, rev uint64 }

// NewRecordStore makes an empty service.
func NewRecordStore() *RecordStore {
	return &RecordStore{start: time.Now(), clusters: make(map[string]*content), links: make(map[string]*link), changed: make(chan struct{})}
}

// Provider gives a provider with leases for one more process. They are counted
// on Go's own clock, unless an option says otherwise.
func (s *RecordStore) Provider(opts ...record.Option) driver.Provider {
	return s.provider(s.Open, opts)
}

func (s *RecordStore) provider(open record.Opener, opts []record.Option) driver.Provider {
	clock := record.WithClock(func() time.Duration { return time.Since(s.start) })
	return record.New(open, append([]record.Option{clock}, opts...)...)
}

// Open connects a process to the service; it is a [record.Opener].
func (s *RecordStore) Open(_ context.Context, r driver.Request, _ bool) (driver.RecordStore, error) {
	return &connection{store: s, cluster: r.Cluster, address: r.Member.Address, closed: make(chan struct{})}, nil
}

// Cut cuts the connections of the process with this address off the service,
// open ones and later ones, until heal is called: their calls wait until their
// context is done. Leases run on.
func (s *RecordStore) Cut(address string) (heal func()) { return s.Link(address).Stall() }

// Slow makes each call take at least d: half of it on the way, half on the way
// back. 0 makes an end of it.
func (s *RecordStore) Slow(d time.Duration) { s.change(func() { s.delay = d }) }

// Outage makes all calls fail until it is called with false. No lease ends
// meanwhile, and all are whole afterwards.
func (s *RecordStore) Outage(down bool) {
	s.change(func() {
		s.down = down
		for _, c := range s.clusters {
			for _, k := range c.keys {
				k.timer.Stop()
				if !down {
					k.renew()
				}
			}
		}
	})
}

// Expire ends the lease of a member at once, and reports whether it had one.
func (s *RecordStore) Expire(id driver.MemberID) (found bool) {
	s.change(func() {
		for _, c := range s.clusters {
			found = s.remove(c, id) || found
		}
	})
	return found
}

// Empty loses all that is kept.
func (s *RecordStore) Empty() {
	s.change(func() {
		for _, c := range s.clusters {
			for id := range c.keys {
				s.remove(c, id)
			}
			s.put(c, nil)
		}
	})
}

// Put replaces the view record of a cluster, whatever it is; nil deletes it.
func (s *RecordStore) Put(cluster string, data []byte) {
	s.change(func() { s.put(s.content(cluster), data) })
}

// Get gives the view record of a cluster, nil if there is none, and which
// members have a liveness key.
func (s *RecordStore) Get(cluster string) (data []byte, alive []driver.MemberID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.content(cluster)
	for id := range c.keys {
		alive = append(alive, id)
	}
	return c.data, alive
}

// change does something under the lock and wakes all who wait.
func (s *RecordStore) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// The methods below are called under the lock.

func (s *RecordStore) link(address string) *link {
	k := s.links[address]
	if k == nil {
		k = &link{broken: make(chan struct{})}
		s.links[address] = k
	}
	return k
}

func (s *RecordStore) content(cluster string) *content {
	c := s.clusters[cluster]
	if c == nil {
		c = &content{keys: make(map[driver.MemberID]*key)}
		s.clusters[cluster] = c
	}
	return c
}

func (s *RecordStore) touch(c *content) {
	s.revision++
	c.rev = s.revision
}

func (s *RecordStore) put(c *content, data []byte) {
	s.touch(c)
	c.data, c.mod = data, c.rev
}

func (s *RecordStore) remove(c *content, id driver.MemberID) bool {
	k := c.keys[id]
	if k == nil {
		return false
	}
	k.timer.Stop()
	delete(c.keys, id)
	s.touch(c)
	return true
}

func (s *RecordStore) add(c *content, id driver.MemberID, k *key) {
	s.remove(c, id)
	c.keys[id] = k
	s.touch(c)
	k.due = time.Now().Add(k.ttl)
	k.timer = time.AfterFunc(k.ttl, func() {
		s.change(func() {
			if c.keys[id] == k && !s.down && time.Until(k.due) <= 0 {
				s.remove(c, id)
			}
		})
	})
}

// read gives a copy of what is kept.
func (c *content) read() driver.Record {
	r := driver.Record{Data: c.data, Alive: make(map[driver.MemberID][]byte, len(c.keys)), Version: version{c.mod, c.rev}}
	for id, k := range c.keys {
		r.Alive[id] = k.data
	}
	return r
}
