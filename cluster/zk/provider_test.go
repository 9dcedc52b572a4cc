package zk

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
	"github.com/granary-go/granary/cluster/zk/zktest"
)

// leaseTime is short, and longer than what a loaded machine may hold anybody up.
const leaseTime = 5 * time.Second

var (
	// tcp is the usual dialer.
	tcp = new(net.Dialer).DialContext
	// leased is what providers of tests have: calls may take longer than a third of a lease time that is so short.
	leased = func(c *config) { WithRecord(record.WithTTL(leaseTime), record.WithCallTimeout(leaseTime))(c) }
)

// These tests wait for servers and for sessions to end, and hardly compute: more of them run at once than there are
// processors, unless -parallel says otherwise.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", "6"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

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
}

func start(t *testing.T, port int, servers ...string) *process {
	t.Helper()
	p := &process{provider: New(servers, leased), address: fmt.Sprintf("127.0.0.1:%d", port)}
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
	session, err := p.provider.Join(ctx, request(p.id, p.address))
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
			if p.last = view.Epoch; want(view) {
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
			t.Fatalf("%s waits for %s: %v", p.id, what, err)
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

func three(t *testing.T) (*zktest.Server, []*process) {
	t.Helper()
	server := zktest.Start(t)
	return server, members(t, server.Address)
}

func members(t *testing.T, servers ...string) []*process {
	t.Helper()
	all := []*process{start(t, 1, servers...), start(t, 2, servers...), start(t, 3, servers...)}
	for _, m := range all {
		m.holds(t, all...)
	}
	return all
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

func TestChroot(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	for name, p := range map[string]Provider{
		"/app/granary/test": New([]string{server.Address + "," + server.Address + "/app"}, leased),
		"/app/x/y/test":     New([]string{server.Address + "/app/"}, leased, WithPrefix("x/y/")),
		"/app/test":         New([]string{server.Address + "/app"}, leased, WithPrefix("/")),
		"/test":             New([]string{server.Address}, leased, WithPrefix("")),
	} {
		session, err := p.Join(within(t), request("same", "127.0.0.1:1"))
		if err != nil {
			t.Fatal(err)
		}
		m := &process{id: "same", session: session}
		m.holds(t, m)
		if m.removals > 0 {
			t.Errorf("%s: the member was removed", name)
		}
		if names, _, err := admin(t, server.Address).Children(name + "/members"); err != nil || !slices.Equal(names, []string{"same"}) {
			t.Errorf("%s has the members %q, error %v", name, names, err)
		}
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}
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

func TestNodesDeleted(t *testing.T) {
	t.Parallel()
	server, members := three(t)
	ctx, conn := within(t), admin(t, server.Address)
	eventually(ctx, t, "all nodes are deleted; a member may be quicker to make its own anew", func() bool {
		return deleteTree(conn, "/granary") == nil
	})
	again(t, members)
}

func deleteTree(conn *zk.Conn, path string) error {
	names, _, err := conn.Children(path)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := deleteTree(conn, path+"/"+name); err != nil && !errors.Is(err, zk.ErrNoNode) {
			return err
		}
	}
	return conn.Delete(path, -1)
}

func TestServerEmptied(t *testing.T) {
	t.Parallel()
	server, members := three(t)
	server.Empty(t)
	again(t, members)
}

func TestRecordTamperedWith(t *testing.T) {
	t.Parallel()
	server, members := three(t)
	conn, ctx := admin(t, server.Address), within(t)
	if _, err := conn.Set("/granary/test/view", []byte("nonsense"), -1); err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		for m.session.Lease().Valid() {
			if _, err := m.session.Lease().Watch(ctx, driver.LeaseValid); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := deleteTree(conn, "/granary/test/view"); err != nil {
		t.Fatal(err)
	}
	again(t, members)
}

// Members whose lease outlives an election are not removed by one.
func TestLeaderCrashesUnderMembers(t *testing.T) {
	t.Parallel()
	e := zktest.StartEnsemble(t)
	long := make([]*process, 3)
	for i := range long {
		provider := New(e.Addresses(), WithTTL(15*time.Second))
		long[i] = &process{provider: provider, address: fmt.Sprintf("127.0.0.1:%d", i+1)}
		if err := long[i].join(within(t)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := long[i].session.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, m := range long {
		m.holds(t, long...)
	}
	e.Leader(t).Stop()
	e.Leader(t)
	if err := long[0].session.Drain(within(t)); err != nil { // which needs the new leader
		t.Error(err)
	}
	for _, m := range long {
		m.last = 0
		m.holds(t, long...)
		if m.removals > 0 || m.session.Lease().Phase() == driver.LeaseFenced {
			t.Errorf("%s was removed %d times, its lease is %v", m.id, m.removals, m.session.Lease().Phase())
		}
	}
}
