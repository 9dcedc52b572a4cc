package automanaged

import (
	"context"
	"net"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/granary-go/granary/cluster/automanaged/internal/membershippb"
)

// memNetwork is a network in memory, for processes in a testing/synctest
// bubble. Each process dials as the host it is.
type memNetwork struct {
	mu        sync.Mutex // guards the fields below
	listeners map[string]*memListener
	cuts      map[[2]string]bool // from and to which host packets vanish
	dials     int
	writes    int
}

func newMemNetwork() *memNetwork {
	return &memNetwork{
		listeners: make(map[string]*memListener), cuts: make(map[[2]string]bool),
	}
}

func (n *memNetwork) listen(_ context.Context, address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[address] != nil {
		return nil, &net.OpError{Op: "listen", Net: "mem", Addr: memAddr(address), Err: syscall.EADDRINUSE}
	}
	l := &memListener{network: n, address: address, incoming: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[address] = l
	return l, nil
}

func (n *memNetwork) dialer(from string) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		to, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		n.mu.Lock()
		n.dials++
		l, cut := n.listeners[address], n.cuts[[2]string{from, to}] || n.cuts[[2]string{to, from}]
		n.mu.Unlock()
		if cut {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		refused := &net.OpError{Op: "dial", Net: "mem", Addr: memAddr(address), Err: syscall.ECONNREFUSED}
		if l == nil {
			return nil, refused
		}
		a, b := net.Pipe()
		here, there := &memConn{Conn: a, network: n, hosts: [2]string{from, to}}, &memConn{Conn: b, network: n, hosts: [2]string{to, from}}
		select {
		case l.incoming <- there:
		case <-l.closed:
			return nil, refused
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return here, nil
	}
}

// serve lets a member answer what is sent to an address by exchange.
func (n *memNetwork) serve(address string, m *member) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[address].member = m
}

// exchange gives what replaces gRPC for the process of a host: calls of a
// millisecond, without connections.
func (n *memNetwork) exchange(from string) func(context.Context, string, *pb.PingRequest) (*pb.PingResponse, error) {
	return func(ctx context.Context, address string, r *pb.PingRequest) (*pb.PingResponse, error) {
		to, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		n.mu.Lock()
		var m *member
		l, lost, unheard := n.listeners[address], n.cuts[[2]string{from, to}], n.cuts[[2]string{to, from}]
		if l != nil {
			m = l.member
		}
		n.mu.Unlock()
		if lost {
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		if m == nil {
			return nil, status.Error(codes.Unavailable, "connection refused")
		}
		answer, err := (&server{member: m}).Ping(ctx, r)
		if unheard {
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		return answer, err
	}
}

// cut makes what is sent between two hosts vanish, or no longer.
func (n *memNetwork) cut(a, b string, is bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[[2]string{a, b}], n.cuts[[2]string{b, a}] = is, is
}

// cutOneWay is cut for what one host sends.
func (n *memNetwork) cutOneWay(from, to string, is bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[[2]string{from, to}] = is
}

// heal ends all cuts.
func (n *memNetwork) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cuts)
}

// traffic counts what processes have done on the network.
func (n *memNetwork) traffic() (dials, writes int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials, n.writes
}

type memListener struct {
	network  *memNetwork
	address  string
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once
	member   *member // guarded by the network's mu; nil where gRPC is used
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.network.mu.Lock()
		defer l.network.mu.Unlock()
		delete(l.network.listeners, l.address)
	})
	return nil
}

func (l *memListener) Addr() net.Addr { return memAddr(l.address) }

// memConn loses what is written while the one host is cut off from the other,
// and is broken from then on, as a stream that misses a part is.
type memConn struct {
	net.Conn
	network *memNetwork
	hosts   [2]string
	broken  bool // guarded by network.mu
}

func (c *memConn) Write(b []byte) (int, error) {
	c.network.mu.Lock()
	c.broken = c.broken || c.network.cuts[c.hosts]
	broken := c.broken
	c.network.writes++
	c.network.mu.Unlock()
	if broken {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

type memAddr string

func (memAddr) Network() string  { return "mem" }
func (a memAddr) String() string { return string(a) }
