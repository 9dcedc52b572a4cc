package zk

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
	"github.com/granary-go/granary/cluster/zk/zktest"
	"github.com/granary-go/granary/internal/membertest"
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

func start(t *testing.T, port int, servers ...string) *membertest.Process {
	t.Helper()
	return membertest.Join(t, New(servers, leased), membertest.Request("", fmt.Sprintf("127.0.0.1:%d", port)))
}

func three(t *testing.T) (*zktest.Server, []*membertest.Process) {
	t.Helper()
	server := zktest.Start(t)
	return server, members(t, server.Address)
}

func members(t *testing.T, servers ...string) []*membertest.Process {
	t.Helper()
	all := []*membertest.Process{start(t, 1, servers...), start(t, 2, servers...), start(t, 3, servers...)}
	membertest.Together(t, all...)
	return all
}

func TestThreeMembers(t *testing.T) {
	t.Parallel()
	_, members := three(t)
	ctx := within(t)
	if err := errors.Join(members[0].Session.Drain(ctx), members[0].Session.Leave(ctx)); err != nil {
		t.Error(err)
	}
	members[1].Holds(t, members[1], members[2])
	if err := members[1].Session.Close(); err != nil { // a crash
		t.Error(err)
	}
	members[2].Holds(t, members[2])
	if members[2].Removals > 0 {
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
		session, err := p.Join(within(t), membertest.Request("same", "127.0.0.1:1"))
		if err != nil {
			t.Fatal(err)
		}
		m := &membertest.Process{ID: "same", Session: session}
		m.Holds(t, m)
		if m.Removals > 0 {
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
	before := members[0].ID
	server.Pause(t)
	membertest.Fenced(t, members...)
	server.Resume(t)
	membertest.Again(t, members...)
	if members[0].ID == before {
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
	membertest.Again(t, members...)
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
	membertest.Again(t, members...)
}

func TestRecordTamperedWith(t *testing.T) {
	t.Parallel()
	server, members := three(t)
	conn := admin(t, server.Address)
	if _, err := conn.Set("/granary/test/view", []byte("nonsense"), -1); err != nil {
		t.Fatal(err)
	}
	membertest.Doubted(t, members...)
	if err := deleteTree(conn, "/granary/test/view"); err != nil {
		t.Fatal(err)
	}
	membertest.Again(t, members...)
}

// Members whose lease outlives an election are not removed by one.
func TestLeaderCrashesUnderMembers(t *testing.T) {
	t.Parallel()
	e := zktest.StartEnsemble(t)
	long := make([]*membertest.Process, 3)
	for i := range long {
		long[i] = membertest.Join(t, New(e.Addresses(), WithTTL(15*time.Second)), membertest.Request("", fmt.Sprintf("127.0.0.1:%d", i+1)))
	}
	membertest.Together(t, long...)
	e.Leader(t).Stop()
	e.Leader(t)
	if err := long[0].Session.Drain(within(t)); err != nil { // which needs the new leader
		t.Error(err)
	}
	for _, m := range long {
		m.Holds(t, long...)
		if m.Removals > 0 || m.Session.Lease().Phase() == driver.LeaseFenced {
			t.Errorf("%s was removed %d times, its lease is %v", m.ID, m.Removals, m.Session.Lease().Phase())
		}
	}
}
