package admin

import (
	"log/slog"
	"testing"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// alone is a journal of a process that has not started, so that nobody else tells it
// anything.
func alone(t *testing.T) *journal {
	t.Helper()
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	t.Cleanup(system.Shutdown)
	c := cluster.New(system, cluster.Configure("test", clustertest.NewRegistry().Provider(), remote.Configure("127.0.0.1", 0)))
	j := newJournal(&server{cluster: c, system: system})
	t.Cleanup(j.close)
	return j
}

// How a member has left is said only where it was seen.
func TestHowAMemberLeft(t *testing.T) {
	for name, c := range map[string]struct {
		state    driver.State // in which it was seen last
		previous uint64       // of the view in which it is no more
		want     *pb.MemberChanged
	}{
		"seen leaving":              {driver.Leaving, 10, &pb.MemberChanged{}},
		"seen leaving, views apart": {driver.Leaving, 20, &pb.MemberChanged{}},
		"not seen leaving":          {driver.Active, 10, &pb.MemberChanged{Lost: true}},
		"a view was not seen":       {driver.Active, 20, &pb.MemberChanged{UnknownHow: true}},
	} {
		t.Run(name, func(t *testing.T) {
			j := alone(t)
			a, b := driver.Member{ID: "a"}, driver.Member{ID: "b", State: c.state}
			j.viewChanged(&cluster.ClusterTopology{View: driver.View{Epoch: 10, Members: []driver.Member{a, b}}, Joined: []driver.Member{a, b}})
			j.viewChanged(&cluster.ClusterTopology{View: driver.View{Epoch: 30, Previous: c.previous, Members: []driver.Member{a}}, Left: []driver.Member{b}})
			all, _ := j.read(0)
			for _, e := range all.Events {
				if left := e.GetLeft(); left != nil {
					if left.Lost != c.want.Lost || left.UnknownHow != c.want.UnknownHow {
						t.Errorf("%v", left)
					}
					return
				}
			}
			t.Error("nothing has left")
		})
	}
}

// A view that unites the sides of a split is told as one; who is not in it left nobody knows how. A first view is none.
func TestViewThatUnites(t *testing.T) {
	j := alone(t)
	a, b := driver.Member{ID: "a"}, driver.Member{ID: "b"}
	for _, v := range []driver.View{
		{Incarnation: "i", Epoch: 10, Members: []driver.Member{a, b}},
		{Incarnation: "i", Epoch: 20, Previous: 10, Members: []driver.Member{a, b}},
		{Incarnation: "i", Epoch: 30, Members: []driver.Member{a}},
		{Incarnation: "i", Epoch: 40, Previous: 30, Members: []driver.Member{a}},
		{Incarnation: "other", Epoch: 50, Members: []driver.Member{a}},
	} {
		e := &cluster.ClusterTopology{View: v}
		if v.Epoch == 30 {
			e.Left = []driver.Member{b}
		}
		j.viewChanged(e)
	}
	all, _ := j.read(0)
	for _, e := range all.Events {
		if v := e.GetView(); v != nil && v.Unites != (v.Epoch == 30) {
			t.Errorf("%v", v)
		}
		if left := e.GetLeft(); left != nil && (left.Lost || !left.UnknownHow) {
			t.Errorf("%v", left)
		}
	}
}

// Dead letters of one type do not hide those of others, and the end of a burst is told.
func TestSamplesByType(t *testing.T) {
	var s samples
	told := map[string]uint64{}
	for i := range 1000 {
		d := &pb.DeadLetter{MessageType: "often"}
		if i == 999 {
			d.MessageType = "once"
		}
		if kept := s.take(d, 1); kept != nil {
			told[kept.MessageType] += kept.Count
		}
	}
	if told["often"] != maxOfType || told["once"] != 1000-maxOfType || s.last != nil {
		t.Errorf("%v", told)
	}
	j := alone(t)
	for range 5 {
		j.deadLetter(&actor.DeadLetterEvent{Message: "lost"})
	}
	all, changed := j.read(0)
	if len(all.Events) != maxOfType {
		t.Fatalf("%v", all.Events)
	}
	<-changed // by the timer
	all, _ = j.read(0)
	if e := all.Events[len(all.Events)-1].GetDeadLetter(); e.GetCount() != 5-maxOfType {
		t.Errorf("%v", e)
	}
}
