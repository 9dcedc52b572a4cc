package zk

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/zk/zktest"
	"github.com/granary-go/granary/internal/membertest"
)

func within(t *testing.T) context.Context { return membertest.Within(t) }

func newStore(t *testing.T, servers ...string) *store {
	t.Helper()
	s, err := config{servers: servers, prefix: DefaultPrefix, dialer: tcp}.open("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// admin is a connection of the library alone.
func admin(t *testing.T, server string) *zk.Conn {
	t.Helper()
	conn, _, err := zk.Connect([]string{server}, 30*time.Second, zk.WithLogger(silence{}), zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func read(t *testing.T, s *store) driver.Record {
	t.Helper()
	record, err := s.Read(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func write(t *testing.T, s *store, data string) {
	t.Helper()
	if err := s.Write(within(t), read(t, s), []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func register(t *testing.T, s *store, id driver.MemberID, ttl time.Duration) (granted time.Duration) {
	t.Helper()
	granted, err := s.Register(within(t), id, []byte("this is "+string(id)), ttl)
	if err != nil {
		t.Fatal(err)
	}
	return granted
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	s, conn, ctx := newStore(t, server.Address), admin(t, server.Address), within(t)
	register(t, s, "one/two", time.Minute)
	if _, err := conn.Create(s.membersPath()+"/stranger", []byte("nonsense"), 0, s.acl); err != nil {
		t.Fatal(err)
	}
	alive := read(t, s).Alive
	if len(alive) != 1 || string(alive["one/two"]) != "this is one/two" {
		t.Errorf("alive are %q; want one/two alone, as the other is not ephemeral", alive)
	}
	other := newStore(t, server.Address)
	if _, err := other.Register(ctx, "one/two", nil, time.Minute); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("Register of an id that is there: %v; want an error that says so", err)
	}
	if _, err := other.Renew(ctx); !errors.Is(err, errNotRegistered) {
		t.Errorf("Renew without a key: %v; want %v", err, errNotRegistered)
	}
	if err := other.Unregister(ctx); !errors.Is(err, errNotRegistered) {
		t.Errorf("Unregister without a key: %v; want %v", err, errNotRegistered)
	}
}

// The version of a renewal whose answer was lost is not known, and a node that was deleted, or is another's, not written.
func TestRenewOverTrouble(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	s, conn, ctx := newStore(t, server.Address), admin(t, server.Address), within(t)
	granted := register(t, s, "a", time.Minute/4)
	if granted != 15*time.Second {
		t.Errorf("granted are %v of a session of 30 s; want half", granted)
	}
	for range 3 {
		if _, err := conn.Set(s.memberPath("a"), []byte("as if it were a renewal"), -1); err != nil {
			t.Fatal(err)
		}
		if granted, err := s.Renew(ctx); err != nil || granted != 15*time.Second {
			t.Errorf("Renew with a version that is not known: %v, %v; want 15 s", granted, err)
		}
	}
	if got := string(read(t, s).Alive["a"]); got != "this is a" {
		t.Errorf("the description is %q after renewals", got)
	}
	if err := conn.Delete(s.memberPath("a"), -1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Renew(ctx); !errors.Is(err, driver.ErrLeaseLost) {
		t.Errorf("Renew without the node: %v; want driver.ErrLeaseLost", err)
	}
	twin := newStore(t, server.Address)
	register(t, twin, "a", time.Minute/4)
	for range 3 { // so that its version is another
		if _, err := twin.Renew(ctx); err != nil {
			t.Fatal(err)
		}
	}
	before, _, err := conn.Get(s.memberPath("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Renew(ctx); !errors.Is(err, driver.ErrLeaseLost) {
		t.Errorf("Renew over the node of another session: %v; want driver.ErrLeaseLost", err)
	}
	if err := s.Unregister(ctx); err != nil {
		t.Errorf("Unregister without a node: %v", err)
	}
	after, stat, err := conn.Get(s.memberPath("a"))
	if err != nil || string(after) != string(before) || stat.Version != 3 {
		t.Errorf("the other's node is %q at version %d, error %v; want it as it was", after, stat.Version, err)
	}
}

// A record that was deleted and made anew has the same versions again.
func TestDeletedRecord(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	s, other, conn, ctx := newStore(t, server.Address), newStore(t, server.Address), admin(t, server.Address), within(t)
	write(t, s, "first")
	write(t, s, "first, again")
	old := read(t, s)
	if err := deleteTree(conn, s.recordPath()); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(ctx, old, []byte("stale")); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("Write over a record that was deleted: %v; want driver.ErrConflict", err)
	}
	if got := read(t, s); got.Data != nil {
		t.Errorf("the record is %q after it was deleted", got.Data)
	}
	write(t, other, "second")
	write(t, other, "second, again")
	now := read(t, other)
	if now.Version.(version).number != old.Version.(version).number {
		t.Fatalf("the versions are %v and %v; the test needs the same", now.Version, old.Version)
	}
	if err := s.Write(ctx, old, []byte("stale")); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("Write over a record that was made anew: %v; want driver.ErrConflict", err)
	}
	if got := string(read(t, s).Data); got != "second, again" {
		t.Errorf("the record is %q", got)
	}
	write(t, s, "third")
	// Whoever meddles with the node below holds up nothing for good.
	mark := read(t, s).Version.(version).mark
	if err := conn.Delete(s.recordPath()+"/"+mark, -1); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(ctx, read(t, s), []byte("fourth")); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("Write without the node below: %v; want driver.ErrConflict", err)
	}
	write(t, s, "fourth")
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := newStore(t, zktest.Start(t).Address)
	err := s.Write(within(t), read(t, s), make([]byte, MaxRecord+1))
	if err == nil || !strings.Contains(err.Error(), "at once") {
		t.Errorf("Write of a record that is too large: %v; want an error that names the limit", err)
	}
	if err := s.Write(within(t), read(t, s), make([]byte, MaxRecord)); err != nil {
		t.Errorf("Write of the largest record: %v", err)
	}
	if err := s.Write(within(t), read(t, s), make([]byte, MaxRecord)); err != nil {
		t.Errorf("Write over the largest record: %v", err)
	}
}

// Wait relies on no watch alone, and sets none again that is set.
func TestWaitIsBounded(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t, zktest.Start(t).Address), within(t)
	write(t, s, "record")
	before := read(t, s)
	begun := time.Now()
	if err := s.Wait(ctx, before); err != nil {
		t.Error(err)
	}
	if waited := time.Since(begun); waited < longestWait {
		t.Errorf("Wait took %v while nothing changed, want %v", waited, longestWait)
	}
	set := s.watches
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := s.Wait(short, before); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait ends with %v, want its context's error", err)
	}
	if set.record == nil || set.members == nil || s.watches != set {
		t.Error("watches that have told of nothing are set again")
	}
	write(t, s, "changed")
	if err := s.Wait(ctx, before); err != nil {
		t.Error(err)
	}
	if s.watches.record == set.record {
		t.Error("a watch that has told of a change is kept")
	}
}

// eventually waits until something is so.
func eventually(ctx context.Context, t *testing.T, what string, is func() bool) {
	t.Helper()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !is() {
		timer.Reset(10 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			t.Fatalf("in vain: %s", what)
		}
	}
}

// contextOf gives a context of the test that ends after a while.
func contextOf(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}
