package admin_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/admin"
	"github.com/granary-go/granary/cluster/driver"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// watching is a stream of events. Its context ends with the test.
type watching struct {
	t      *testing.T
	stream interface {
		Recv() (*pb.WatchResponse, error)
	}
}

func (w *world) watch(c *cluster.Cluster, r *pb.WatchRequest) *watching {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	w.t.Cleanup(cancel)
	stream, err := w.dial(c).Watch(ctx, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return &watching{w.t, stream}
}

// await reads events until one is right.
func (w *watching) await(right func(*pb.Event) bool) *pb.Event {
	w.t.Helper()
	for {
		r, err := w.stream.Recv()
		if err != nil {
			w.t.Fatal(err)
		}
		if right(r.Event) {
			return r.Event
		}
	}
}

// litter makes n dead letters in a process.
func litter(c *cluster.Cluster, n int) {
	system := c.ActorSystem()
	for range n {
		system.Root.Send(system.NewLocalPID("nobody\x1b"), "lost")
	}
}

func TestWatch(t *testing.T) {
	w := newWorld(t)
	all := w.members(2, admin.Allow(admin.Leave))
	events := w.watch(all[0], &pb.WatchRequest{})
	first := events.await(func(*pb.Event) bool { return true })
	if v := first.GetBegan(); v == nil || len(v.Members) != 2 || v.Count != 2 || v.Epoch == 0 {
		t.Fatalf("the first is %v", first)
	}
	third := w.member(admin.Serve(admin.Allow(admin.Leave)))
	joined := events.await(func(e *pb.Event) bool { return e.GetJoined() != nil })
	if joined.GetJoined().Member.Id != string(third.MemberID()) || joined.Member.Id != string(all[0].MemberID()) {
		t.Errorf("%v", joined)
	}
	moved := events.await(func(e *pb.Event) bool { return e.GetSlots() != nil }).GetSlots()
	if moved.Moved < 1000 || moved.Moved > 1800 || len(moved.Shares) != 3 {
		t.Errorf("%v", moved)
	}
	// What happens on another member is told, too.
	litter(third, 1)
	dead := events.await(func(e *pb.Event) bool { return e.GetDeadLetter() != nil })
	if dead.Member.Id != string(third.MemberID()) || dead.GetDeadLetter().Reason != actor.DeadLetterNoActor || dead.GetDeadLetter().MessageType != "string" {
		t.Errorf("%v", dead)
	}
	if err := third.Shutdown(true); err != nil {
		t.Fatal(err)
	}
	// That it is leaving is told only where that view is seen before the next one.
	left := events.await(func(e *pb.Event) bool { return e.GetLeft() != nil }).GetLeft()
	if left.Lost || left.Member.Id != joined.GetJoined().Member.Id {
		t.Errorf("%v", left)
	}
	// One that is taken out has not said so before. It joins again at once: where only that
	// view is seen, nobody knows what was in the one before.
	w.registry.Remove(all[1].MemberID())
	if left := events.await(func(e *pb.Event) bool { return e.GetLeft() != nil }).GetLeft(); !left.Lost && !left.UnknownHow {
		t.Errorf("%v", left)
	}
}

// A member that dies while it is watched is named once, and the stream goes on.
func TestWatchOfTheDead(t *testing.T) {
	w := newWorld(t)
	all := w.members(2, admin.WithTimeout(300*time.Millisecond))
	w.ghost("ghost")
	w.until(func() bool { return len(all[0].Members()) == 3 })
	events := w.watch(all[0], &pb.WatchRequest{})
	silent := events.await(func(e *pb.Event) bool { return e.GetSilent() != nil })
	if silent.GetSilent().Member.Id != "ghost" {
		t.Errorf("%v", silent)
	}
	for range 3 { // rounds
		litter(all[1], 1)
		events.await(func(e *pb.Event) bool {
			if e.GetSilent() != nil {
				t.Errorf("named again: %v", e)
			}
			return e.GetDeadLetter() != nil && e.Member.Id == string(all[1].MemberID())
		})
	}
	w.registry.Remove("ghost")
	left := events.await(func(e *pb.Event) bool { return e.GetLeft().GetMember().GetId() == "ghost" })
	if !left.GetLeft().Lost {
		t.Errorf("%v", left)
	}
}

// Dead letters are samples with counts, and cost no more memory the more there are.
func TestDeadLettersAreSampled(t *testing.T) {
	w := newWorld(t)
	c := w.members(1)[0]
	events := w.watch(c, &pb.WatchRequest{Local: true})
	events.await(func(*pb.Event) bool { return true })
	litter(c, 5000)
	r, err := w.dial(c).Members(t.Context(), &pb.MembersRequest{})
	if err != nil || r.Members[0].Status.DeadLetters < 5000 {
		t.Fatal(r, err)
	}
	var told, samples uint64
	for told < 5000 {
		e := events.await(func(e *pb.Event) bool { return e.GetDeadLetter() != nil })
		told += e.GetDeadLetter().Count
		samples++
	}
	if samples > 20 { // ten of a second, of which three are of one type, and the rest
		t.Errorf("%d samples", samples)
	}
}

// Who reads too slowly misses events and is told how many; nobody waits for him.
func TestSlowViewer(t *testing.T) {
	w := newWorld(t)
	c := w.members(1)[0]
	slow := w.watch(c, &pb.WatchRequest{Local: true})
	slow.await(func(*pb.Event) bool { return true })
	const many = 200_000
	for range many {
		c.ActorSystem().EventStream.Publish(&cluster.MemberLease{Member: c.MemberID(), Phase: driver.LeaseValid})
	}
	got, missed := uint64(0), uint64(0)
	for got+missed < many {
		r, err := slow.stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if r.Event.GetLease() != nil {
			got++
		}
		missed += r.Event.GetMissed().GetCount()
	}
	if missed == 0 || got == 0 || got+missed != many {
		t.Errorf("%d read and %d missed of %d", got, missed, many)
	}
}

// A stream that broke goes on where it was.
func TestWatchGoesOn(t *testing.T) {
	w := newWorld(t)
	c := w.members(1)[0]
	began := w.watch(c, &pb.WatchRequest{Local: true}).await(func(*pb.Event) bool { return true })
	litter(c, 2)
	events := w.watch(c, &pb.WatchRequest{Local: true, After: began.Number})
	for range 2 {
		if e := events.await(func(e *pb.Event) bool { return e.GetDeadLetter() != nil }); e.Number <= began.Number {
			t.Errorf("%v", e)
		}
	}
}

func TestWatchersAreBounded(t *testing.T) {
	w := newWorld(t)
	c := w.members(1)[0]
	client := w.dial(c)
	for range admin.MaxWatchers {
		stream, err := client.Watch(t.Context(), &pb.WatchRequest{Local: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := client.Watch(t.Context(), &pb.WatchRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	wantCode(t, err, codes.ResourceExhausted, "64 streams")
}

func TestWatchEndsWithTheMember(t *testing.T) {
	w := newWorld(t)
	all := w.members(2)
	events := w.watch(all[0], &pb.WatchRequest{})
	events.await(func(*pb.Event) bool { return true })
	began := time.Now()
	if err := all[0].Shutdown(true); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the shutdown took %v", took)
	}
	for {
		if _, err := events.stream.Recv(); err != nil {
			if status.Code(err) != codes.Unavailable {
				t.Error(err)
			}
			return
		}
	}
}
