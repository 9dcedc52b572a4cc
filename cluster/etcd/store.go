package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/granary-go/granary/cluster/driver"
)

const (
	// longestWait bounds a Wait: a server that was replaced by an empty one, whose revisions begin anew, tells nothing
	// to a watch from the old ones.
	longestWait = 5 * time.Second
	// firstAnswer is how long a server may take to begin a watch.
	firstAnswer = time.Second
	// revokeTimeout bounds the revocation of a lease that came to nothing.
	revokeTimeout = time.Second
)

var (
	errNotRegistered = errors.New("etcd: this process has no liveness key; call Register first")
	errUncertain     = errors.New("etcd: the view record was written through two servers, and one of them found it changed: read it again")
	errLeaders       = errors.New("etcd: the leader changed while the lease was renewed; renew it again")
)

// store is a [driver.RecordStore] on etcd, for one session.
type store struct {
	client *clientv3.Client
	owned  bool        // Close closes the client
	tls    *tls.Config // the client's, if it is known, to see what is wrong with it
	prefix string

	mu    sync.Mutex // guards the fields below
	lease clientv3.LeaseID
	key   string // the liveness key; empty before Register
}

var _ driver.RecordStore = (*store)(nil)

// version is a [driver.Record] Version: the record's own revision, 0 if there is none, and the server's when it was
// read.
type version struct{ record, read int64 }

func (s *store) recordKey() string  { return s.prefix + "view" }
func (s *store) memberKeys() string { return s.prefix + "members/" }

// Read implements [driver.RecordStore]: one transaction, which sees one revision of all keys.
func (s *store) Read(ctx context.Context) (driver.Record, error) {
	return hedged(ctx, len(s.client.Endpoints()), s.readOnce)
}

func (s *store) readOnce(ctx context.Context) (driver.Record, error) {
	got, err := s.client.Txn(ctx).Then(
		clientv3.OpGet(s.recordKey()),
		clientv3.OpGet(s.memberKeys(), clientv3.WithPrefix()),
	).Commit()
	if err != nil {
		return driver.Record{}, s.explain(ctx, "read the membership", err)
	}
	v := version{read: got.Header.Revision}
	record := driver.Record{Alive: map[driver.MemberID][]byte{}}
	for _, kv := range got.Responses[0].GetResponseRange().Kvs {
		v.record = kv.ModRevision
		record.Data = append([]byte{}, kv.Value...) // never nil: the key is there
	}
	for _, kv := range got.Responses[1].GetResponseRange().Kvs {
		if kv.Lease == 0 {
			continue // somebody else's: it would live for ever
		}
		if id, err := url.PathUnescape(strings.TrimPrefix(string(kv.Key), s.memberKeys())); err == nil && id != "" {
			record.Alive[driver.MemberID(id)] = kv.Value
		}
	}
	record.Version = v
	return record, nil
}

// Wait implements [driver.RecordStore]: a watch from the revision after the one that was read. It returns after
// [longestWait] in any case.
func (s *store) Wait(ctx context.Context, since driver.Record) error {
	v, ok := since.Version.(version)
	if !ok {
		return nil // nothing was read
	}
	bounded, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), longestWait)
	defer cancel() // ends the watch
	hangs := time.AfterFunc(firstAnswer, cancel)
	answers := s.client.Watch(bounded, s.prefix, clientv3.WithPrefix(), clientv3.WithRev(v.read+1))
	if !hangs.Stop() {
		return ctx.Err() // the server that was to watch does not answer: read, and watch on another
	}
	for answer := range answers {
		switch {
		case answer.CompactRevision != 0, len(answer.Events) > 0:
			return nil
		case answer.Err() != nil && bounded.Err() == nil:
			return s.explain(ctx, "watch the membership", answer.Err())
		}
	}
	if ctx.Err() == nil && bounded.Err() == nil {
		return errors.New("etcd: the watch has ended; watch again")
	}
	return ctx.Err()
}

// Write implements [driver.RecordStore]: a transaction on the revision of the record's key.
func (s *store) Write(ctx context.Context, since driver.Record, data []byte) error {
	v, _ := since.Version.(version)
	var calls atomic.Int64
	_, err := hedged(ctx, len(s.client.Endpoints()), func(ctx context.Context) (*clientv3.TxnResponse, error) {
		calls.Add(1)
		done, err := s.client.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(s.recordKey()), "=", v.record)).
			Then(clientv3.OpPut(s.recordKey(), string(data))).
			Commit()
		if err == nil && !done.Succeeded {
			return nil, driver.ErrConflict
		}
		return done, s.explain(ctx, "write the view record", err)
	})
	if errors.Is(err, driver.ErrConflict) && calls.Load() > 1 {
		return errUncertain
	}
	return err
}

