package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/granary-go/granary/remote/internal/remotepb"
)

// window is how much a peer may send ahead of what is read, in bytes. A fixed
// one saves gRPC's estimating.
const window = 4 << 20

// frameOverhead is the most that a frame is larger than the larger of the message
// limit and batchBytes.
const frameOverhead = 4 << 10

func (c *Config) maxFrame() int { return max(c.maxMessage, batchBytes) + frameOverhead }

// errNotNeeded ends an attempt before its Hello: the peer was faster.
var errNotNeeded = errors.New("the peer connected first")

// dialPeer connects to a peer. The context bounds the attempt, not the connection.
func (r *Remote) dialPeer(ctx context.Context, ep *endpoint, attempt uint64) (*conn, error) {
	address := ep.address
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	ctx, release := context.WithTimeoutCause(ctx, r.config.dialTimeout, errHandshake)
	defer release()
	select {
	case r.dials <- struct{}{}:
		defer func() { <-r.dials }()
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), errHandshake) {
			return nil, errManyDials
		}
		return nil, ctx.Err()
	}
	var network reach
	client, err := grpc.NewClient("passthrough:///"+address, r.dialOptions(address, &network)...)
	if err != nil {
		return nil, err
	}
	streamCtx, cancel := context.WithCancel(r.ctx)
	hangUp := func() {
		cancel()
		_ = client.Close() // it fails only if it was closed before
	}
	stop := context.AfterFunc(ctx, cancel)
	c, err := r.introduce(streamCtx, client, ep, attempt)
	if inTime := stop(); err == nil && inTime {
		c.hangUp = hangUp
		return c, nil
	} else if !inTime {
		err = context.Cause(ctx)
		if errors.Is(err, errHandshake) && !network.made.Load() {
			err = fmt.Errorf("could not connect within %v (WithDialTimeout)", r.config.dialTimeout)
		}
	} else if cause := network.failure.Load(); cause != nil {
		err = *cause
	} else {
		err = r.hintTLS(rootCause(err))
	}
	hangUp()
	return nil, err
}

// hintTLS adds what a peer with TLS may look like to a process without it.
func (r *Remote) hintTLS(err error) error {
	if r.config.tls == nil && strings.Contains(err.Error(), "server preface") {
		return fmt.Errorf("%w; if the peer has TLS, this process needs it, too (WithTLS)", err)
	}
	return err
}

// introduce opens the stream and exchanges Hello and HelloReply.
func (r *Remote) introduce(ctx context.Context, client *grpc.ClientConn, ep *endpoint, attempt uint64) (*conn, error) {
	address := ep.address
	stream, err := remotepb.NewRemotingClient(client).Connect(ctx)
	if err != nil {
		return nil, err
	}
	if !ep.mayGreet(attempt) {
		return nil, errNotNeeded
	}
	hello := &remotepb.Frame{Kind: &remotepb.Frame_Hello{Hello: ep.hello(attempt)}}
	sendErr := stream.Send(hello)
	frame, err := stream.Recv() // has the reason if Send failed
	if err != nil {
		return nil, err
	}
	reply := frame.GetHelloReply()
	if err := r.checkReply(address, reply); err != nil {
		return nil, err
	}
	if sendErr != nil {
		return nil, sendErr
	}
	p := peer{
		address: address, member: reply.Member, maxMessage: r.limit(reply.MaxMessageSize),
		features: featuresOf(reply.Capabilities), first: reply.First, arrived: r.answerOf(reply.Arrived),
	}
	c := newConn(r, stream, p, reply.Incarnation, reply.Attempts)
	c.dialed = true
	r.warnIfExposed(stream.Context())
	return c, nil
}

// reach is how far an attempt got below the protocol.
type reach struct {
	made    atomic.Bool           // there was a connection to the host
	failure atomic.Pointer[error] // what the last try ended with
}

func (r *Remote) dialOptions(address string, network *reach) []grpc.DialOption {
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		c, err := r.config.dial(ctx, address)
		if err != nil {
			network.failure.Store(&err)
		} else {
			network.failure.Store(nil)
			network.made.Store(true)
		}
		return c, err
	}
	return append([]grpc.DialOption{
		grpc.WithTransportCredentials(r.clientCredentials(address, network)),
		grpc.WithContextDialer(dial),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithInitialWindowSize(window),
		grpc.WithInitialConnWindowSize(window),
		grpc.WithDefaultCallOptions(
			grpc.CallContentSubtype(frameCodecName),
			grpc.MaxCallRecvMsgSize(r.config.maxFrame()),
			grpc.MaxCallSendMsgSize(r.config.maxFrame()),
		),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: r.config.keepAliveInterval, Timeout: r.config.keepAliveTimeout,
		}),
	}, r.config.dialOptions...)
}
