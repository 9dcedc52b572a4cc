package admin_test

import (
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/admin"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/clustertest/bubble"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// Where a database has the places there are no slots and no owners; what is left works.
func TestLookupInADatabase(t *testing.T) {
	w := newWorld(t)
	store := clustertest.NewEntryStore()
	all := []*cluster.Cluster{
		w.member(admin.Serve(), cluster.WithIdentityLookup(store)),
		w.member(admin.Serve(), cluster.WithIdentityLookup(store)),
	}
	w.until(func() bool { return len(all[0].Members()) == 2 && len(all[1].Members()) == 2 })
	say(t, all[0], names("a", 20)...)
	client := w.dial(all[1])
	members, err := client.Members(t.Context(), &pb.MembersRequest{})
	if err != nil || len(members.Failures) > 0 || members.Members[0].Slots != 0 || !members.Members[0].Status.Ready {
		t.Errorf("%v, %v", members, err)
	}
	if r, err := client.Grains(t.Context(), &pb.GrainsRequest{}); err != nil || len(r.Grains) != 20 {
		t.Errorf("%v, %v", r, err)
	}
	if r, err := client.Slots(t.Context(), &pb.SlotsRequest{}); err != nil || !r.InDatabase || len(r.OwnerOfSlot) != 0 || len(r.Failures) != 0 {
		t.Errorf("%v, %v", r, err)
	}
	if r, err := client.Locate(t.Context(), &pb.LocateRequest{Kind: echoKind, Identity: "a-0001"}); err != nil || !r.Active || r.Member.GetAddress() == "" || r.Token == "" {
		t.Errorf("%v, %v", r, err)
	}
	if r, err := client.Locate(t.Context(), &pb.LocateRequest{Kind: echoKind, Identity: "b"}); err != nil || r.Active || r.Member != nil {
		t.Errorf("%v, %v", r, err)
	}
	r, err := client.Audit(t.Context(), &pb.AuditRequest{})
	if err != nil || len(r.Failures) != 2 || !contains(r.Failures[0].Why, "a database keeps") || len(r.Violations) != 0 {
		t.Errorf("%v, %v", r, err)
	}
}

// A member with a lease is drained, again, and leaves. The bubble does not end before
// everything that the service began has.
func TestDrainWithLeases(t *testing.T) {
	options := bubble.Options{Members: 3, Member: func(int) []cluster.Option {
		return []cluster.Option{echo(), admin.Serve(admin.Allow(admin.Drain))}
	}}
	bubble.Run(t, options, func(t *testing.T, c *bubble.Cluster) {
		say(t, c.Client(), names("a", 60)...)
		for range 2 {
			if err := c.Member(1).Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		had := c.Member(1).Inspect().Active()
		say(t, c.Client(), names("b", 60)...)
		if n := c.Member(1).Inspect().Active(); n != had || had == 0 {
			t.Errorf("%d grains, had %d", n, had)
		}
		if err := c.Member(1).Shutdown(true); err != nil {
			t.Error(err)
		}
		say(t, c.Client(), names("a", 60)...)
	})
}

// The same among members that find each other by pings.
func TestDrainByPings(t *testing.T) {
	w := newWorld(t)
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	c := cluster.New(system, cluster.Configure("test", automanaged.NewWithConfig(200*time.Millisecond, 0), remote.Configure("127.0.0.1", 0),
		echo(), admin.Serve(admin.Allow(admin.Drain, admin.Leave))))
	if err := c.StartContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	ends(t, c)
	client := w.dial(c)
	for range 2 {
		if _, err := client.Drain(t.Context(), &pb.DrainRequest{Member: system.Address()}); err != nil {
			t.Fatal(err)
		}
	}
	if c.Members()[0].State != driver.Leaving {
		t.Error(c.Members())
	}
	if _, err := client.Leave(t.Context(), &pb.LeaveRequest{Member: system.Address()}); err != nil {
		t.Fatal(err)
	}
	w.until(func() bool { return c.Inspect().Failed() })
	_, err := client.Members(t.Context(), &pb.MembersRequest{})
	wantCode(t, err, codes.Unavailable, "")
}
