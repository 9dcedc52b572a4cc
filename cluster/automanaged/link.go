package automanaged

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "github.com/granary-go/granary/cluster/automanaged/internal/membershippb"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/view"
)

const (
	// maxMessage bounds an answer, in bytes. A view at all of its limits would
	// exceed it; one that anybody has does not.
	maxMessage = 16 << 20
	// maxRequest bounds a request, in bytes, as anybody may send them: a ping of
	// a member that is described at length, or with a view that is not.
	maxRequest = 256 << 10
)

// links keeps a connection to each peer that answers and that the machine
// remembers. One that fails is given
// up, so that the next ping connects anew and at once, without gRPC's
// back-off: pings have a pace of their own.
type links struct {
	config config
	lost   func(address string) // is told of connections that ended

	mu     sync.Mutex // guards the fields below
	open   map[string]*link
	closed bool
}

// link is a connection to a peer.
type link struct {
	*grpc.ClientConn
	refused  *atomic.Bool // the last try to connect was refused: nobody listens there
	given    *atomic.Bool // it was given up by this side
	answered atomic.Bool  // a call was answered
}

// giveUp closes it; its end is then no news.
func (l *link) giveUp() {
	l.given.Store(true)
	_ = l.Close() // it fails only if it was closed before
}

func newLinks(c config, lost func(address string)) *links {
	return &links{config: c, lost: lost, open: make(map[string]*link)}
}

// endings is a [stats.Handler] that hears of the ends of connections.
type endings struct{ ended func() }

func (endings) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (endings) HandleRPC(context.Context, stats.RPCStats)                         {}
func (endings) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (e endings) HandleConn(_ context.Context, s stats.ConnStats) {
	if _, end := s.(*stats.ConnEnd); end {
		e.ended()
	}
}

// connect makes a connection, which dials when it is first used. ended is called, on a
// goroutine of gRPC's, when it has ended and was not given up.
func (c config) connect(address string, ended func()) (*link, error) {
	refused, given := new(atomic.Bool), new(atomic.Bool)
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := c.dial(ctx, address)
		refused.Store(errors.Is(err, syscall.ECONNREFUSED))
		return conn, err
	}
	client, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(c.credentialsFor(address)),
		grpc.WithContextDialer(dial),
		grpc.WithStatsHandler(endings{func() {
			if !given.Load() {
				ended()
			}
		}}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: time.Second, Multiplier: 1, MaxDelay: time.Second},
			MinConnectTimeout: c.timeout(),
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
	)
	if err != nil {
		return nil, err
	}
	return &link{ClientConn: client, refused: refused, given: given}, nil
}

// secured takes over the TLS of the cluster where the provider was told nothing.
func (c config) secured(r driver.Request) config {
	if c.server == nil {
		c.server = insecure.NewCredentials()
		if r.TLS != nil {
			c.server, c.proves = credentials.NewTLS(r.TLS.Server), r.TLS.Proves
		}
	}
	if c.client == nil && r.TLS != nil {
		c.clientTLS, c.names = r.TLS.Client, new(sync.Map)
	}
	return c
}

// credentialsFor are those for a connection to the address. A certificate there holds
// for its host, or for the name by which the list of hosts has it.
func (c config) credentialsFor(address string) credentials.TransportCredentials {
	switch {
	case c.client != nil:
		return c.client
	case c.clientTLS == nil:
		return insecure.NewCredentials()
	}
	host, _, _ := net.SplitHostPort(address) // without one no handshake goes well
	if found, ok := c.names.Load(address); ok {
		if name, ok := found.(string); ok {
			return credentials.NewTLS(c.clientTLS(name, host))
		}
	}
	return credentials.NewTLS(c.clientTLS(host))
}

func (l *links) get(address string) (*link, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, driver.ErrClosed
	}
	if c := l.open[address]; c != nil {
		return c, nil
	}
	c, err := l.config.connect(address, func() { l.lost(address) })
	if err == nil {
		l.open[address] = c
	}
	return c, err
}

// drop gives up a connection that failed. To close one may take seconds, so it
// is done without the lock.
func (l *links) drop(address string, c *link) {
	l.mu.Lock()
	if l.open[address] == c {
		delete(l.open, address)
	}
	l.mu.Unlock()
	c.giveUp()
}

// take gives the connection to an address to the caller, which closes it; nil
// if there is none.
func (l *links) take(address string) *link {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.open[address]
	delete(l.open, address)
	return c
}

func (l *links) close() {
	l.mu.Lock()
	open := l.open
	l.open, l.closed = nil, true
	l.mu.Unlock()
	for _, c := range open {
		c.giveUp()
	}
}

// ping carries out one ping and gives what the machine is to be told of it.
func (l *links) ping(ctx context.Context, s view.Send) view.Event {
	exchange := l.exchange
	if l.config.exchange != nil {
		exchange = l.config.exchange
	}
	request := &pb.PingRequest{Greeting: greetingToWire(s.Greeting)}
	if request.Greeting.View != nil && proto.Size(request) > maxRequest {
		request.Greeting.View = nil // whoever is behind asks for it: answers may be larger
	}
	answer, err := exchange(ctx, s.Address, request)
	if err != nil {
		return view.Failed{
			Address: s.Address, Seq: s.Seq, Why: reason(err),
			Foreign: status.Code(err) == codes.FailedPrecondition, Dead: isDead(err),
		}
	}
	g, err := greetingFromWire(answer.Greeting)
	if err != nil {
		return view.Failed{Address: s.Address, Seq: s.Seq, Why: err.Error()}
	}
	g.Refusal, g.Dropped = truncated(answer.Refusal), answer.Dropped
	return view.Answered{Address: s.Address, Seq: s.Seq, Greeting: g}
}

// exchange calls a peer by gRPC.
func (l *links) exchange(ctx context.Context, address string, r *pb.PingRequest) (*pb.PingResponse, error) {
	c, err := l.get(address)
	if err != nil {
		return nil, err
	}
	answer, err := pb.NewMembershipClient(c).Ping(ctx, r)
	switch code := status.Code(err); {
	case err == nil:
		c.answered.Store(true)
	case code != codes.FailedPrecondition && code != codes.InvalidArgument:
		l.drop(address, c)
		if c.refused.Load() || code == codes.Unavailable && c.answered.Load() {
			err = deadError{err}
		}
	}
	return answer, err
}

// deadError is gRPC's error of a call whose connection was ended by the other side, or
// refused, as it is when a process has died.
type deadError struct{ error }

func (e deadError) Unwrap() error { return e.error }

func isDead(err error) bool {
	_, dead := errors.AsType[deadError](err)
	return dead
}

// reason gives the part of a gRPC error that helps people.
func reason(err error) string {
	if dead, ok := errors.AsType[deadError](err); ok {
		err = dead.error
	}
	text := status.Convert(err).Message()
	if _, dialing, found := strings.Cut(text, "while dialing: "); found {
		text = strings.TrimSuffix(dialing, `"`)
	}
	return truncated(text)
}

// truncated bounds a text that came from a peer.
func truncated(text string) string {
	const most = 1000
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "?")
}
