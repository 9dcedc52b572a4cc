package etcd

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/etcd/etcdtest"
	"github.com/granary-go/granary/internal/membertest"
)

func within(t *testing.T) context.Context { return membertest.Within(t) }

func newStore(t *testing.T, server *etcdtest.Server) *store {
	return &store{client: server.Client(t), prefix: "/granary/test/"}
}

func read(t *testing.T, s *store) driver.Record {
	t.Helper()
	record, err := s.Read(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func TestStoreOverTrouble(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client(t)

	t.Run("wait over a compaction", func(t *testing.T) {
		s, ctx := newStore(t, server), within(t)
		before := read(t, s)
		for range 3 {
			if _, err := client.Put(ctx, "elsewhere", "x"); err != nil {
				t.Fatal(err)
			}
		}
		last, err := client.Put(ctx, "elsewhere", "x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Compact(ctx, last.Header.Revision); err != nil {
			t.Fatal(err)
		}
		var waited time.Duration
		for range 5 { // a machine may be busy for a while
			begun := time.Now()
			if err := s.Wait(ctx, before); err != nil {
				t.Errorf("Wait from a revision that is compacted away: %v; want nil", err)
			}
			if waited = time.Since(begun); waited < longestWait {
				break
			}
		}
		if waited >= longestWait {
			t.Errorf("Wait took %v, as if nothing had happened", waited)
		}
	})

	t.Run("keys of a stranger", func(t *testing.T) {
		s, ctx := newStore(t, server), within(t)
		if _, err := s.Register(ctx, "one/two", []byte("it"), time.Minute); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Put(ctx, s.memberKeys()+"stranger", "nonsense"); err != nil {
			t.Fatal(err)
		}
		alive := read(t, s).Alive
		if len(alive) != 1 || string(alive["one/two"]) != "it" {
			t.Errorf("alive are %q; want one/two alone, as the other has no lease", alive)
		}
		if _, err := client.Delete(ctx, s.prefix, clientv3.WithPrefix()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Renew(ctx); !errors.Is(err, driver.ErrLeaseLost) {
			t.Errorf("Renew with a lease, and without its key: %v; want driver.ErrLeaseLost", err)
		}
	})

	t.Run("one id twice", func(t *testing.T) {
		s, other, ctx := newStore(t, server), newStore(t, server), within(t)
		if _, err := s.Register(ctx, "twin", nil, time.Minute); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Register(ctx, "twin", nil, time.Minute); err == nil || !strings.Contains(err.Error(), "there already") {
			t.Errorf("Register of an id that is there: %v; want an error that says so", err)
		}
		if _, err := other.Renew(ctx); !errors.Is(err, errNotRegistered) {
			t.Errorf("Renew without a key: %v; want %v", err, errNotRegistered)
		}
	})

	t.Run("too large", func(t *testing.T) {
		s, ctx := newStore(t, server), within(t)
		err := s.Write(ctx, read(t, s), bytes.Repeat([]byte("x"), 1_800_000))
		if err == nil || !strings.Contains(err.Error(), "max-request-bytes") {
			t.Errorf("Write of 1.8 MB: %v; want an error that names the limit", err)
		}
	})
}

// A watch of revisions that a new, empty server will not reach for long tells nothing: Wait must not rely on it.
func TestWaitIsBounded(t *testing.T) {
	t.Parallel()
	s := newStore(t, etcdtest.Start(t))
	ctx := within(t)
	if err := s.Wait(ctx, driver.Record{Version: version{read: 1 << 40}}); err != nil {
		t.Errorf("Wait for a far revision: %v; want nil after %v", err, longestWait)
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := clientv3.Config{Endpoints: []string{"http://127.0.0.1:1"}, Username: "a", Password: "b", DialTimeout: time.Hour}
	if _, err := New(c).Join(ctx, membertest.Request("a", "127.0.0.1:1")); !errors.Is(err, context.Canceled) {
		t.Errorf("Join with a context that is done: %v; want context.Canceled", err)
	}
}

func TestFencedKeys(t *testing.T) {
	t.Parallel()
	client, ctx := etcdtest.Start(t).Client(t), within(t)
	s := NewFencedStore(client, "/shop/state/")
	id := driver.Identity{Kind: "Counter", Name: "a/b"}
	f := driver.Fence{Term: 0x19, Seq: 7}
	if err := s.Write(ctx, id, f, []byte(`{"count":42}`)); err != nil {
		t.Fatal(err)
	}
	got, err := client.Get(ctx, "/shop/state/Counter/a/b")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "0000000000000019.0000000000000007\n{\"count\":42}" {
		t.Errorf("stored are %v; want the token, a newline and the value", got.Kvs)
	}
	for _, nonsense := range []string{"", "hello", "000000000000001G.0000000000000007", "0000000000000019-0000000000000007\nx"} {
		if _, err := client.Put(ctx, "/shop/state/Counter/a/b", nonsense); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(ctx, id, f); !errors.Is(err, errNotFenced) {
			t.Errorf("Open over %q: %v; want %v", nonsense, err, errNotFenced)
		}
		if err := s.Write(ctx, id, f, nil); !errors.Is(err, errNotFenced) {
			t.Errorf("Write over %q: %v; want %v", nonsense, err, errNotFenced)
		}
	}
	for _, bad := range []driver.Identity{{}, {Kind: "k"}, {Name: "n"}, {Kind: "k", Name: strings.Repeat("n", driver.MaxIdentityLength+1)}} {
		if _, err := s.Open(ctx, bad, f); err == nil {
			t.Errorf("Open of %.40v succeeded", bad)
		}
	}
}
