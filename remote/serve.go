package remote

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/remote/internal/remotepb"
)

// newServer makes the server. An error is one of the options that a program has given.
func (r *Remote) newServer() (server *grpc.Server, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: WithServerOptions: gRPC takes none of these: %v", ErrBadConfig, p)
		}
	}()
	server = grpc.NewServer(append([]grpc.ServerOption{
		grpc.Creds(r.serverCredentials()),
		grpc.MaxRecvMsgSize(r.config.maxFrame()),
		grpc.MaxSendMsgSize(r.config.maxFrame()),
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(window),
		grpc.ConnectionTimeout(r.config.dialTimeout),
		grpc.MaxConcurrentStreams(uint32(min(r.config.maxStreams, math.MaxUint32))),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.InTapHandle(r.expect),
		grpc.ChainUnaryInterceptor(cameWhole),
		grpc.ChainStreamInterceptor(comesWhole),
		grpc.WaitForHandlers(true),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: r.config.keepAliveInterval, Timeout: r.config.keepAliveTimeout,
			MaxConnectionIdle: r.config.quietTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: time.Second, PermitWithoutStream: true,
		}),
	}, r.config.serverOptions...)...)
	remotepb.RegisterRemotingServer(server, &service{remote: r})
	return server, nil
}

// service is what peers call.
type service struct {
	remotepb.UnimplementedRemotingServer
	remote *Remote
}

// Connect implements [remotepb.RemotingServer]. It returns when the connection
// has ended: that is how a gRPC server ends a stream.
func (s *service) Connect(stream grpc.BidiStreamingServer[remotepb.Frame, remotepb.Frame]) error {
	r := s.remote
	claim, free := r.claim(stream.Context())
	if !free {
		r.stats.refused.Add(1)
		return refuse(refusalInvalid, "a peer introduces itself once over a connection")
	}
	defer claim.Release()
	hello, err := r.firstHello(stream)
	if err == nil {
		err = r.checkHello(hello)
	}
	if err == nil {
		if proof := r.provesAddress(stream.Context(), hello.Address); proof != nil {
			err = refuse(refusalInvalid, "the dialler's certificate is not one for its address: %v", proof)
		}
	}
	if err != nil {
		r.stats.refused.Add(1)
		return err
	}
	p := peer{
		address: hello.Address, member: hello.Member, maxMessage: r.limit(hello.MaxMessageSize),
		features: featuresOf(hello.Capabilities), first: hello.First, arrived: r.answerOf(hello.Arrived),
	}
	c := newConn(r, stream, p, hello.Incarnation, hello.Attempt)
	released := make(chan struct{})
	c.hangUp = func() { close(released) }
	ep := r.greet(c)
	select {
	case err = <-c.decided:
	case <-stream.Context().Done():
		ep.happened(event{kind: eventHelloGone, conn: c})
		select {
		case err = <-c.decided:
		default:
			return stream.Context().Err()
		}
	}
	if err != nil {
		r.stats.refused.Add(1)
		return err
	}
	claim.Introduce()
	r.warnIfExposed(stream.Context())
	<-released
	return endStatus(c.cause)
}

// endStatus is what the peer is told at the end of a connection that it dialled.
func endStatus(cause error) error {
	switch {
	case errors.Is(cause, errGoodbye), errors.Is(cause, errIdle):
		return nil
	case errors.Is(cause, errMalformed):
		return status.Error(codes.InvalidArgument, cause.Error())
	default:
		return status.Error(codes.Unavailable, cause.Error())
	}
}

// firstHello waits for the first frame. It returns nil if that is no Hello.
func (r *Remote) firstHello(stream grpc.BidiStreamingServer[remotepb.Frame, remotepb.Frame]) (*remotepb.Hello, error) {
	type received struct {
		frame *remotepb.Frame
		err   error
	}
	first := make(chan received, 1)
	r.wg.Go(func() {
		frame, err := stream.Recv() // ends at the latest when Connect returns
		first <- received{frame, err}
	})
	timer := time.NewTimer(r.config.dialTimeout)
	defer timer.Stop()
	select {
	case f := <-first:
		came(stream.Context())
		return f.frame.GetHello(), f.err
	case <-timer.C:
		return nil, status.Error(codes.DeadlineExceeded, "no Hello came in time")
	}
}

// greet hands a connection that a peer dialled to the peer's endpoint.
func (r *Remote) greet(c *conn) *endpoint {
	for {
		ep := r.endpointUpTo(c.peer.address, 2*r.config.maxPeers)
		if ep == r.crowd {
			c.decided <- refuse(refusalTooManyPeers, "as many processes are connected as may be (WithPeerLimits)")
			return ep
		}
		if ep.greet(c) {
			return ep
		}
	}
}

// greet is false if the peer has another endpoint by now.
func (ep *endpoint) greet(c *conn) bool {
	ep.mu.Lock()
	if ep.link.phase == phaseClosed && !ep.link.leaving {
		ep.mu.Unlock()
		return false
	}
	after := ep.step(event{kind: eventHello, conn: c})
	ep.mu.Unlock()
	after()
	return true
}

// warnIfExposed warns once if anybody on the network could listen or join in.
func (r *Remote) warnIfExposed(ctx context.Context) {
	p, ok := grpcpeer.FromContext(ctx)
	if !ok || p.AuthInfo != nil && p.AuthInfo.AuthType() != "insecure" {
		return
	}
	for _, a := range []net.Addr{p.Addr, p.LocalAddr} {
		if tcp, ok := a.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
			r.exposed.Do(func() {
				r.logger.Warn("remote: connections are not encrypted and peers are not authenticated; anybody who reaches the port can send to every actor", "address", r.address, "peer", p.Addr)
			})
			return
		}
	}
}
