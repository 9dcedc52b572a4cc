package consul

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/consul/consultest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/membertest"
)

func within(t *testing.T) context.Context { return membertest.Within(t) }

func newTestStore(t *testing.T, server *consultest.Server) *store {
	return newStore(&connection{Client: server.Client(t)}, DefaultPrefix, "test")
}

func read(t *testing.T, s *store) driver.Record {
	t.Helper()
	record, err := s.Read(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func register(t *testing.T, s *store, id driver.MemberID, ttl time.Duration) {
	t.Helper()
	if granted, err := s.Register(within(t), id, []byte("it"), ttl); err != nil || granted != ttl {
		t.Fatalf("Register of %s: granted %v, %v; want %v", id, granted, err, ttl)
	}
}

// keys are those under the store's prefix, without it.
func keys(t *testing.T, s *store) string {
	t.Helper()
	keys, _, err := s.client.KV().Keys(s.prefix, "", consistent(within(t)))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(strings.Join(keys, " "), s.prefix, "")
}

// A session that depends on nothing but its TTL: not on the agent's health, nor on the agent's node.
func TestSessions(t *testing.T) {
	t.Parallel()
	server := consultest.Start(t)
	s, ctx := newTestStore(t, server), within(t)
	register(t, s, "a", time.Hour)
	entry, _, err := s.client.Session().Info(s.session, consistent(ctx))
	if err != nil || entry == nil {
		t.Fatal(entry, err)
	}
	if len(entry.Checks)+len(entry.NodeChecks)+len(entry.ServiceChecks) > 0 {
		t.Errorf("the session ends with checks: %+v", entry)
	}
	if entry.Node != "granary-test" || entry.Behavior != api.SessionBehaviorDelete || entry.LockDelay != lockDelay || entry.TTL != "1h0m0s" {
		t.Errorf("the session is %+v", entry)
	}
	// This is what becomes of an agent that leaves.
	if _, err := s.client.Catalog().Deregister(&api.CatalogDeregistration{Node: "server-0"}, written(ctx)); err != nil {
		t.Fatal(err)
	}
	if granted, err := s.Renew(ctx); err != nil || granted != time.Hour {
		t.Errorf("Renew after the agent has left: %v, %v; want an hour", granted, err)
	}
	if alive := read(t, s).Alive; string(alive["a"]) != "it" {
		t.Errorf("alive are %q after the agent has left", alive)
	}
}

// What an operator does to a session or its key ends the lease for good.
func TestOperators(t *testing.T) {
	t.Parallel()
	server := consultest.Start(t)
	for name, do := range map[string]func(*store, context.Context) error{
		"the session is destroyed": func(s *store, ctx context.Context) error {
			_, err := s.client.Session().Destroy(s.session, written(ctx))
			return err
		},
		"the key is deleted": func(s *store, ctx context.Context) error {
			_, err := s.client.KV().Delete(s.key, written(ctx))
			return err
		},
		"the key is released": func(s *store, ctx context.Context) error {
			_, _, err := s.client.KV().Release(&api.KVPair{Key: s.key, Session: s.session}, written(ctx))
			return err
		},
		"the node is taken away": func(s *store, ctx context.Context) error {
			_, err := s.client.Catalog().Deregister(&api.CatalogDeregistration{Node: s.node}, written(ctx))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ctx := newStore(&connection{Client: server.Client(t)}, DefaultPrefix, "test "+name), within(t)
			register(t, s, "a", time.Hour)
			if err := do(s, ctx); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if granted, err := s.Renew(ctx); !errors.Is(err, driver.ErrLeaseLost) {
					t.Errorf("Renew: %v, %v; want driver.ErrLeaseLost", granted, err)
				}
			}
			if alive := read(t, s).Alive; len(alive) > 0 {
				t.Errorf("alive are %q", alive)
			}
			register(t, newStore(s.client, DefaultPrefix, "test "+name), "b", time.Hour) // the node is made again
		})
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	server := consultest.Start(t)
	s, other, ctx := newTestStore(t, server), newTestStore(t, server), within(t)
	if _, err := s.Renew(ctx); !errors.Is(err, errNotRegistered) {
		t.Errorf("Renew without a key: %v; want %v", err, errNotRegistered)
	}
	if err := s.Unregister(ctx); !errors.Is(err, errNotRegistered) {
		t.Errorf("Unregister without a key: %v; want %v", err, errNotRegistered)
	}
	if _, err := s.Register(ctx, "", nil, time.Minute); err == nil {
		t.Error("Register without an id succeeded")
	}
	register(t, s, "one/two", time.Minute)
	if got := keys(t, s); got != "members/one=2Ftwo" {
		t.Errorf("the keys are %s", got)
	}
	if _, err := other.Register(ctx, "one/two", nil, time.Minute); !errors.Is(err, errTaken) {
		t.Errorf("Register of an id that is there: %v; want %v", err, errTaken)
	}
	if sessions, _, err := s.client.Session().List(consistent(ctx)); err != nil || len(sessions) != 1 {
		t.Errorf("there are %d sessions, %v; want that of the member alone", len(sessions), err)
	}
	// A key whose session has ended is not kept from the next, as it is for 15 s as Consul comes.
	if err := s.Unregister(ctx); err != nil {
		t.Fatal(err)
	}
	register(t, other, "one/two", time.Minute)
}

func TestWaitIsBounded(t *testing.T) {
	t.Parallel()
	s := newTestStore(t, consultest.Start(t))
	begun := time.Now()
	if err := s.Wait(within(t), driver.Record{Version: version{read: 1 << 40}}); err != nil {
		t.Errorf("Wait for a far index: %v; want nil after %v", err, longestWait)
	}
	if took := time.Since(begun); took < longestWait {
		t.Errorf("Wait for a far index took %v; want %v at least", took, longestWait)
	}
	if err := s.Wait(within(t), driver.Record{}); err != nil {
		t.Errorf("Wait for anything: %v", err)
	}
}

func TestLargeRecordsLeaveNothing(t *testing.T) {
	t.Parallel()
	server := consultest.Start(t)
	s, ctx := newTestStore(t, server), within(t)
	large := strings.Repeat("0123456789abcdef", 1<<16)
	first := read(t, s)
	if err := s.Write(ctx, first, []byte(large)); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(keys(t, s), "parts/"); n != 4 {
		t.Errorf("a record of 1 MiB has %d parts; want 4", n)
	}
	if err := s.Write(ctx, first, []byte(large)); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("Write against no record: %v; want %v", err, driver.ErrConflict)
	}
	if n := strings.Count(keys(t, s), "parts/"); n != 4 {
		t.Errorf("after a conflict there are %d parts; want those of the record alone", n)
	}
	// Of a writer that ended before it wrote the record.
	if _, _, err := s.split(ctx, []byte(large)); err != nil {
		t.Fatal(err)
	}
	second := read(t, s)
	if string(second.Data) != large {
		t.Errorf("a record of %d bytes is read as one of %d", len(large), len(second.Data))
	}
	if err := s.Write(ctx, second, []byte("small")); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, s); got != "view" {
		t.Errorf("below a small record there are %s", got)
	}
}

