package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/etcd/etcdtest"
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

var lives atomic.Int64

// process joins as a cluster does, and under a new id when it was removed.
type process struct {
	provider driver.Provider
	address  string
	id       driver.MemberID
	session  driver.Session
	last     uint64
	removals int
	seen     driver.View
	logger   *slog.Logger // of its sessions; nil logs nothing
}

func start(t *testing.T, server *etcdtest.Server, port int) *process {
	t.Helper()
	p := &process{provider: New(server.Config(), WithTTL(leaseTime)), address: fmt.Sprintf("127.0.0.1:%d", port)}
	if err := p.join(within(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.session.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *process) join(ctx context.Context) (err error) {
	p.id, p.last = driver.MemberID(fmt.Sprintf("life-%d", lives.Add(1))), 0
	r := request(p.id, p.address)
	if p.logger != nil {
		r.Logger = p.logger
	}
	session, err := p.provider.Join(ctx, r)
	if err == nil {
		p.session = session
	}
	return err
}

// until watches until a view is as wanted, and joins again as often as it is removed.
func (p *process) until(t *testing.T, what string, want func(driver.View) bool) driver.View {
	t.Helper()
	ctx := within(t)
	for {
		view, err := p.session.Watch(ctx, p.last)
		switch {
		case err == nil:
			if p.last, p.seen = view.Epoch, view; want(view) {
				return view
			}
		case errors.Is(err, driver.ErrRemoved):
			if p.removals++; p.session.Lease().Valid() {
				t.Errorf("%s was removed with a valid lease", p.id)
			}
			if err := p.session.Close(); err != nil {
				t.Error(err)
			}
			for p.join(ctx) != nil {
				if ctx.Err() != nil {
					t.Fatalf("%s does not join again while it waits for %s", p.address, what)
				}
			}
		case ctx.Err() != nil:
			t.Fatalf("%s waits for %s: %v; it saw view %v last", p.id, what, err, p.seen)
		default:
			t.Logf("%s: %v", p.id, err)
		}
	}
}

func (p *process) holds(t *testing.T, members ...*process) driver.View {
	t.Helper()
	return p.until(t, fmt.Sprintf("a view of %d", len(members)), func(v driver.View) bool {
		for _, m := range members {
			if _, in := v.Member(m.id); !in {
				return false
			}
		}
		return len(v.Members) == len(members)
	})
}

func three(t *testing.T) (*etcdtest.Server, []*process) {
	t.Helper()
	server := etcdtest.Start(t)
	members := []*process{start(t, server, 1), start(t, server, 2), start(t, server, 3)}
	for _, m := range members {
		m.holds(t, members...)
	}
	return server, members
}

// again waits until each process was removed, has joined again, and sees all others.
func again(t *testing.T, members []*process) {
	t.Helper()
	for _, m := range members {
		m.until(t, "a new life", func(driver.View) bool { return m.removals > 0 })
	}
	for _, m := range members {
		m.last = 0
		m.holds(t, members...)
	}
}

func TestThreeMembers(t *testing.T) {
	t.Parallel()
	_, members := three(t)
	ctx := within(t)
	if err := errors.Join(members[0].session.Drain(ctx), members[0].session.Leave(ctx)); err != nil {
		t.Error(err)
	}
	members[1].holds(t, members[1], members[2])
	if err := members[1].session.Close(); err != nil { // a crash
		t.Error(err)
	}
	members[2].holds(t, members[2])
	if members[2].removals > 0 {
		t.Error("the member that stayed was removed")
	}
}

func TestOneClientForSeveral(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client, ctx := server.Client(t), within(t)
	for _, cluster := range []string{"a", "a/members", "b"} {
		r := request("same", "127.0.0.1:1")
		r.Cluster = cluster
		session, err := NewWithClient(client, WithTTL(leaseTime), WithPrefix("/x/")).Join(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		p := &process{id: "same", session: session}
		p.holds(t, p)
		if p.removals > 0 {
			t.Errorf("cluster %s: the member was removed", cluster)
		}
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}
	got, err := client.Get(ctx, "/x/", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil || got.Count < 3 {
		t.Errorf("keys under the prefix: %v, error %v; want at least the three records", got, err)
	}
}

func TestServerRestarts(t *testing.T) {
	t.Parallel()
	server, members := three(t)
	server.Restart(t)
	fourth := start(t, server, 4)
	all := append(slices.Clone(members), fourth)
	for _, m := range all {
		m.last = 0
		m.holds(t, all...)
	}
}

// Operators compact, and members whose watches began before go on.
func TestCompaction(t *testing.T) {
	t.Parallel()
	etcdtest.Each(t, func(t *testing.T, v etcdtest.Version) {
		server := v.Start(t)
		members := []*process{start(t, server, 1), start(t, server, 2)}
		client, ctx := server.Client(t), within(t)
		for port := 3; port <= 5; port++ {
			for _, m := range members {
				m.holds(t, members...)
			}
			put, err := client.Put(ctx, "elsewhere", "x")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.Compact(ctx, put.Header.Revision); err != nil {
				t.Fatal(err)
			}
			members = append(members, start(t, server, port))
		}
		for _, m := range members {
			if m.holds(t, members...); m.removals > 0 {
				t.Errorf("%s was removed", m.address)
			}
		}
	})
}

func TestServerPausedForLong(t *testing.T) {
	t.Parallel()
	server, members := three(t)
	before := members[0].id
	server.Pause(t)
	ctx := within(t)
	for _, m := range members {
		for phase := driver.LeaseValid; phase != driver.LeaseFenced; {
			var err error
			if phase, err = m.session.Lease().Watch(ctx, phase); err != nil {
				t.Fatal(err)
			}
		}
	}
	server.Resume(t)
	again(t, members)
	if members[0].id == before {
		t.Error("a fenced member goes on under its id")
	}
}

func TestStoreEmptied(t *testing.T) {
	t.Parallel()
	server, members := three(t)
	if _, err := server.Client(t).Delete(within(t), "/granary/test/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	again(t, members)
}

func TestRecordTamperedWith(t *testing.T) {
	t.Parallel()
	server, members := three(t)
	client, ctx := server.Client(t), within(t)
	if _, err := client.Put(ctx, "/granary/test/view", "nonsense"); err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		for m.session.Lease().Valid() {
			if _, err := m.session.Lease().Watch(ctx, driver.LeaseValid); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := client.Delete(ctx, "/granary/test/view"); err != nil {
		t.Fatal(err)
	}
	again(t, members)
}
