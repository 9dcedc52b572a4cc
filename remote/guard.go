package remote

import (
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/internal/door"
	"github.com/granary-go/granary/wire/remotepb"
)

// maxHeaderBytes bounds the headers of a request to the port.
const maxHeaderBytes = 64 << 10

// Guard bounds the connections at another port of this process, as [WithStrangerLimits] does
// at its own: all of them count, none introduces itself. Those turned away count in
// [Stats]. A cluster gives it to its membership provider.
func (r *Remote) Guard(l net.Listener) net.Listener { return r.guard(l) }

func (r *Remote) guard(l net.Listener) *door.Door {
	return door.New(l, r.config.maxStrangers, r.config.strangersOfHost, func(from net.Addr, why string) {
		r.stats.refused.Add(1)
		if r.often() != actor.Closed {
			r.logger.Warn("remote: connections are turned away (WithStrangerLimits)", "port", l.Addr(), "peer", from, "reason", why)
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

// expected is how late a request may be; nil if it does not matter.
type expected struct{}

// expect cancels a request that does not come in whole in time. Streams of peers have
// times of their own.
func (r *Remote) expect(ctx context.Context, info *tap.Info) (context.Context, error) {
	if info.FullMethodName == remotepb.Remoting_Connect_FullMethodName {
		return ctx, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(r.config.requestTimeout, cancel)
	context.AfterFunc(ctx, func() { timer.Stop() })
	return context.WithValue(ctx, expected{}, timer), nil
}

// came ends the wait for a request.
func came(ctx context.Context) {
	if timer, ok := ctx.Value(expected{}).(*time.Timer); ok {
		timer.Stop()
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
	case info.FullMethod == remotepb.Remoting_Connect_FullMethodName:
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