// A proxy may send a request again whose answer was lost. The second check-and-set is refused, and the parts of the first
// are the record's.
func TestLargeRecordWrittenTwice(t *testing.T) {
	t.Parallel()
	server := consultest.Start(t)
	twice := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: server.Config().Address})
	client, err := dial(serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("cas") {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			twice.ServeHTTP(httptest.NewRecorder(), r)
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		twice.ServeHTTP(w, r)
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.close)
	s, ctx := newStore(client, DefaultPrefix, "test"), within(t)
	large := strings.Repeat("0123456789abcdef", 1<<15)
	for _, data := range []string{large, large + "!", "small", large} {
		if err := s.Write(ctx, read(t, s), []byte(data)); err != nil && (!errors.Is(err, driver.ErrConflict) || data != "small") {
			t.Errorf("Write of %d bytes: %v", len(data), err)
		}
		if got := read(t, s); string(got.Data) != data {
			t.Errorf("a record of %d bytes is read as one of %d", len(data), len(got.Data))
		}
	}
}

func TestLimitsOfServers(t *testing.T) {
	t.Parallel()
	server := consultest.Start(t, `session_ttl_min = "10s" limits { kv_max_value_size = 1024 txn_max_req_len = 2048 }`)
	s, ctx := newTestStore(t, server), within(t)
	if _, err := s.Register(ctx, "a", nil, 3*time.Second); err == nil || !strings.Contains(err.Error(), "WithTTL") {
		t.Errorf("Register for 3 s: %v; want an error that names WithTTL", err)
	}
	if err := s.Write(ctx, read(t, s), make([]byte, 2000)); err == nil || !strings.Contains(err.Error(), "kv_max_value_size") {
		t.Errorf("Write of 2000 bytes: %v; want an error that names the limit", err)
	}
	fenced := NewFencedStore(s.client.Client, "state")
	err := fenced.Write(ctx, driver.Identity{Kind: "k", Name: "n"}, driver.Fence{Term: 1}, make([]byte, 2000))
	if err == nil || !strings.Contains(err.Error(), "kv_max_value_size") {
		t.Errorf("fenced Write of 2000 bytes: %v; want an error that names the limit", err)
	}
	config := server.Config()
	config.Namespace = "none"
	if _, err := New(config).Join(ctx, membertest.Request("a", "127.0.0.1:1")); err == nil || !strings.Contains(err.Error(), "set Namespace") {
		t.Errorf("Join in a namespace of a server without them: %v; want an error that says so", err)
	}
	config.Namespace, config.Datacenter = "", "nowhere"
	if _, err := New(config).Join(ctx, membertest.Request("a", "127.0.0.1:1")); err == nil || !strings.Contains(err.Error(), "check Datacenter") {
		t.Errorf("Join in a datacenter that is not there: %v; want an error that says so", err)
	}
}

