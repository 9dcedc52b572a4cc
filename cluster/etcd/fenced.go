package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/granary-go/granary/cluster/driver"
)

// tokenLength is how long the text of a token is: two numbers of 16 digits and a dot.
const tokenLength = 33

// FencedStore is a [driver.FencedStore] on etcd. Each identity has one key, prefix/kind/name, whose value begins with
// the token that was seen last. A newline and the identity's value follow, if it has one, so that people can read both:
//
//	$ etcdctl get --prefix /shop/state/
//	/shop/state/Counter/alice
//	0000019ab2c3d4e5.0000000000000007
//	{"count":42}
//
// Every Open and Write is a transaction on the revision of the key, after a read of it: two round trips. A value may be
// as large as the server's --max-request-bytes allows, less its key: 1.5 MiB unless it was changed.
type FencedStore struct {
	client *clientv3.Client
	prefix string
}

var _ driver.FencedStore = (*FencedStore)(nil)

// NewFencedStore makes a store of the values under a prefix, which nothing else may write. The client stays the
// caller's, who closes it after the last call; made with [Reconnect] it is soon back after an outage. Unless its
// configuration has a Logger, clientv3 logs to standard error.
func NewFencedStore(client *clientv3.Client, prefix string) *FencedStore {
	return &FencedStore{client: client, prefix: strings.TrimRight(prefix, "/") + "/"}
}

// Open implements [driver.FencedStore]. It writes in any case: a transaction on its way, of a Write that was given up,
// is void after it.
func (s *FencedStore) Open(ctx context.Context, id driver.Identity, f driver.Fence) ([]byte, error) {
	var opened []byte
	err := s.change(ctx, id, f, func(old []byte) []byte {
		opened = old
		return old
	})
	if err != nil {
		return nil, fmt.Errorf("etcd: open the state of %v with token %v: %w", id, f, err)
	}
	return opened, nil
}

// Write implements [driver.FencedStore].
func (s *FencedStore) Write(ctx context.Context, id driver.Identity, f driver.Fence, value []byte) error {
	if err := s.change(ctx, id, f, func([]byte) []byte { return value }); err != nil {
		return fmt.Errorf("etcd: write the state of %v with token %v: %w", id, f, err)
	}
	return nil
}

// change replaces the value of an identity under a token. It reads and tries again when somebody was quicker, who may
// have brought a larger token.
func (s *FencedStore) change(ctx context.Context, id driver.Identity, f driver.Fence, next func(old []byte) []byte) error {
	key, err := s.key(id)
	if err != nil {
		return err
	}
	got, err := s.client.Get(ctx, key)
	if err != nil {
		return s.explain(ctx, err)
	}
	kvs := got.Kvs
	for {
		var revision int64 // 0: there is no key
		var seen driver.Fence
		var old []byte
		if len(kvs) > 0 {
			revision = kvs[0].ModRevision
			if seen, old, err = decodeFenced(kvs[0].Value); err != nil {
				return fmt.Errorf("the key %s %w", key, err)
			}
		}
		if seen.Compare(f) > 0 {
			return driver.ErrFenced
		}
		done, err := s.client.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(key), "=", revision)).
			Then(clientv3.OpPut(key, string(encodeFenced(f, next(old))))).
			Else(clientv3.OpGet(key)).
			Commit()
		if err != nil {
			return s.explain(ctx, err)
		}
		if done.Succeeded {
			return nil
		}
		kvs = done.Responses[0].GetResponseRange().Kvs
	}
}

func (s *FencedStore) explain(ctx context.Context, err error) error {
	return explainCall(ctx, s.client, nil, s.prefix, err)
}

// key gives the key of an identity. The name comes last, so that it may hold slashes.
func (s *FencedStore) key(id driver.Identity) (string, error) {
	switch {
	case id.Kind == "" || len(id.Kind) > driver.MaxKindLength:
		return "", fmt.Errorf("the kind has %d bytes, must have 1 to %d", len(id.Kind), driver.MaxKindLength)
	case id.Name == "" || len(id.Name) > driver.MaxIdentityLength:
		return "", fmt.Errorf("the name has %d bytes, must have 1 to %d", len(id.Name), driver.MaxIdentityLength)
	}
	return s.prefix + url.PathEscape(id.Kind) + "/" + id.Name, nil
}

func encodeFenced(f driver.Fence, value []byte) []byte {
	text := append(make([]byte, 0, tokenLength+1+len(value)), f.String()...)
	if value == nil {
		return text
	}
	return append(append(text, '\n'), value...)
}

var errNotFenced = errors.New("holds no fenced value: something else writes under this prefix. " +
	"Look at it with etcdctl get, and delete it if it is not needed; its token is lost then")

func decodeFenced(data []byte) (f driver.Fence, value []byte, err error) {
	token, value, has := bytes.Cut(data, []byte("\n"))
	if len(token) != tokenLength {
		return f, nil, errNotFenced
	}
	term, err1 := strconv.ParseUint(string(token[:16]), 16, 64)
	seq, err2 := strconv.ParseUint(string(token[17:]), 16, 64)
	f = driver.Fence{Term: term, Seq: seq}
	if err1 != nil || err2 != nil || f.String() != string(token) {
		return driver.Fence{}, nil, errNotFenced
	}
	if !has {
		return f, nil, nil
	}
	return f, append([]byte{}, value...), nil
}
