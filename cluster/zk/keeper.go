package zk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/granary-go/granary/cluster/driver"
)

var (
	errNotRegistered = errors.New("zk: this process has no liveness key; call Register first")
	errLate          = errors.New("zk: the renewal came so late, or the clock was set forward so far, that it proves nothing; renew again")
)

// keeper is the session that holds a liveness key.
type keeper struct {
	client *client
	path   string
	data   []byte

	mu      sync.Mutex // guards the fields below
	version int32      // of the node, as far as it is known
	touches touches
}

// Register implements [driver.RecordStore]: a session of twice the lease time, and an ephemeral node that it owns. A
// session without its node is closed.
func (s *store) Register(ctx context.Context, id driver.MemberID, data []byte, ttl time.Duration) (time.Duration, error) {
	if id == "" {
		return 0, errors.New("zk: register a member: its id is empty")
	}
	ctx, release, err := s.takeTurn(ctx)
	if err != nil {
		return 0, s.explain(ctx, "register", err)
	}
	defer release()
	c, err := s.connect(ctx, 2*ttl, true)
	if err != nil {
		return 0, s.explain(ctx, "open a session", err)
	}
	k := &keeper{client: c, path: s.memberPath(id), data: data}
	err = s.create(ctx, c, s.membersPath(), &zk.CreateRequest{Path: k.path, Data: data, Acl: s.acl, Flags: zk.FlagEphemeral})
	if err != nil {
		c.release.Store(true)
		c.close()
		if errors.Is(err, zk.ErrNodeExists) {
			return 0, fmt.Errorf("zk: the liveness key %s is there already: two members have one id, or an earlier try is "+
				"not forgotten yet; it goes with its session", k.path)
		}
		return 0, s.explain(ctx, "make the liveness key", err)
	}
	granted := k.start()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keeper = k
	return granted, nil
}

// start counts from the opening of the session.
func (k *keeper) start() (granted time.Duration) {
	k.client.mu.Lock()
	opened, timeout := k.client.attached, k.client.negotiated
	k.client.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.touches = touches{timeout: timeout, known: opened}
	return timeout / 2
}

func (s *store) registered() *keeper {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keeper
}

// Renew implements [driver.RecordStore]: a conditional write to the node, by the session that owns it. A read, or the
// library's ping, would be answered by a server that has lost its leader, and prove nothing. [touches] says how much
// time a write proves. After one that proves none the session is attached anew: the handshake counts at once.
func (s *store) Renew(ctx context.Context) (time.Duration, error) {
	k := s.registered()
	if k == nil {
		return 0, errNotRegistered
	}
	sent := time.Now()
	var attached time.Time
	err := k.onNode(ctx, func(version int32) error {
		done, err := call(ctx, k.client, func(conn *zk.Conn) (renewal, error) { return k.write(conn, version) })
		if err != nil {
			return err
		}
		k.setVersion(done.version)
		attached = done.attached
		return nil
	})
	if err != nil {
		return 0, s.lost(ctx, "renew the lease", err)
	}
	if granted := k.renewed(attached, sent); granted > 0 {
		return granted, nil
	}
	if l, ok := k.client.begin(); ok {
		k.client.giveUp(l, errLate)
		k.client.calls.Done()
	}
	return 0, errLate
}

// renewed gives the time that a write grants which was just answered.
func (k *keeper) renewed(attached, sent time.Time) time.Duration {
	timeout := k.client.timeout()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.touches.timeout = timeout
	return k.touches.renewed(attached, sent, time.Now())
}

// renewal is a write to the node.
type renewal struct {
	version  int32
	attached time.Time // see write
}

// write writes the node, and tells when the connection was attached over which it was answered: the write shows that
// who took part in that handshake was the leader. Zero if it was made anew meanwhile.
func (k *keeper) write(conn *zk.Conn, version int32) (renewal, error) {
	before := k.client.attachedAt()
	stat, err := conn.Set(k.path, k.data, version)
	if err != nil {
		return renewal{}, err
	}
	r := renewal{version: stat.Version}
	if before.Equal(k.client.attachedAt()) {
		r.attached = before
	}
	return r, nil
}

func (c *client) attachedAt() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.attached
}

// timeout is how long the session is sure to last after a touch.
func (c *client) timeout() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shortest
}

// onNode does something with the node at its version. That is not known when an answer was lost; it is then looked up,
// with the owner: what another session has made is not touched.
func (k *keeper) onNode(ctx context.Context, do func(version int32) error) error {
	k.mu.Lock()
	version := k.version
	k.mu.Unlock()
	for {
		err := do(version)
		if !errors.Is(err, zk.ErrBadVersion) {
			return err
		}
		stat, err := call(ctx, k.client, func(conn *zk.Conn) (*zk.Stat, error) {
			there, stat, err := conn.Exists(k.path)
			if err == nil && !there {
				err = zk.ErrNoNode
			}
			return stat, err
		})
		switch {
		case err != nil:
			return err
		case stat.EphemeralOwner != k.client.sessionID():
			return driver.ErrLeaseLost
		}
		version = stat.Version
	}
}

func (k *keeper) setVersion(version int32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.version = version
}

func (c *client) sessionID() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// lost tells errors that say that the key is gone from others.
func (s *store) lost(ctx context.Context, what string, err error) error {
	for _, over := range []error{driver.ErrLeaseLost, errSessionOver, zk.ErrSessionExpired, zk.ErrNoNode} {
		if errors.Is(err, over) {
			return driver.ErrLeaseLost
		}
	}
	return s.explain(ctx, what, err)
}

// Unregister implements [driver.RecordStore]: the node is deleted. Its session is closed when the store is.
func (s *store) Unregister(ctx context.Context) error {
	k := s.registered()
	if k == nil {
		return errNotRegistered
	}
	err := k.onNode(ctx, func(version int32) error {
		_, err := call(ctx, k.client, func(conn *zk.Conn) (struct{}, error) { return struct{}{}, conn.Delete(k.path, version) })
		return err
	})
	if err = s.lost(ctx, "delete the liveness key", err); err != nil && !errors.Is(err, driver.ErrLeaseLost) {
		return err
	}
	k.client.release.Store(true)
	return nil
}
