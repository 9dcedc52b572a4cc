package consul

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/consul/consultest"
	"github.com/granary-go/granary/cluster/driver"
)

const leaseTime = 2 * time.Second

func request(id driver.MemberID, address string) driver.Request {
	return driver.Request{
		Cluster: "test", BindHost: "127.0.0.1", Logger: slog.New(slog.DiscardHandler), Member: driver.Member{
			ID: id, Address: address, Kinds: []driver.Kind{{Name: "Ponger", Guarantee: driver.Leased}},
			Versions: driver.Versions{Min: 1, Max: 1},
		},
	}
}

// diary is a log.
type diary struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

func (d *diary) logger() *slog.Logger { return slog.New(slog.NewTextHandler(d, nil)) }

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
		case ctx.Err() != nil:
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

// The leader of three servers is killed; the members' agent is another, and finds the next leader by itself.
func TestLeaderKilled(t *testing.T) {
	t.Parallel()
	servers := consultest.StartCluster(t, 3)
	leader := 0
	until(t, "a server is the leader", func() bool {
		for i, s := range servers {
			if s.IsLeader(t) {
				leader = i
				return true
			}
		}
		return false
	})
	const ttl = 15 * time.Second // an election of a busy machine fits in
	var sessions []driver.Session
	for i := range 2 {
		agent := servers[(leader+1+i)%3]
		sessions = append(sessions, join(t, New(agent.Config(), WithTTL(ttl)), request(driver.MemberID(fmt.Sprint("m", i)), fmt.Sprint("127.0.0.1:", i+1))))
	}
	for _, s := range sessions {
		holding(t, s, 2)
	}
	servers[leader].Stop()
	third := join(t, waiting{New(servers[(leader+1)%3].Config(), WithTTL(ttl))}, request("m3", "127.0.0.1:3"))
	for _, s := range append(sessions, third) {
		holding(t, s, 3)
		if !s.Lease().Valid() {
			t.Error("a member has lost its lease as the leader changed")
		}
	}
	// Each is renewed by the new leader: 0.9 of the lease time pass, and it is valid still.
	ended := time.After(ttl)
	for {
		select {
		case <-ended:
			return
		case <-time.After(ttl / 50):
		}
		for _, s := range sessions {
			if s.Lease().Phase() == driver.LeaseFenced {
				t.Fatal("a member's lease has ended: it is not renewed after the leader has changed")
			}
		}
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
		r := request("same", "127.0.0.1:1")
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
	s := join(t, New(server.Config(), WithTTL(leaseTime)), request("a", "127.0.0.1:1"))
	holding(t, s, 1)
	if _, err := client.KV().Put(&api.KVPair{Key: "granary/test/view", Flags: 3, Value: []byte("nonsense")}, written(ctx)); err != nil {
		t.Fatal(err)
	}
	second := join(t, New(server.Config(), WithTTL(leaseTime)), request("b", "127.0.0.1:2"))
	if view, err := second.Watch(ctx, 0); err == nil {
		t.Errorf("over a record that is none there is the view %+v", view)
	}
	if _, err := client.KV().DeleteTree("granary/test/", written(ctx)); err != nil {
		t.Fatal(err)
	}
	third := join(t, New(server.Config(), WithTTL(leaseTime)), request("c", "127.0.0.1:3"))
	holding(t, third, 1)
}
