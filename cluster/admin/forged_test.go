package admin_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/admin"
	"github.com/granary-go/granary/remote"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// stranger is a process that speaks with members and is none. Its questions say that they
// come from whom it likes.
type stranger struct {
	t      *testing.T
	system *actor.ActorSystem
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	r := remote.NewRemote(system, remote.Configure("127.0.0.1", 0), remote.WithHandshake(remote.Handshake{Cluster: "test"}))
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Shutdown(false); err != nil {
			t.Error(err)
		}
		system.Shutdown()
	})
	return &stranger{t, system}
}

// ask asks a member in the name of an actor.
func (s *stranger) ask(address string, from *actor.PID, question *pb.Ask) {
	s.system.Root.RequestWithCustomSender(actor.NewPID(address, "granary.admin"), question, from)
}

// listener hears what it is sent at an address.
func listener(t *testing.T, system *actor.ActorSystem) (*actor.PID, <-chan *pb.Answer) {
	t.Helper()
	heard := make(chan *pb.Answer, 10)
	return system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if a, ok := ctx.Message().(*pb.Answer); ok {
			heard <- a
		}
	})), heard
}

func answered(t *testing.T, heard <-chan *pb.Answer) *pb.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	select {
	case a := <-heard:
		return a
	case <-ctx.Done():
		t.Fatal("no answer")
		return nil
	}
}

// forgeries are questions that would change something, and that nobody has put.
func forgeries(id []byte) []*pb.Ask {
	return []*pb.Ask{
		{Id: id, What: &pb.Ask_Leave{Leave: &pb.LeaveRequest{}}},
		{Id: id, What: &pb.Ask_Drain{Drain: &pb.DrainRequest{}}},
		{Id: id, What: &pb.Ask_Call{Call: &pb.CallRequest{Kind: echoKind, Identity: "a", Type: "google.protobuf.StringValue"}}},
	}
}

// Whom a message says that it comes from is not believed: a process speaks for itself
// only, and a member has to have asked.
func TestForgedSender(t *testing.T) {
	w := newWorld(t)
	left := make(chan struct{}, 1)
	all := w.members(2, admin.Allow(admin.Leave, admin.Drain, admin.Call), admin.OnLeave(func() { left <- struct{}{} }))
	target := all[1].ActorSystem()
	from, heard := listener(t, all[0].ActorSystem())
	refused := make(chan string, 10)
	actor.SubscribeTo(target.EventStream, func(e *actor.DeadLetterEvent) { refused <- e.Reason })
	s := newStranger(t)
	for _, question := range forgeries(make([]byte, 16)) {
		s.ask(target.Address(), from, question)
		select {
		case why := <-refused:
			if !contains(why, "hears each process for itself") {
				t.Errorf("%T: %s", question.What, why)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%T: nothing was refused", question.What)
		}
	}
	// A program within a member can speak for it, and for its admin service if it guesses what
	// that has asked.
	within := &stranger{t, all[0].ActorSystem()}
	for name, id := range map[string][]byte{"without an id": nil, "a short id": {1}, "an id": make([]byte, 16)} {
		for _, question := range forgeries(id) {
			within.ask(target.Address(), from, question)
			if a := answered(t, heard); a.GetFailure().GetReason() != pb.Reason_REASON_NOT_ALLOWED {
				t.Errorf("%s: %v", name, a)
			}
		}
	}
	if len(left) > 0 || all[0].Members()[1].State.String() != "active" || all[0].Inspect().Active()+all[1].Inspect().Active() > 0 {
		t.Error("something was done")
	}
	// Who has really asked is believed.
	if _, err := w.dial(all[0]).Leave(t.Context(), &pb.LeaveRequest{Member: all[1].ActorSystem().Address()}); err != nil {
		t.Error(err)
	}
	select {
	case <-left:
	case <-t.Context().Done():
	}
}

// A member that does not confirm is waited for a while only.
func TestNobodyConfirms(t *testing.T) {
	w := newWorld(t)
	left := make(chan struct{}, 1)
	c := w.member(admin.Serve(admin.Allow(admin.Leave), admin.WithTimeout(400*time.Millisecond), admin.OnLeave(func() { left <- struct{}{} })))
	mute := w.member() // without the service, and with an actor that says nothing
	w.until(func() bool { return len(c.Members()) == 2 })
	if _, err := mute.ActorSystem().Root.SpawnNamed(actor.PropsFromFunc(func(actor.Context) {}), "granary.admin"); err != nil {
		t.Fatal(err)
	}
	from, heard := listener(t, mute.ActorSystem())
	(&stranger{t, mute.ActorSystem()}).ask(c.ActorSystem().Address(), from, &pb.Ask{Id: make([]byte, 16), What: &pb.Ask_Leave{Leave: &pb.LeaveRequest{}}})
	if a := answered(t, heard); a.GetFailure().GetReason() != pb.Reason_REASON_SILENT || !contains(a.GetFailure().GetWhy(), "has not confirmed it") {
		t.Errorf("%v", a)
	}
	if len(left) > 0 {
		t.Error("it leaves")
	}
}
