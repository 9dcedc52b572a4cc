package automanaged

import (
	"context"
	"errors"
	"math"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	pb "github.com/granary-go/granary/cluster/automanaged/internal/membershippb"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/view"
)

const (
	// maxWatchers is how many clients a member serves with views.
	maxWatchers = 1024
	// A watcher chooses its heartbeat within these bounds.
	shortestHeartbeat = 50 * time.Millisecond
	longestHeartbeat  = time.Minute
	// regular is how many connections there are to a ping port: those of the members of the
	// largest view, and of the clients.
	regular        = view.MaxMembers + maxWatchers
	maxHeaderBytes = 64 << 10
	// window is how much of a stream may be there that nobody has read, in bytes.
	window = 64 << 10
)

// server answers on the ping port.
type server struct {
	pb.UnimplementedMembershipServer
	member   *member
	cluster  string
	watchers atomic.Int32
}

func (m *member) newServer(cluster string) *grpc.Server {
	s := grpc.NewServer(append(m.config.guarded(),
		grpc.Creds(m.config.server),
		grpc.ConnectionTimeout(m.config.timeout()), // it also bounds how long one that says nothing holds up the end
		grpc.MaxRecvMsgSize(maxRequest), grpc.MaxSendMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.InitialWindowSize(window), // it does not grow then
		grpc.WaitForHandlers(true),
	)...)
	pb.RegisterMembershipServer(s, &server{member: m, cluster: cluster})
	return s
}

// guarded are the options of the server by which the process bounds what strangers do.
func (c config) guarded() []grpc.ServerOption {
	kept := keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}
	if c.guard == nil {
		return []grpc.ServerOption{grpc.KeepaliveParams(kept)}
	}
	kept.MaxConnectionIdle = max(c.guard.Quiet, 3*c.refresh) // a member's comes to life with each ping
	return []grpc.ServerOption{
		grpc.KeepaliveParams(kept),
		grpc.MaxConcurrentStreams(uint32(min(c.guard.MaxStreams, math.MaxUint32))),
		grpc.InTapHandle(func(ctx context.Context, _ *tap.Info) (context.Context, error) {
			ctx, came := c.guard.Expect(ctx)
			return context.WithValue(ctx, expected{}, came), nil
		}),
	}
}

// expected is the key of what ends the wait for a request.
type expected struct{}

// came says that a request has come in whole.
func came(ctx context.Context) {
	if end, ok := ctx.Value(expected{}).(func()); ok {
		end()
	}
}

var errClosing = status.Error(codes.Unavailable, "this process is leaving")

// Ping implements the service.
func (s *server) Ping(ctx context.Context, request *pb.PingRequest) (*pb.PingResponse, error) {
	came(ctx)
	g, err := greetingFromWire(request.GetGreeting())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if err := s.proves(ctx, g.Sender); err != nil {
		return nil, status.Errorf(codes.PermissionDenied, "your certificate is not one for the address that you give: %v", err)
	}
	switch answer := s.member.step(view.Received{Greeting: g}).(type) {
	case view.Answer:
		return &pb.PingResponse{
			Greeting: greetingToWire(answer.Greeting),
			Refusal:  answer.Greeting.Refusal, Dropped: answer.Greeting.Dropped,
		}, nil
	case view.Refuse:
		return nil, status.Error(codes.FailedPrecondition, answer.Why)
	default:
		return nil, errClosing
	}
}

// proves says why the process that pings is not who it says it is, where the cluster
// has TLS.
func (s *server) proves(ctx context.Context, sender view.Entry) error {
	if s.member.config.proves == nil {
		return nil
	}
	p, ok := peer.FromContext(ctx)
	if !ok {
		return errors.New("nothing is known of you")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return errors.New("you do not use TLS")
	}
	for _, address := range []string{sender.Member.Address, sender.Ping} {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return err
		}
		if err := s.member.config.proves(info.State, host); err != nil {
			return err
		}
	}
	return nil
}

// Watch implements the service: the newest view, each later one, and a
// heartbeat when nothing has happened for the time the watcher asked for.
func (s *server) Watch(request *pb.WatchRequest, stream grpc.ServerStreamingServer[pb.WatchResponse]) error {
	came(stream.Context())
	if request.GetCluster() != s.cluster {
		return status.Errorf(codes.FailedPrecondition, "this process belongs to cluster %q, not to %q", s.cluster, request.GetCluster())
	}
	if s.watchers.Add(1) > maxWatchers {
		s.watchers.Add(-1)
		return status.Errorf(codes.ResourceExhausted, "this member serves %d clients already", maxWatchers)
	}
	defer s.watchers.Add(-1)
	pause := time.Duration(request.GetHeartbeatMs()) * time.Millisecond
	heartbeat := time.NewTicker(min(max(pause, shortestHeartbeat), longestHeartbeat))
	defer heartbeat.Stop()
	for sent := uint64(0); ; {
		shown, changed := s.member.board.read()
		if shown.view.Epoch > sent {
			sent = shown.view.Epoch
			if err := stream.Send(&pb.WatchResponse{View: viewToWire(shown.view)}); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(shown.over, driver.ErrClosed):
			return errClosing
		case shown.over != nil:
			return status.Error(codes.Unavailable, "this process is no longer in the view")
		case sent == 0:
			return status.Error(codes.Unavailable, "this process is in no view yet")
		}
		select {
		case <-changed:
		case <-heartbeat.C:
			if err := stream.Send(new(pb.WatchResponse)); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}
