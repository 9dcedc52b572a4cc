package admin_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/admin"
	"github.com/granary-go/granary/remote"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// What is not allowed is refused, and nothing happens.
func TestReadOnly(t *testing.T) {
	w := newWorld(t)
	all := w.members(2)
	client := w.dial(all[0])
	_, err := client.Call(t.Context(), &pb.CallRequest{Kind: echoKind, Identity: "a", Type: "google.protobuf.StringValue"})
	wantCode(t, err, codes.PermissionDenied, "admin.Allow")
	_, err = client.Drain(t.Context(), &pb.DrainRequest{Member: string(all[1].MemberID())})
	wantCode(t, err, codes.PermissionDenied, "drain is not allowed here")
	_, err = client.Leave(t.Context(), &pb.LeaveRequest{Member: string(all[1].MemberID())})
	wantCode(t, err, codes.PermissionDenied, "leave is not allowed here")
	if n := all[0].Inspect().Active() + all[1].Inspect().Active(); n != 0 {
		t.Errorf("%d grains are active", n)
	}
}

// The member that something is done to has to allow it, too.
func TestTargetDecides(t *testing.T) {
	w := newWorld(t)
	open := w.member(admin.Serve(admin.Allow(admin.Drain, admin.Leave, admin.Call)))
	shut := w.member(admin.Serve(), cluster.NewKind("Other", actor.PropsFromFunc(func(actor.Context) {})))
	w.until(func() bool { return len(open.Members()) == 2 })
	_, err := w.dial(open).Drain(t.Context(), &pb.DrainRequest{Member: shut.ActorSystem().Address()})
	wantCode(t, err, codes.PermissionDenied, "drain is not allowed there")
	_, err = w.dial(open).Leave(t.Context(), &pb.LeaveRequest{Member: shut.ActorSystem().Address()})
	wantCode(t, err, codes.PermissionDenied, "leave is not allowed there")
	_, err = w.dial(open).Call(t.Context(), &pb.CallRequest{Kind: "Other", Identity: "a", Type: "google.protobuf.StringValue"})
	wantCode(t, err, codes.PermissionDenied, "call is not allowed there")
	_, err = w.dial(open).Drain(t.Context(), &pb.DrainRequest{Member: "elsewhere"})
	wantCode(t, err, codes.NotFound, `"elsewhere"`)
	_, err = w.dial(open).Drain(t.Context(), &pb.DrainRequest{})
	wantCode(t, err, codes.InvalidArgument, "no member is named")
}

