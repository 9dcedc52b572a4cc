package main

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// slow is a member that takes its time. Its only kind takes empty messages.
type slow struct {
	pb.UnimplementedAdminServer

	takes  time.Duration
	breaks bool // during a call
	calls  atomic.Int32
}

func (s *slow) wait(ctx context.Context) error {
	timer := time.NewTimer(s.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slow) Members(ctx context.Context, _ *pb.MembersRequest) (*pb.MembersResponse, error) {
	return &pb.MembersResponse{Cluster: "slow"}, s.wait(ctx)
}

func (s *slow) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	d := new(emptypb.Empty).ProtoReflect().Descriptor()
	return &pb.DescribeResponse{Symbol: string(d.FullName()), Files: &descriptorpb.FileDescriptorSet{
		File: []*descriptorpb.FileDescriptorProto{protodesc.ToFileDescriptorProto(d.ParentFile())},
	}}, nil
}

func (s *slow) Call(ctx context.Context, _ *pb.CallRequest) (*pb.CallResponse, error) {
	s.calls.Add(1)
	if s.breaks {
		return nil, status.Error(codes.Unavailable, "error reading from server: EOF")
	}
	return &pb.CallResponse{Type: "google.protobuf.Empty"}, s.wait(ctx)
}

func (*slow) Audit(context.Context, *pb.AuditRequest) (*pb.AuditResponse, error) {
	return &pb.AuditResponse{Violations: []*pb.Violation{{Invariant: 3, Kind: "K", Identity: "a"}}, MoreViolations: 4}, nil
}

// Watch breaks at once.
func (s *slow) Watch(_ *pb.WatchRequest, stream grpc.ServerStreamingServer[pb.WatchResponse]) error {
	s.calls.Add(1)
	if err := stream.Send(&pb.WatchResponse{Event: &pb.Event{}}); err != nil {
		return err
	}
	return status.Error(codes.Unavailable, "admin: no more")
}

func (s *slow) serve(t *testing.T) string {
	t.Helper()
	return serve(t, s)
}

