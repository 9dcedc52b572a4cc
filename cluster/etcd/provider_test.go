package etcd

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/granary-go/granary/cluster/etcd/etcdtest"
	"github.com/granary-go/granary/internal/membertest"
)

const leaseTime = 2 * time.Second

func start(t *testing.T, server *etcdtest.Server, port int) *membertest.Process {
	t.Helper()
	return membertest.Join(t, New(server.Config(), WithTTL(leaseTime)), membertest.Request("", fmt.Sprintf("127.0.0.1:%d", port)))
}

func three(t *testing.T) (*etcdtest.Server, []*membertest.Process) {
	t.Helper()
	server := etcdtest.Start(t)
	members := []*membertest.Process{start(t, server, 1), start(t, server, 2), start(t, server, 3)}
	membertest.Together(t, members...)
	return server, members
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

func TestOneClientForSeveral(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client, ctx := server.Client(t), within(t)
	for _, cluster := range []string{"a", "a/members", "b"} {
		r := membertest.Request("same", "127.0.0.1:1")
		r.Cluster = cluster
		session, err := NewWithClient(client, WithTTL(leaseTime), WithPrefix("/x/")).Join(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		p := &membertest.Process{ID: "same", Session: session}
		p.Holds(t, p)
		if p.Removals > 0 {
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
	membertest.Together(t, all...)
}

// Operators compact, and members whose watches began before go on.
func TestCompaction(t *testing.T) {
	t.Parallel()
	etcdtest.Each(t, func(t *testing.T, v etcdtest.Version) {
		server := v.Start(t)
		members := []*membertest.Process{start(t, server, 1), start(t, server, 2)}
		client, ctx := server.Client(t), within(t)
		for port := 3; port <= 5; port++ {
			membertest.Together(t, members...)
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
			if m.Holds(t, members...); m.Removals > 0 {
				t.Errorf("%s was removed", m.Request.Member.Address)
			}
		}
	})
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

func TestStoreEmptied(t *testing.T) {
	t.Parallel()
	server, members := three(t)
	if _, err := server.Client(t).Delete(within(t), "/granary/test/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	membertest.Again(t, members...)
}

func TestRecordTamperedWith(t *testing.T) {
	t.Parallel()
	server, members := three(t)
	client, ctx := server.Client(t), within(t)
	if _, err := client.Put(ctx, "/granary/test/view", "nonsense"); err != nil {
		t.Fatal(err)
	}
	membertest.Doubted(t, members...)
	if _, err := client.Delete(ctx, "/granary/test/view"); err != nil {
		t.Fatal(err)
	}
	membertest.Again(t, members...)
}