func TestAuthorization(t *testing.T) {
	w := newWorld(t)
	var asked atomic.Pointer[admin.Request]
	c := w.member(admin.Serve(admin.Allow(admin.Call), admin.WithAuthorization(func(_ context.Context, r admin.Request) error {
		asked.Store(&r)
		if r.Operation == admin.Members || r.Identity == "mine" {
			return nil
		}
		return errors.New("ask Ada")
	})))
	client := w.dial(c)
	if _, err := client.Members(t.Context(), &pb.MembersRequest{}); err != nil {
		t.Error(err)
	}
	_, err := client.Kinds(t.Context(), &pb.KindsRequest{})
	wantCode(t, err, codes.PermissionDenied, "kinds is refused to you: ask Ada")
	stream, err := client.Watch(t.Context(), &pb.WatchRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	wantCode(t, err, codes.PermissionDenied, "ask Ada")
	_, err = client.Call(t.Context(), &pb.CallRequest{Kind: echoKind, Identity: "yours", Method: "M", Type: "T"})
	wantCode(t, err, codes.PermissionDenied, "ask Ada")
	if r := asked.Load(); *r != (admin.Request{Operation: admin.Call, Kind: echoKind, Identity: "yours", Method: "M", Type: "T"}) {
		t.Errorf("%+v", r)
	}
	if _, err := client.Locate(t.Context(), &pb.LocateRequest{Kind: echoKind, Identity: "mine"}); err != nil {
		t.Error(err)
	}
}

func TestCall(t *testing.T) {
	w := newWorld(t)
	host := w.members(1, admin.Allow(admin.Call))[0]
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	gate := cluster.New(system, cluster.Configure("test", w.registry.Provider(), remote.Configure("127.0.0.1", 0), admin.Serve(admin.Allow(admin.Call))))
	if err := gate.StartContext(t.Context()); err != nil { // a member that hosts no kind
		t.Fatal(err)
	}
	ends(t, gate)
	w.until(func() bool { return len(gate.Members()) == 2 && len(host.Members()) == 2 })
	payload, err := proto.Marshal(wrapperspb.String("hello"))
	if err != nil {
		t.Fatal(err)
	}
	client := w.dial(gate)
	r, err := client.Call(t.Context(), &pb.CallRequest{Kind: echoKind, Identity: "a", Type: "google.protobuf.StringValue", Payload: payload})
	if err != nil || r.Error != nil {
		t.Fatal(r, err)
	}
	if string(r.Payload) != string(payload) || r.Type != "google.protobuf.StringValue" || r.Member.Id != string(host.MemberID()) {
		t.Errorf("%v", r)
	}
	r, err = client.Call(t.Context(), &pb.CallRequest{Kind: echoKind, Identity: "a", Type: "google.protobuf.Int64Value", TimeoutNanos: int64(100 * time.Millisecond)})
	if err != nil || !r.Error.GetUnknownOutcome() || !contains(r.Error.Message, "timed out") {
		t.Errorf("of a message that is not answered: %v, %v", r, err)
	}
	for _, c := range []struct {
		request *pb.CallRequest
		code    codes.Code
		text    string
	}{
		{&pb.CallRequest{Kind: "Echoes", Identity: "a"}, codes.NotFound, `"Echoes"; there are: Echo`},
		{&pb.CallRequest{Kind: echoKind, Identity: "a", Type: "no.Such"}, codes.InvalidArgument, `"no.Such" is not linked`},
		{&pb.CallRequest{Kind: echoKind, Identity: "a", Type: "google.protobuf.StringValue", Payload: []byte{0xff}}, codes.InvalidArgument, "no google.protobuf.StringValue"},
		{&pb.CallRequest{Kind: echoKind, Identity: "a", TimeoutNanos: -1}, codes.InvalidArgument, "timeout"},
		{&pb.CallRequest{Kind: echoKind, Identity: "a", TimeoutNanos: int64(time.Hour)}, codes.InvalidArgument, "timeout"},
	} {
		_, err := client.Call(t.Context(), c.request)
		wantCode(t, err, c.code, c.text)
	}
	r, err = client.Call(t.Context(), &pb.CallRequest{Kind: echoKind, Identity: strings.Repeat("x", 2000), Type: "google.protobuf.StringValue"})
	if err != nil || !contains(r.Error.GetMessage(), "the limit is 1024") || r.Error.FromGrain {
		t.Errorf("%v, %v", r, err)
	}
}

func TestDescribe(t *testing.T) {
	w := newWorld(t)
	kind := cluster.NewKind("Admin", actor.PropsFromFunc(func(actor.Context) {})) // as the service that is linked in
	c := w.member(admin.Serve(), kind)
	client := w.dial(c)
	r, err := client.Describe(t.Context(), &pb.DescribeRequest{Kind: "Admin"})
	if err != nil || r.Symbol != "granary.admin.v1.Admin" || len(r.Files.File) != 2 || r.Files.File[0].GetName() != "google/protobuf/descriptor.proto" {
		t.Errorf("%v, %v", r.GetSymbol(), err)
	}
	r, err = client.Describe(t.Context(), &pb.DescribeRequest{Kind: echoKind, Symbol: "google.protobuf.StringValue"})
	if err != nil || len(r.Files.File) != 1 {
		t.Errorf("%v, %v", r.GetSymbol(), err)
	}
	_, err = client.Describe(t.Context(), &pb.DescribeRequest{Kind: echoKind})
	wantCode(t, err, codes.NotFound, `no service is named as the kind "Echo"`)
	_, err = client.Describe(t.Context(), &pb.DescribeRequest{Kind: echoKind, Symbol: "no.Such"})
	wantCode(t, err, codes.NotFound, "not linked")
}

// A drained member keeps its grains and takes no more.
func TestDrain(t *testing.T) {
	w := newWorld(t)
	all := w.members(2, admin.Allow(admin.Drain))
	say(t, all[0], names("a", 40)...)
	before := all[1].Inspect().Active()
	for range 2 { // the second time nothing is left to do
		r, err := w.dial(all[0]).Drain(t.Context(), &pb.DrainRequest{Member: string(all[1].MemberID())})
		if err != nil || r.Active != before || r.Member.Id != string(all[1].MemberID()) {
			t.Fatal(r, err)
		}
	}
	w.until(func() bool { return all[0].Members()[1].State.String() == "leaving" })
	say(t, all[0], names("b", 40)...)
	if n := all[1].Inspect().Active(); n != before {
		t.Errorf("%d grains, had %d", n, before)
	}
	say(t, all[0], names("a", 40)...)
	if n := all[0].Inspect().Active(); n != 80-before {
		t.Errorf("%d grains here, want %d: some have moved", n, 80-before)
	}
}

func TestLeave(t *testing.T) {
	w := newWorld(t)
	all := w.members(2, admin.Allow(admin.Leave))
	say(t, all[0], names("a", 20)...)
	if _, err := w.dial(all[0]).Leave(t.Context(), &pb.LeaveRequest{Member: all[1].ActorSystem().Address()}); err != nil {
		t.Fatal(err)
	}
	w.until(func() bool { return len(all[0].Members()) == 1 })
	say(t, all[0], names("a", 20)...)
	// Itself, too; the answer gets out.
	if _, err := w.dial(all[0]).Leave(t.Context(), &pb.LeaveRequest{Member: all[0].ActorSystem().Address()}); err != nil {
		t.Error(err)
	}
	w.until(func() bool { return len(w.registry.View().Members) == 0 })
}

func TestOnLeave(t *testing.T) {
	w := newWorld(t)
	called := make(chan struct{}, 2)
	c := w.members(1, admin.Allow(admin.Leave), admin.OnLeave(func() { called <- struct{}{} }))[0]
	for range 2 {
		if _, err := w.dial(c).Leave(t.Context(), &pb.LeaveRequest{Member: c.ActorSystem().Address()}); err != nil {
			t.Fatal(err)
		}
	}
	<-called
	// Whoever was to be called a second time is called by the end of the cluster.
	if err := c.Shutdown(true); err != nil {
		t.Error(err)
	}
	if len(called) > 0 {
		t.Error("called twice")
	}
}

// A host that does not serve the service, or does not allow a look, has others asked.
func TestNextHost(t *testing.T) {
	w := newWorld(t)
	mute := w.member()
	gate := cluster.New(actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler))),
		cluster.Configure("test", w.registry.Provider(), remote.Configure("127.0.0.1", 0), admin.Serve(admin.Allow(admin.Call))))
	if err := gate.StartContext(t.Context()); err != nil { // a member that hosts no kind
		t.Fatal(err)
	}
	ends(t, gate)
	serving := w.member(admin.Serve(admin.Allow(admin.Call)))
	w.until(func() bool {
		return len(gate.Members()) == 3 && len(serving.Members()) == 3 && len(mute.Members()) == 3
	})
	client := w.dial(gate)
	d, err := client.Describe(t.Context(), &pb.DescribeRequest{Kind: echoKind, Symbol: "google.protobuf.StringValue"})
	if err != nil || d.Member.Id != string(serving.MemberID()) {
		t.Errorf("%v, %v", d.GetMember(), err)
	}
	r, err := client.Call(t.Context(), &pb.CallRequest{Kind: echoKind, Identity: "a", Type: "google.protobuf.StringValue"})
	if err != nil || r.Error != nil || r.Member.Id != string(serving.MemberID()) {
		t.Errorf("%v, %v", r, err)
	}
}