// serve serves a member at an address of the loopback.
func serve(t *testing.T, s pb.AdminServer) string {
	t.Helper()
	listener := listen(t)
	server := grpc.NewServer()
	pb.RegisterAdminServer(server, s)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// listen takes connections and says nothing: to whoever connects that is a member that is
// paused.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// A call is made once, however many members there are to ask, and has all of its time.
func TestCallIsMadeOnce(t *testing.T) {
	both := &slow{takes: 1200 * time.Millisecond}
	addresses := both.serve(t) + "," + both.serve(t)
	var out, errs strings.Builder
	if s := execute(t.Context(), []string{"call", "K/a", "google.protobuf.Empty", "--member", addresses, "--timeout", "2s"}, nil, &out, &errs); s != succeeded {
		t.Errorf("status %d: %s", s, errs.String())
	}
	if n := both.calls.Load(); n != 1 {
		t.Errorf("called %d times", n)
	}
	for _, m := range []*slow{{takes: time.Hour}, {breaks: true}} {
		errs.Reset()
		args := []string{"call", "K/a", "google.protobuf.Empty", "--member", m.serve(t) + "," + m.serve(t), "--timeout", "100ms"}
		if s := execute(t.Context(), args, nil, &out, &errs); s != failed || !strings.Contains(errs.String(), "nobody knows whether the call has run") {
			t.Errorf("status %d: %s", s, errs.String())
		}
		if n := m.calls.Load(); n != 1 {
			t.Errorf("called %d times, want once", n)
		}
	}
}

// A member that does not say a word takes a share of the time, and leaves the rest to the next.
func TestSilentMemberAmongSeveral(t *testing.T) {
	silent, again := listen(t).Addr().String(), listen(t).Addr().String()
	addresses := silent + "," + (&slow{takes: 1500 * time.Millisecond}).serve(t) + "," + again
	var out, errs strings.Builder
	if s := execute(t.Context(), []string{"members", "--member", addresses, "--timeout", "3s"}, nil, &out, &errs); s != succeeded {
		t.Errorf("status %d: %s", s, errs.String())
	}
	errs.Reset()
	if s := execute(t.Context(), []string{"members", "--member", silent, "--timeout", "100ms"}, nil, &out, &errs); s != failed || !strings.Contains(errs.String(), "nobody has answered the connection") {
		t.Errorf("status %d: %s", s, errs.String())
	}
}

// Watch has failed where nothing was watched or printed, and does not ask in a loop for
// streams that break.
func TestWatchFails(t *testing.T) {
	var errs strings.Builder
	if s := execute(t.Context(), []string{"watch", "--member", listen(t).Addr().String(), "--for", "100ms"}, nil, io.Discard, &errs); s != failed || !strings.Contains(errs.String(), "nothing was watched") {
		t.Errorf("status %d: %s", s, errs.String())
	}
	breaking := new(slow)
	address := breaking.serve(t)
	errs.Reset()
	if s := execute(t.Context(), []string{"watch", "--member", address}, nil, full{}, &errs); s != failed || !strings.Contains(errs.String(), "no room") {
		t.Errorf("status %d: %s", s, errs.String())
	}
	breaking.calls.Store(0)
	if s := execute(t.Context(), []string{"watch", "--member", address, "--for", "1500ms"}, nil, io.Discard, io.Discard); s != succeeded {
		t.Errorf("status %d", s)
	}
	if n := breaking.calls.Load(); n > 3 {
		t.Errorf("asked %d times in 1.5 s", n)
	}
}

// What audit finds has an exit status of its own.
func TestAuditFinds(t *testing.T) {
	var out, errs strings.Builder
	if s := execute(t.Context(), []string{"audit", "--member", new(slow).serve(t)}, nil, &out, &errs); s != violated ||
		!strings.Contains(errs.String(), "5 violations") || !strings.Contains(out.String(), "invariant 3: K/a") {
		t.Errorf("status %d: %s%s", s, out.String(), errs.String())
	}
}

// full is a disk.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no room") }

// What a member would refuse is refused before it is asked.
func TestMisusedBeforeAsking(t *testing.T) {
	for _, args := range [][]string{
		{"locate", "Cart/" + strings.Repeat("x", 10_000)},
		{"locate", "Cart/\xff"},
		{"call", "Cart/a", "Add", "--timeout", "2m"},
		{"watch", "--events", "-1"},
		{"watch", "--for", "-1s"},
		{"audit", "--sample", "5000"},
		{"help", "nosuch"},
	} {
		var out, errs strings.Builder
		args := append(args, "--member", "127.0.0.1:1")
		if args[0] == "help" {
			args = args[:2]
		}
		if s := execute(t.Context(), args, nil, &out, &errs); s != misused || out.Len() > 0 {
			t.Errorf("%.40q: status %d: %s%s", args, s, out.String(), errs.String())
		}
	}
}

// gatekeeper lets nobody look.
type gatekeeper struct{ slow }

func (*gatekeeper) Members(context.Context, *pb.MembersRequest) (*pb.MembersResponse, error) {
	return nil, status.Error(codes.PermissionDenied, "admin: members is refused to you")
}

func (*gatekeeper) Leave(context.Context, *pb.LeaveRequest) (*pb.LeaveResponse, error) {
	return &pb.LeaveResponse{Member: &pb.MemberRef{Id: "a", Address: "127.0.0.1:1"}}, nil
}

// Who may let members leave needs not be allowed to look.
func TestLeaveWithoutALook(t *testing.T) {
	address := serve(t, new(gatekeeper))
	var out, errs strings.Builder
	if s := execute(t.Context(), []string{"leave", "a", "--no-wait", "--member", address}, nil, &out, &errs); s != succeeded || !strings.Contains(out.String(), "is leaving") {
		t.Errorf("status %d: %s%s", s, out.String(), errs.String())
	}
}
