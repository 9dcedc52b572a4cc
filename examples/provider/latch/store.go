package latch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// The keys of a cluster: one for the record, and one for each member.
const recordKey, memberKey = "view", "member "

// store is a driver.RecordStore on a bucket.
type store struct {
	client client
	key    atomic.Value // the liveness key of this process, a string, after Register
}

// version is what Write and Wait have to know of a Read.
type version struct{ record, bucket uint64 }

// Read implements driver.RecordStore: one call gives the record and the liveness keys of one moment.
func (s *store) Read(ctx context.Context) (driver.Record, error) {
	var b bucket
	if err := s.client.call(ctx, http.MethodGet, "", "", nil, &b); err != nil {
		return driver.Record{}, err
	}
	if b.Revision == 0 {
		return driver.Record{}, errors.New("latch: an answer without a revision is none of latchd's")
	}
	alive := map[driver.MemberID][]byte{}
	for key, e := range b.Keys {
		if id, is := strings.CutPrefix(key, memberKey); is {
			alive[driver.MemberID(id)] = e.Value
		}
	}
	record := b.Keys[recordKey]
	return driver.Record{Data: record.Value, Alive: alive, Version: version{record.Revision, b.Revision}}, nil
}

// Wait implements driver.RecordStore: the service answers when the bucket has another revision, and in any case after a
// while, so that one that was exchanged for another is noticed.
func (s *store) Wait(ctx context.Context, since driver.Record) error {
	v, _ := since.Version.(version)
	return s.client.call(ctx, http.MethodGet, "", fmt.Sprintf("?not=%d&wait=5s", v.bucket), nil, new(bucket))
}

// Write implements driver.RecordStore.
func (s *store) Write(ctx context.Context, since driver.Record, data []byte) error {
	v, _ := since.Version.(version)
	err := s.client.call(ctx, http.MethodPut, recordKey, fmt.Sprintf("?if=%d", v.record), data, new(struct{}))
	return instead(err, http.StatusConflict, driver.ErrConflict)
}

// instead gives the error of the contract for what the service says in its own way.
func instead(err error, status int, want error) error {
	var r refused
	if errors.As(err, &r) && r.status == status {
		return want
	}
	return err
}

// Register implements driver.RecordStore. The key is not there: no id comes back.
func (s *store) Register(ctx context.Context, id driver.MemberID, data []byte, ttl time.Duration) (time.Duration, error) {
	key := memberKey + string(id)
	if err := s.client.call(ctx, http.MethodPut, key, "?if=0&ttl="+ttl.String(), data, new(struct{})); err != nil {
		return 0, err
	}
	s.key.Store(key)
	return ttl, nil
}

// Renew implements driver.RecordStore. The service begins the time anew when it has the call, which is after Renew was
// called: it deletes the key later than promised, never earlier.
func (s *store) Renew(ctx context.Context) (time.Duration, error) {
	key, _ := s.key.Load().(string)
	var granted struct {
		TTL string `json:"ttl"`
	}
	if err := s.client.call(ctx, http.MethodPost, key, "", nil, &granted); err != nil {
		return 0, instead(err, http.StatusGone, driver.ErrLeaseLost)
	}
	ttl, err := time.ParseDuration(granted.TTL)
	if err != nil || ttl <= 0 {
		return 0, fmt.Errorf("latch: the service grants the time %.40q, which is none", granted.TTL)
	}
	return ttl, nil
}

// Unregister implements driver.RecordStore.
func (s *store) Unregister(ctx context.Context) error {
	key, _ := s.key.Load().(string)
	return s.client.call(ctx, http.MethodDelete, key, "", nil, new(struct{}))
}

// Close implements driver.RecordStore.
func (s *store) Close() error {
	s.client.close()
	return nil
}
