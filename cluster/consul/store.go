package consul

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/driver"
)

const (
	// longestWait bounds a Wait: servers that were replaced by empty ones, whose indexes begin anew, tell nothing to a
	// query that waits for more than the old one.
	longestWait = 5 * time.Second
	// waitMargin is how much later than that the answer may come: the servers add up to a sixteenth, and then there is the way.
	waitMargin = 2 * time.Second
	// probeTimeout bounds the first call of a session.
	probeTimeout = 5 * time.Second
	// tidyTimeout bounds what is done after a call, to leave nothing behind.
	tidyTimeout = time.Second
)

// store is a [driver.RecordStore] on Consul, for one session.
type store struct {
	client  *connection
	prefix  string     // of all keys of the cluster
	node    string     // that the sessions are on
	service *announcer // nil: none

	mu      sync.Mutex // guards the fields below
	session string
	key     string // the liveness key; empty before Register
}

var _ driver.RecordStore = (*store)(nil)

// version is a [driver.Record] Version.
type version struct {
	record uint64   // index of the record's last change; 0 if there is none
	read   uint64   // that of the last change of all keys
	parts  []string // the sets of parts that were there, see parts.go
}

func newStore(client *connection, prefix, cluster string) *store {
	keys := clusterPrefix(prefix, cluster)
	return &store{client: client, prefix: keys, node: dashed(prefix, cluster)}
}

func (s *store) recordKey() string                   { return s.prefix + "view" }
func (s *store) memberKeys() string                  { return s.prefix + "members/" }
func (s *store) memberKey(id driver.MemberID) string { return s.memberKeys() + escape(string(id)) }

// consistent makes a read ask the leader, and that the majority: it then sees every write that had succeeded before.
func consistent(ctx context.Context) *api.QueryOptions {
	return (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx)
}

func written(ctx context.Context) *api.WriteOptions {
	return new(api.WriteOptions).WithContext(ctx)
}

// genuine fails for an answer without the marks of Consul's. The client takes any 404 for a key that is not there, and
// whoever is taken for dead by one of a proxy's would still run.
func genuine(meta *api.QueryMeta) error {
	switch {
	case meta == nil || meta.LastIndex == 0:
		return fmt.Errorf("%w: it has no X-Consul-Index", errNotConsul)
	case meta.ResultsFilteredByACLs:
		return errFiltered
	}
	return nil
}

// Read implements [driver.RecordStore]: one list of all keys, which sees one state of them.
func (s *store) Read(ctx context.Context) (driver.Record, error) {
	pairs, meta, err := s.client.KV().List(s.prefix, consistent(ctx))
	if err == nil {
		err = genuine(meta)
	}
	if err == nil && len(pairs) == 0 {
		err = s.mayRead(ctx)
	}
	if err != nil {
		return driver.Record{}, s.explain("read the membership", err)
	}
	record, err := s.sort(pairs, meta.LastIndex)
	if err != nil {
		return driver.Record{}, s.explain("read the membership", err)
	}
	return record, nil
}

// mayRead fails if the token may not read the record. A list is empty then, and without a token nothing tells.
func (s *store) mayRead(ctx context.Context) error {
	_, err := s.get(ctx, s.recordKey())
	return err
}

// probe fails if the agent cannot be reached, or the membership not be read. Later calls find a connection.
func (s *store) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if err := s.mayRead(ctx); err != nil {
		return s.explain("read the membership", err)
	}
	return nil
}

// get gives a key, or nil if it is not there.
func (s *store) get(ctx context.Context, key string) (*api.KVPair, error) {
	pair, meta, err := s.client.KV().Get(key, consistent(ctx))
	if err == nil {
		err = genuine(meta)
	}
	return pair, err
}

// sort makes a record of the keys.
func (s *store) sort(pairs api.KVPairs, index uint64) (driver.Record, error) {
	v := version{read: index}
	record := driver.Record{Alive: map[driver.MemberID][]byte{}}
	var head *api.KVPair
	sets := parts{}
	for _, pair := range pairs {
		if pair == nil {
			return record, fmt.Errorf("%w: there is null among the keys", errNotConsul)
		}
		folder, name := path.Split(strings.TrimPrefix(pair.Key, s.prefix))
		switch {
		case pair.Key == s.recordKey():
			head = pair
		case folder == "members/":
			id, err := unescape(name)
			if pair.Session == "" || err != nil || id == "" {
				continue // somebody else's: it would live for ever
			}
			record.Alive[driver.MemberID(id)] = pair.Value
		default:
			sets.add(folder, name, pair.Value)
		}
	}
	v.parts = sets.names()
	if head != nil {
		v.record = head.ModifyIndex
		data, err := sets.join(head)
		if err != nil {
			return record, err
		}
		record.Data = data
	}
	record.Version = v
	return record, nil
}

// Wait implements [driver.RecordStore]: a blocking query from the index that was read. It returns after [longestWait] in
// any case.
func (s *store) Wait(ctx context.Context, since driver.Record) error {
	v, ok := since.Version.(version)
	if !ok {
		return nil // nothing was read
	}
	bounded, cancel := context.WithTimeout(ctx, longestWait+waitMargin)
	defer cancel()
	query := (&api.QueryOptions{WaitIndex: v.read, WaitTime: longestWait}).WithContext(bounded)
	_, meta, err := s.client.KV().Keys(s.prefix, "", query)
	if err == nil {
		err = genuine(meta)
	}
	if err != nil {
		return s.explain("wait for a change of the membership", err)
	}
	return nil
}

// Write implements [driver.RecordStore]: check-and-set on the index of the record's key.
func (s *store) Write(ctx context.Context, since driver.Record, data []byte) error {
	v, _ := since.Version.(version)
	head, set, err := s.split(ctx, data)
	if err != nil {
		return s.explain("write the parts of the view record", err)
	}
	head.Key, head.ModifyIndex = s.recordKey(), v.record
	done, _, err := s.client.KV().CAS(head, written(ctx))
	switch {
	case err != nil: // it may have happened: the parts stay
		return s.explain("write the view record", err)
	case !done:
		return s.refused(ctx, set)
	}
	s.forget(ctx, v.parts...)
	return nil
}

// Close implements [driver.RecordStore].
func (s *store) Close() error {
	s.service.stop()
	s.client.close()
	return nil
}

func (s *store) registered() (session, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session, s.key
}

// tidily is a context for what is to be done in any case, for a short time.
func tidily(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
}

var errTaken = errors.New("is there already: two members have one id, or an earlier try is not forgotten yet; it goes with its session")