// Register implements [driver.RecordStore]: a lease, and a key bound to it. A lease without its key is revoked; one that
// a server granted when another had done so already runs out.
func (s *store) Register(ctx context.Context, id driver.MemberID, data []byte, ttl time.Duration) (time.Duration, error) {
	if id == "" {
		return 0, errors.New("etcd: register a member: its id is empty")
	}
	seconds := int64((ttl + time.Second - 1) / time.Second) // etcd counts whole ones
	lease, err := hedged(ctx, len(s.client.Endpoints()), func(ctx context.Context) (*clientv3.LeaseGrantResponse, error) {
		lease, err := s.client.Grant(ctx, seconds)
		return lease, s.explain(ctx, "get a lease", err)
	})
	if err != nil {
		return 0, err
	}
	key := s.memberKeys() + url.PathEscape(string(id))
	done, err := hedged(ctx, len(s.client.Endpoints()), func(ctx context.Context) (*clientv3.TxnResponse, error) {
		done, err := s.client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
			Then(clientv3.OpPut(key, string(data), clientv3.WithLease(lease.ID))).
			Else(clientv3.OpGet(key)).
			Commit()
		return done, s.explain(ctx, "make the liveness key", err)
	})
	if err == nil && !done.Succeeded && !holds(done, lease.ID) {
		err = fmt.Errorf("etcd: the liveness key %s is there already: two members have one id, or an earlier try is not forgotten yet; "+
			"it goes with its lease", key)
	}
	if err != nil {
		s.revoke(ctx, lease.ID)
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lease, s.key = lease.ID, key
	return time.Duration(lease.TTL) * time.Second, nil
}

// holds reports whether the one key that a transaction read is bound to the lease.
func holds(done *clientv3.TxnResponse, lease clientv3.LeaseID) bool {
	kvs := done.Responses[0].GetResponseRange().Kvs
	return len(kvs) == 1 && kvs[0].Lease == int64(lease)
}

// revoke gives up a lease that came to nothing. If that fails it runs out.
func (s *store) revoke(ctx context.Context, lease clientv3.LeaseID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	_, _ = s.client.Revoke(ctx, lease)
}

// Renew implements [driver.RecordStore]. A renewal is not agreed on by the servers: one that was the leader, and does
// not know yet that there is another, renews a lease that the new one lets run out. A transaction after it shows that
// this did not happen: it is agreed on, and whoever answers it has seen the term of the leader that carried it through,
// which is still the one of the renewal. It also reads the key.
//
// It deletes a key that is never there, which changes nothing, and makes the servers agree on it as on a write. A read
// would do, but a server that looks for its leader while there is none answers no read for seven seconds (3.4).
func (s *store) Renew(ctx context.Context) (time.Duration, error) {
	lease, key := s.registered()
	if key == "" {
		return 0, errNotRegistered
	}
	renewed, err := hedged(ctx, len(s.client.Endpoints()), func(ctx context.Context) (*clientv3.LeaseKeepAliveResponse, error) {
		renewed, err := s.client.KeepAliveOnce(ctx, lease)
		if errors.Is(err, rpctypes.ErrLeaseNotFound) {
			return nil, driver.ErrLeaseLost
		}
		return renewed, s.explain(ctx, "renew the lease", err)
	})
	if err != nil {
		return 0, err
	}
	seen, err := hedged(ctx, len(s.client.Endpoints()), func(ctx context.Context) (*clientv3.TxnResponse, error) {
		seen, err := s.client.Txn(ctx).Then(clientv3.OpGet(key), clientv3.OpDelete(s.prefix+"nothing")).Commit()
		return seen, s.explain(ctx, "see the renewed lease", err)
	})
	if err != nil {
		return 0, err
	}
	switch {
	case !holds(seen, lease):
		return 0, driver.ErrLeaseLost
	case seen.Header.RaftTerm != renewed.RaftTerm:
		return 0, errLeaders
	}
	return time.Duration(renewed.TTL) * time.Second, nil
}

func (s *store) registered() (clientv3.LeaseID, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lease, s.key
}

// Unregister implements [driver.RecordStore]: the lease is revoked, and the key goes with it.
func (s *store) Unregister(ctx context.Context) error {
	lease, key := s.registered()
	if key == "" {
		return errNotRegistered
	}
	if _, err := s.client.Revoke(ctx, lease); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return s.explain(ctx, "give the lease back", err)
	}
	return nil
}

// Close implements [driver.RecordStore].
func (s *store) Close() error {
	if !s.owned {
		return nil
	}
	if err := s.client.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("etcd: close the client: %w", err)
	}
	return nil
}

// explain says what failed, and what to do about it.
func (s *store) explain(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("etcd: %s: %w", what, mayPass(explainCall(ctx, s.client, s.tls, s.prefix, err)))
}