func TestFencedKeys(t *testing.T) {
	t.Parallel()
	client, ctx := consultest.Start(t).Client(t), within(t)
	s := NewFencedStore(client, "/shop/state/")
	id := driver.Identity{Kind: "Counter", Name: "a/b"}
	f := driver.Fence{Term: 0x19, Seq: 7}
	large := []byte(strings.Repeat("0123456789abcdef", 1<<16))
	for range 3 {
		if err := s.Write(ctx, id, f, large); err != nil {
			t.Fatal(err)
		}
	}
	if keys, _, err := client.KV().Keys("shop/state/", "", nil); err != nil || len(keys) != 5 {
		t.Errorf("of a value of 1 MiB there are %q, %v; want its key and four parts", keys, err)
	}
	if _, _, err := s.split(ctx, id, large); err != nil { // a writer that ended
		t.Fatal(err)
	}
	for range 2 { // the first leaves the parts alone
		if got, err := s.Open(ctx, id, f); err != nil || string(got) != string(large) {
			t.Errorf("Open gives %d bytes, %v", len(got), err)
		}
	}
	if err := s.Write(ctx, id, f, []byte(`{"count":42}`)); err != nil {
		t.Fatal(err)
	}
	got, _, err := client.KV().List("shop/state/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Key != "shop/state/Counter/a=2Fb" || string(got[0].Value) != "0000000000000019.0000000000000007\n{\"count\":42}" {
		t.Errorf("stored are %v; want the token, a newline and the value", got)
	}
	for _, nonsense := range []string{"", "hello", "000000000000001G.0000000000000007", "0000000000000019-0000000000000007\nx"} {
		if _, err := client.KV().Put(&api.KVPair{Key: s.key(id), Value: []byte(nonsense)}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(ctx, id, f); !errors.Is(err, errNotFenced) {
			t.Errorf("Open over %q: %v; want %v", nonsense, err, errNotFenced)
		}
		if err := s.Write(ctx, id, f, nil); !errors.Is(err, errNotFenced) {
			t.Errorf("Write over %q: %v; want %v", nonsense, err, errNotFenced)
		}
	}
	if err := s.Write(ctx, driver.Identity{Kind: "k", Name: "n"}, f, make([]byte, MaxValue+1)); err == nil {
		t.Error("Write of more than MaxValue succeeded")
	}
	for _, bad := range []driver.Identity{{}, {Kind: "k"}, {Name: "n"}, {Kind: "k", Name: strings.Repeat("n", driver.MaxIdentityLength+1)}} {
		if _, err := s.Open(ctx, bad, f); err == nil {
			t.Errorf("Open of %.40v succeeded", bad)
		}
	}
}