// A client of the cluster is no member: what changes something it cannot have done by the
// back door, and it can look.
func TestClientAsks(t *testing.T) {
	w := newWorld(t)
	host := w.members(1, admin.Allow(admin.Drain, admin.Call))[0]
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	client := cluster.New(system, cluster.Configure("test", w.registry.Provider(), remote.Configure("127.0.0.1", 0), admin.Serve(admin.Allow(admin.Drain, admin.Call))))
	if err := client.StartClientContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	ends(t, client)
	w.until(func() bool { return len(client.Members()) == 1 })
	r, err := w.dial(client).Members(t.Context(), &pb.MembersRequest{})
	if err != nil || r.AnsweredBy.Id != "" || r.Members[0].Status.GetMember().GetId() != string(host.MemberID()) {
		t.Errorf("%v, %v", r, err)
	}
	_, err = w.dial(client).Drain(t.Context(), &pb.DrainRequest{Member: host.ActorSystem().Address()})
	wantCode(t, err, codes.PermissionDenied, "only members")
}

func TestNotInACluster(t *testing.T) {
	w := newWorld(t)
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	c := cluster.New(system, cluster.Configure("test", w.registry.Provider(), remote.Configure("127.0.0.1", 0), admin.Serve()))
	if err := c.StartClientContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	ends(t, c)
	_, err := w.dial(c).Members(t.Context(), &pb.MembersRequest{})
	wantCode(t, err, codes.Unavailable, "no view")
}
