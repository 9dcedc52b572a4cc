package zk

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/zk/zktest"
)

// owner gives the session that owns a node, 0 if there is no node.
func owner(t *testing.T, conn *zk.Conn, path string) int64 {
	t.Helper()
	there, stat, err := conn.Exists(path)
	if err != nil {
		t.Fatal(err)
	}
	if !there {
		return 0
	}
	return stat.EphemeralOwner
}

func TestSessionGoesOn(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	proxy := zktest.NewProxy(t, server.Address)
	s, conn, ctx := newStore(t, proxy.Address), admin(t, server.Address), within(t)
	register(t, s, "a", 5*time.Second)
	first := owner(t, conn, s.memberPath("a"))
	for range 5 {
		proxy.Break()
		renewUntil(ctx, t, s, "a connection breaks", succeeds)
		if now := owner(t, conn, s.memberPath("a")); now != first || first == 0 {
			t.Fatalf("the node belongs to session %x, and before to %x", now, first)
		}
		proxy.Break() // and what reads goes on with a session of its own
		eventually(ctx, t, "read over a new connection", func() bool { _, err := s.Read(ctx); return err == nil })
	}
}

// A server that holds up an answer for a while is not asked twice for one renewal, and a call that was given up does no
// harm.
func TestRenewWhileNothingPasses(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	proxy := zktest.NewProxy(t, server.Address)
	s, ctx := newStore(t, proxy.Address), within(t)
	register(t, s, "a", 10*time.Second)
	proxy.Block()
	short, cancel := contextOf(t, 300*time.Millisecond)
	defer cancel()
	_, err := s.Renew(short)
	if err == nil || errors.Is(err, driver.ErrLeaseLost) || !strings.Contains(err.Error(), proxy.Address) {
		t.Errorf("Renew without an answer: %v; want an error that names %s", err, proxy.Address)
	}
	proxy.Unblock()
	if granted, err := s.Renew(ctx); err != nil || granted != 10*time.Second {
		t.Errorf("Renew afterwards: %v, %v", granted, err)
	}
}

// The library makes a new session when the old one has ended. Nothing of that id may be written in it.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	proxy := zktest.NewProxy(t, server.Address)
	s, conn, ctx := newStore(t, proxy.Address), admin(t, server.Address), within(t)
	register(t, s, "a", time.Second)
	first := owner(t, conn, s.memberPath("a"))
	proxy.Block()
	eventually(ctx, t, "the session ends", func() bool { return owner(t, conn, s.memberPath("a")) == 0 })
	proxy.Break()
	proxy.Unblock()
	eventually(ctx, t, "it is known that the session has ended", func() bool {
		short, cancel := contextOf(t, 5*time.Second)
		defer cancel()
		_, err := s.Renew(short)
		if err == nil {
			t.Fatal("a session that has ended is renewed")
		}
		return errors.Is(err, driver.ErrLeaseLost)
	})
	// Somebody else's node of that name is safe from it.
	twin := newStore(t, server.Address)
	register(t, twin, "a", time.Minute/2)
	if second := owner(t, conn, s.memberPath("a")); second == first || second == 0 {
		t.Fatalf("sessions %x and %x", first, second)
	}
	for range 20 {
		if _, err := s.Renew(ctx); !errors.Is(err, driver.ErrLeaseLost) {
			t.Errorf("Renew, again: %v; want driver.ErrLeaseLost", err)
		}
	}
	if k := s.registered().client; k.sessionID() != first {
		t.Errorf("the session %x has the successor %x", first, k.sessionID())
	}
	if err := s.Unregister(ctx); err != nil {
		t.Errorf("Unregister: %v", err)
	}
	if got := string(read(t, s).Alive["a"]); got != "this is a" {
		t.Errorf("the other's liveness key is %q", got)
	}
}

// A server that is started again with a lower maxSessionTimeout grants less to a session that goes on, and its time-out
// counts from then on.
func TestServerGrantsLess(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	s, ctx := newStore(t, server.Address), within(t)
	if granted := register(t, s, "a", 20*time.Second); granted != 20*time.Second {
		t.Fatalf("a lease of %v", granted)
	}
	server.Change(t, "maxSessionTimeout=30000")
	renewUntil(ctx, t, s, "the server is back", succeeds)
	server.Change(t) // what it granted between stays
	renewUntil(ctx, t, s, "the server is back again", succeeds)
	if granted, err := s.Renew(ctx); err != nil || granted != 15*time.Second {
		t.Errorf("the lease of a session that was given 30 s in between: %v, %v; want 15s", granted, err)
	}
	server.Change(t, "maxSessionTimeout=19000") // earlier renewals may count on 20 s
	renewUntil(ctx, t, s, "the session is given up", func(err error) bool { return errors.Is(err, driver.ErrLeaseLost) })
}

// A renewal that proves nothing, as after the wall clock was set forward, costs no lease: the next one does, at once.
func TestRenewalThatProvesNothing(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	s, ctx := newStore(t, server.Address), within(t)
	register(t, s, "a", 20*time.Second)
	k := s.registered()
	k.mu.Lock()
	k.touches.known = time.Now().Add(-time.Hour)
	k.mu.Unlock()
	k.client.change(func() { k.client.attached = time.Now().Add(-time.Hour) })
	if granted, err := s.Renew(ctx); !errors.Is(err, errLate) {
		t.Errorf("Renew, an hour after the last touch: %v, %v; want %v", granted, err, errLate)
	}
	if granted, err := s.Renew(ctx); err != nil || granted != 20*time.Second {
		t.Errorf("Renew, again: %v, %v; want 20s", granted, err)
	}
}

// Reads do not keep a liveness key, nor does the library: renewals alone do.
func TestReadsRenewNothing(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	s, ctx := newStore(t, server.Address), within(t)
	register(t, s, "a", time.Second)
	eventually(ctx, t, "the liveness key ends without renewals", func() bool { return len(read(t, s).Alive) == 0 })
	if _, err := s.Renew(ctx); !errors.Is(err, driver.ErrLeaseLost) {
		t.Errorf("Renew: %v; want driver.ErrLeaseLost", err)
	}
}

// A server that does not answer is left for another, long before the connection would be found dead.
func TestAnotherServer(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	proxies := map[string]*zktest.Proxy{}
	for range 2 {
		p := zktest.NewProxy(t, server.Address)
		proxies[p.Address] = p
	}
	s := newStore(t, slices.Collect(maps.Keys(proxies))...)
	const ttl = 20 * time.Second
	register(t, s, "a", ttl)
	for range 3 {
		read(t, s)
		ctx, cancel := contextOf(t, ttl*9/10) // the lease would end; the library gives up after 1.3 of it
		for _, c := range []*client{s.registered().client, s.reader} {
			c.mu.Lock()
			proxies[c.link.server].Block()
			c.mu.Unlock()
			renewUntil(ctx, t, s, "there is another server", succeeds)
			eventually(ctx, t, "read from another server", func() bool {
				short, cancel := contextOf(t, time.Second)
				defer cancel()
				_, err := s.Read(short)
				return err == nil
			})
			for _, p := range proxies {
				p.Unblock()
			}
		}
		cancel()
	}
}
