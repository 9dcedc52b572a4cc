package remote

import (
	"context"
	"net"
	"sync"

	"google.golang.org/grpc"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/door"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

// maxHeaderBytes bounds the headers of a request to the port.
const maxHeaderBytes = 64 << 10

// guardedPart is which part of the requests that may come in at the own port may do so at
// another one, unless that one has more regular connections.
const guardedPart = 4

// Guard bounds what strangers can do to another port of this process, as [WithStrangerLimits],
// [WithRequestLimits] and [WithRequestTimeouts] do at its own: with a quarter of the requests
// that come in at a time, or one for each regular connection if these are more: behind a pause
// of this process all of them may have one. What is turned away counts in [Stats]. A cluster gives it to
// its membership provider.
func (r *Remote) Guard() *driver.Guard {
	hall := door.NewHall(max(r.config.maxIncoming/guardedPart, 1), r.config.requestTimeout)
	return &driver.Guard{
		Listen: func(l net.Listener, regular int) net.Listener {
			hall.Widen(regular)
			return r.guard(l, regular)
		},
		Expect: hall.Expect, MaxStreams: r.config.maxStreams, Quiet: r.config.quietTimeout,
	}
}

func (r *Remote) guard(l net.Listener, regular int) *door.Door {
	return door.New(l, r.config.maxStrangers+regular, r.config.strangersOfHost+regular, func(from net.Addr, why string) {
		r.stats.refused.Add(1)
		if r.often() != actor.Closed {
			r.logger.Warn("remote: connections are turned away (WithStrangerLimits)", "on", l.Addr(), "peer", from, "reason", why)
		}
	})
}

// claim claims the connection of a stream for the peer that introduces itself.
func (r *Remote) claim(ctx context.Context) (*door.Claim, bool) {
	p, ok := grpcpeer.FromContext(ctx)
	if !ok || r.door == nil {
		return &door.Claim{}, true
	}
	return r.door.Claim(p.Addr, p.LocalAddr)
}

// expected is the key of what ends the wait for a request.
type expected struct{}

// expect cancels a request that does not come in whole in time.
func (r *Remote) expect(ctx context.Context, _ *tap.Info) (context.Context, error) {
	ctx, came := r.hall.Expect(ctx)
	return context.WithValue(ctx, expected{}, came), nil
}

// came ends the wait for a request.
func came(ctx context.Context) {
	if end, ok := ctx.Value(expected{}).(func()); ok {
		end()
	}
}

// cameWhole is called once a request is read.
func cameWhole(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	came(ctx)
	return handle(ctx, request)
}

// comesWhole is called before the request of a stream is read. When a stream of the
// caller's has something to say, is the service's business.
func comesWhole(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	switch {
	case info.FullMethod == remotepb.Remoting_Connect_FullMethodName: // looks at it itself
	case info.IsClientStream:
		came(stream.Context())
	default:
		stream = &firstMessage{ServerStream: stream}
	}
	return handle(service, stream)
}

// firstMessage is a stream whose first message is awaited.
type firstMessage struct {
	grpc.ServerStream

	once sync.Once
}

// RecvMsg implements [grpc.ServerStream].
func (s *firstMessage) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil {
		s.once.Do(func() { came(s.Context()) })
	}
	return err
}
