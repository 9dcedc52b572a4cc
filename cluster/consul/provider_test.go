package consul

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/consul/consultest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/membertest"
)

const leaseTime = 2 * time.Second

// join joins, and closes the session when the test ends.
func join(t *testing.T, p driver.Provider, r driver.Request) driver.Session {
	t.Helper()
	session, err := p.Join(within(t), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	})
	return session
}

// holding waits until a session is shown a view of so many members.
func holding(t *testing.T, s driver.Session, n int) {
	t.Helper()
	ctx := within(t)
	for last := uint64(0); ; {
		view, err := s.Watch(ctx, last)
		switch {
		case err == nil && len(view.Members) == n:
			return
		case err == nil:
			last = view.Epoch
		case ctx.Err() != nil, errors.Is(err, driver.ErrRemoved):
			t.Fatalf("there is no view of %d members: %v", n, err)
		}
	}
}

// until waits for a condition, looking often.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx := within(t); !done(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// three starts three servers, the leader first.
func three(t *testing.T) []*consultest.Server {
	t.Helper()
	servers := consultest.StartCluster(t, 3)
	until(t, "a server is the leader", func() bool {
		for i, s := range servers {
			if s.IsLeader(t) {
				servers[0], servers[i] = servers[i], servers[0]
				return true
			}
		}
		return false
	})
	return servers
}

// The leader of three servers is killed; the members' agents are the others, and find the next leader by themselves.
func TestLeaderKilled(t *testing.T) {
	t.Parallel()
	servers := three(t)
	const ttl = 15 * time.Second // an election of a busy machine fits in
	var sessions []driver.Session
	for i, agent := range servers[1:] {
		r := membertest.Request(driver.MemberID(fmt.Sprint("m", i)), fmt.Sprint("127.0.0.1:", i+1))
		sessions = append(sessions, join(t, New(agent.Config(), WithTTL(ttl)), r))
	}
	for _, s := range sessions {
		holding(t, s, 2)
	}
	servers[0].Stop()
	third := join(t, waiting{New(servers[1].Config(), WithTTL(ttl))}, membertest.Request("m3", "127.0.0.1:3"))
	for _, s := range append(sessions, third) {
		holding(t, s, 3)
	}
	// For as long as a lease lasts that nobody renews.
	ended := time.After(ttl)
	for {
		for _, s := range sessions {
			if !s.Lease().Valid() {
				t.Fatal("a member's lease has ended, as the leader has changed")
			}
		}
		select {
		case <-ended:
			return
		case <-time.After(ttl / 50):
		}
	}
}

// The leader stops and goes on, and with it the agent of a member: nobody takes that out of the view before its lease
// has ended, and what the server that was the leader says afterwards brings it no new one.
func TestLeaderPaused(t *testing.T) {
	t.Parallel()
	servers := three(t)
	const ttl = 10 * time.Second // an election of a busy machine fits in
	cut := join(t, New(servers[0].Config(), WithTTL(ttl)), membertest.Request("cut", "127.0.0.1:1"))
	stays := join(t, New(servers[1].Config(), WithTTL(ttl)), membertest.Request("stays", "127.0.0.1:2"))
	holding(t, cut, 2)
	holding(t, stays, 2)
	servers[0].Pause(t)
	holding(t, stays, 1)
	if cut.Lease().Valid() {
		t.Error("a member is out of the view, and its lease is valid")
	}
	servers[0].Resume(t)
	var err error
	for ctx := within(t); !errors.Is(err, driver.ErrRemoved) && ctx.Err() == nil; {
		_, err = cut.Watch(ctx, 1<<62)
	}
	if !errors.Is(err, driver.ErrRemoved) {
		t.Errorf("Watch of a member that was taken out: %v; want %v", err, driver.ErrRemoved)
	}
	if phase := stays.Lease().Phase(); phase == driver.LeaseFenced {
		t.Error("the member that has another agent lost its lease")
	}
}

// waiting joins as soon as the service can be reached, as a cluster does.
type waiting struct{ driver.Provider }

// Join implements [driver.Provider].
func (w waiting) Join(ctx context.Context, r driver.Request) (driver.Session, error) {
	for {
		session, err := w.Provider.Join(ctx, r)
		if err == nil || ctx.Err() != nil {
			return session, err
		}
	}
}

func TestOneClientForSeveral(t *testing.T) {
	t.Parallel()
	server := consultest.Start(t)
	client := server.Client(t)
	for _, cluster := range []string{"a", "a/members", "b"} {
		r := membertest.Request("same", "127.0.0.1:1")
		r.Cluster = cluster
		holding(t, join(t, NewWithClient(client, WithTTL(leaseTime), WithPrefix("/x/y/")), r), 1)
	}
	keys, _, err := client.KV().Keys("x/y/", "", new(api.QueryOptions).WithContext(within(t)))
	if err != nil || len(keys) != 6 {
		t.Errorf("keys under the prefix: %q, %v; want a record and a member of each", keys, err)
	}
}

// A record that is none stops everybody, and goes when it is deleted.
func TestRecordTamperedWith(t *testing.T) {
	t.Parallel()
	server := consultest.Start(t)
	client, ctx := server.Client(t), within(t)
	s := join(t, New(server.Config(), WithTTL(leaseTime)), membertest.Request("a", "127.0.0.1:1"))
	holding(t, s, 1)
	if _, err := client.KV().Put(&api.KVPair{Key: "granary/test/view", Flags: 3, Value: []byte("nonsense")}, written(ctx)); err != nil {
		t.Fatal(err)
	}
	second := join(t, New(server.Config(), WithTTL(leaseTime)), membertest.Request("b", "127.0.0.1:2"))
	if view, err := second.Watch(ctx, 0); err == nil {
		t.Errorf("over a record that is none there is the view %+v", view)
	}
	if _, err := client.KV().DeleteTree("granary/test/", written(ctx)); err != nil {
		t.Fatal(err)
	}
	third := join(t, New(server.Config(), WithTTL(leaseTime)), membertest.Request("c", "127.0.0.1:3"))
	holding(t, third, 1)
}
