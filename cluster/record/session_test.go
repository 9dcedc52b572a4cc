package record_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
)

const ttl = 10 * time.Second

// member describes the process n.
func member(n int) driver.Member {
	return driver.Member{ID: driver.MemberID(fmt.Sprintf("m%d", n)), Address: fmt.Sprintf("host:%d", n+1), Versions: driver.Versions{Min: 1, Max: 1}}
}

// node is one process of a test.
type node struct {
	t       *testing.T
	member  driver.Member
	session driver.Session
	after   uint64
}

func request(m driver.Member) driver.Request {
	return driver.Request{Cluster: "c", Member: m, Logger: slog.New(slog.DiscardHandler)}
}

func join(t *testing.T, s *clustertest.RecordStore, m driver.Member) *node {
	t.Helper()
	session, err := s.Provider().Join(t.Context(), request(m))
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, member: m, session: session}
	t.Cleanup(n.close)
	return n
}

func (n *node) close() {
	if err := n.session.Close(); err != nil {
		n.t.Errorf("closing %v: %v", n.member, err)
	}
}

// until waits for a view that fulfils a condition, over passing errors.
func (n *node) until(what string, done func(driver.View) bool) driver.View {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), time.Minute)
	defer cancel()
	for {
		v, err := n.session.Watch(ctx, n.after)
		switch {
		case ctx.Err() != nil, errors.Is(err, driver.ErrRemoved), errors.Is(err, driver.ErrRefused):
			n.t.Fatalf("%v, waiting for a view with %s: %v", n.member, what, err)
		case err == nil:
			n.after = v.Epoch
			if done(v) {
				return v
			}
		}
	}
}

func (n *node) members(ids ...driver.MemberID) driver.View {
	n.t.Helper()
	return n.until(fmt.Sprint(ids), func(v driver.View) bool { return slices.Equal(idsOf(v), ids) })
}

func idsOf(v driver.View) (ids []driver.MemberID) {
	for _, m := range v.Members {
		ids = append(ids, m.ID)
	}
	return ids
}

// fails waits for an error of Watch that holds a text.
func (n *node) fails(target error, text string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), time.Minute)
	defer cancel()
	for {
		v, err := n.session.Watch(ctx, n.after)
		switch {
		case err == nil:
			n.after = v.Epoch
		case (target == nil || errors.Is(err, target)) && strings.Contains(err.Error(), text):
			return
		case ctx.Err() != nil, errors.Is(err, driver.ErrRemoved):
			n.t.Fatalf("%v: %v, want %v with %q", n.member, err, target, text)
		}
	}
}

// cluster starts n members and waits until all are in.
func cluster(t *testing.T, s *clustertest.RecordStore, n int) (nodes []*node) {
	t.Helper()
	var ids []driver.MemberID
	for i := range n {
		nodes = append(nodes, join(t, s, member(i)))
		ids = append(ids, member(i).ID)
	}
	for _, n := range nodes {
		n.members(ids...)
	}
	return nodes
}

func TestFoundsOnlyAfterTheLeaseTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, begun := clustertest.NewRecordStore(), time.Now()
		v := cluster(t, s, 3)[0].session
		if passed := time.Since(begun); passed < ttl || passed > ttl+time.Second {
			t.Errorf("founded after %v", passed)
		}
		view, err := v.Watch(t.Context(), 0)
		if err != nil || view.Previous != 0 || view.Epoch != uint64(begun.Add(ttl).UnixMilli()) {
			t.Errorf("view %+v, %v", view, err)
		}
	})
}

func TestACrashedMemberIsRemovedWhenItsLeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := cluster(t, clustertest.NewRecordStore(), 3)
		crash := time.Now()
		nodes[0].close()
		nodes[1].members("m1", "m2")
		if passed := time.Since(crash); passed < ttl*2/3 || passed > ttl+time.Second {
			t.Errorf("removed after %v", passed)
		}
	})
}

func TestLeaseEndsBeforeTheMemberIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.NewRecordStore()
		nodes := cluster(t, s, 2)
		lease := nodes[1].session.Lease()
		if !lease.Valid() || lease.Phase() != driver.LeaseValid {
			t.Fatalf("valid %v, phase %v", lease.Valid(), lease.Phase())
		}
		heal := s.Cut(nodes[1].member.Address)
		for _, want := range []driver.LeasePhase{driver.LeaseDraining, driver.LeaseFenced} {
			phase, err := lease.Watch(t.Context(), want-1)
			if phase != want || err != nil || lease.Phase() != want || lease.Valid() != (want != driver.LeaseFenced) {
				t.Fatalf("phase %v, %v, valid %v; want %v", phase, err, lease.Valid(), want)
			}
		}
		if v, err := nodes[0].session.Watch(t.Context(), nodes[0].after-1); err != nil || len(v.Members) != 2 {
			t.Errorf("the member was removed before its lease had ended: %+v, %v", v, err)
		}
		nodes[0].members("m0")
		heal()
		nodes[1].fails(driver.ErrRemoved, "liveness key is gone")
		if lease.Valid() {
			t.Error("a fenced lease is valid again")
		}
		nodes[1].close()
		if _, err := lease.Watch(t.Context(), driver.LeaseFenced); !errors.Is(err, driver.ErrClosed) {
			t.Errorf("watching the lease of a closed session: %v", err)
		}
		again := join(t, s, driver.Member{ID: "m9", Address: nodes[1].member.Address, Versions: driver.Versions{Min: 1, Max: 1}})
		again.members("m0", "m9")
	})
}

func TestAnOutageOfTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.NewRecordStore()
		nodes := cluster(t, s, 2)
		s.Outage(true)
		nodes[0].fails(nil, "the store is down")
		if phase, _ := nodes[0].session.Lease().Watch(t.Context(), driver.LeaseValid); phase != driver.LeaseDraining {
			t.Errorf("phase %v", phase)
		}
		s.Outage(false)
		if phase, _ := nodes[0].session.Lease().Watch(t.Context(), driver.LeaseDraining); phase != driver.LeaseValid {
			t.Errorf("phase %v after a short outage", phase)
		}
		s.Outage(true)
		for _, last := range []driver.LeasePhase{driver.LeaseValid, driver.LeaseDraining} {
			if phase, _ := nodes[0].session.Lease().Watch(t.Context(), last); phase != last+1 {
				t.Errorf("phase %v after %v", phase, last)
			}
		}
		s.Outage(false)
		nodes[0].fails(driver.ErrRemoved, "lease has ended")
	})
}

func TestLeaveAndDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.NewRecordStore()
		nodes := cluster(t, s, 3)
		if err := nodes[1].session.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		nodes[0].until("m1 leaving", func(v driver.View) bool {
			m, in := v.Member("m1")
			return in && m.State == driver.Leaving
		})
		begun := time.Now()
		if err := nodes[1].session.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		nodes[0].members("m0", "m2")
		if passed := time.Since(begun); passed > time.Second {
			t.Errorf("leaving took %v", passed)
		}
		if _, alive := s.Get("c"); len(alive) != 2 {
			t.Errorf("alive after a member has left: %v", alive)
		}
		nodes[1].fails(driver.ErrRemoved, "")
		for _, n := range []*node{nodes[2], nodes[0]} {
			if err := n.session.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		join(t, s, member(7)).members("m7") // at once: there is a record
		if passed := time.Since(begun); passed > time.Second {
			t.Errorf("joining an empty record took %v", passed)
		}
	})
}

func TestAnEmptiedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.NewRecordStore()
		nodes := cluster(t, s, 2)
		before := nodes[0].after
		s.Empty()
		for _, n := range nodes {
			n.fails(driver.ErrRemoved, "")
			if n.session.Lease().Valid() {
				t.Error("the lease is valid after the store was emptied")
			}
			n.close()
		}
		if v := join(t, s, member(5)).members("m5"); v.Epoch <= before {
			t.Errorf("epoch %d after %d", v.Epoch, before)
		}
	})
}

func TestBadRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.NewRecordStore()
		n := cluster(t, s, 1)[0]
		s.Put("c", []byte("{"))
		n.fails(driver.ErrRemoved, "cannot be used")
		n.close()
		held := join(t, s, member(1))
		held.fails(nil, "cannot be used")
		ctx, cancel := context.WithTimeout(t.Context(), 3*ttl)
		defer cancel()
		if _, err := held.session.Watch(ctx, 0); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "cannot be used") {
			t.Errorf("waiting on a bad record: %v", err)
		}
		s.Put("c", nil)
		held.members("m1")
	})
}

func TestJoinSaysWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.NewRecordStore()
		for _, c := range []struct {
			want   string
			opts   []record.Option
			change func(*driver.Request)
		}{
			{"lease time", []record.Option{record.WithTTL(time.Millisecond)}, nil},
			{"lease time", []record.Option{record.WithTTL(time.Hour)}, nil},
			{"pause", []record.Option{record.WithPause(-1)}, nil},
			{"bounded", []record.Option{record.WithCallTimeout(time.Hour)}, nil},
			{"without an id", nil, func(r *driver.Request) { r.Member.ID = "" }},
			{"host:port", nil, func(r *driver.Request) { r.Member.Address = "here" }},
			{"cluster's name", nil, func(r *driver.Request) { r.Cluster = "" }},
			{"doubled", nil, func(r *driver.Request) { r.Member.Kinds = []driver.Kind{{Name: "a"}, {Name: "a"}} }},
		} {
			r := request(member(0))
			if c.change != nil {
				c.change(&r)
			}
			if _, err := s.Provider(c.opts...).Join(t.Context(), r); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want one about %q", err, c.want)
			}
		}
		p := s.Provider()
		s.Outage(true)
		if _, err := p.Join(t.Context(), request(member(0))); err == nil || !strings.Contains(err.Error(), "is down") {
			t.Errorf("joining without a store: %v", err)
		}
		s.Outage(false)
		session, err := p.Join(t.Context(), request(member(0)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Observe(t.Context(), request(member(1))); err == nil || !strings.Contains(err.Error(), "open session") {
			t.Errorf("a second session: %v", err)
		}
		if err := session.Close(); err != nil {
			t.Error(err)
		}
		if _, err := session.Watch(t.Context(), 0); !errors.Is(err, driver.ErrClosed) {
			t.Errorf("watching a closed session: %v", err)
		}
	})
}

func TestASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.NewRecordStore()
		nodes := cluster(t, s, 3)
		s.Slow(2 * time.Second)
		time.Sleep(5 * time.Minute)
		for _, n := range nodes {
			if phase := n.session.Lease().Phase(); phase == driver.LeaseFenced {
				t.Errorf("%v is %v with a slow store", n.member, phase)
			}
			if v, err := n.session.Watch(t.Context(), n.after-1); err != nil || len(v.Members) != 3 {
				t.Errorf("%v sees %+v, %v", n.member, v, err)
			}
		}
	})
}
