package cluster_test

import (
	"context"
	"net"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
)

// pipes is a network in memory, for clusters in a testing/synctest bubble.
type pipes struct {
	mu        sync.Mutex // guards the fields below
	listeners map[string]*pipeListener
	conns     map[net.Conn]string // by the address that was dialled
	down      bool                // nobody is reached any more
}

type pipeListener struct {
	network  *pipes
	address  string
	incoming chan net.Conn
	closed   chan struct{}
	close    func()
}

type pipeAddr string

func (pipeAddr) Network() string  { return "pipe" }
func (a pipeAddr) String() string { return string(a) }

func (n *pipes) listen(_ context.Context, address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if host, port, err := net.SplitHostPort(address); err == nil && port == "0" {
		address = net.JoinHostPort(host, strconv.Itoa(40000+len(n.listeners)))
	}
	closed := make(chan struct{})
	l := &pipeListener{n, address, make(chan net.Conn), closed, sync.OnceFunc(func() { close(closed) })}
	n.listeners[address] = l
	return l, nil
}

func (n *pipes) dial(ctx context.Context, address string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[address]
	if n.down {
		l = nil
	}
	n.mu.Unlock()
	refused := &net.OpError{Op: "dial", Net: "pipe", Addr: pipeAddr(address), Err: syscall.ECONNREFUSED}
	if l == nil {
		return nil, refused
	}
	here, there := net.Pipe()
	select {
	case l.incoming <- there:
	case <-l.closed:
		return nil, refused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns[here] = address
	return here, nil
}

// set cuts everybody off from everybody, or no longer.
func (n *pipes) set(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
	for conn := range n.conns {
		if down {
			_ = conn.Close()
			delete(n.conns, conn)
		}
	}
}

// cut closes the connections that were dialled to an address.
func (n *pipes) cut(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for conn, to := range n.conns {
		if to == address {
			_ = conn.Close()
			delete(n.conns, conn)
		}
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.incoming:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.close()
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr(l.address) }

// bubble is a world in a testing/synctest bubble: time passes only when nothing
// else can happen.
type bubble struct {
	*world
	network *pipes
	made    []*cluster.Cluster
}

// inBubble runs f in a bubble, and ends what it has started.
func inBubble(t *testing.T, f func(t *testing.T, b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{world: newWorld(t), network: &pipes{listeners: make(map[string]*pipeListener), conns: make(map[net.Conn]string)}}
		defer func() {
			for _, c := range b.made {
				if err := c.Shutdown(false); err != nil {
					t.Error(err)
				}
				c.ActorSystem().Shutdown()
			}
		}()
		f(t, b)
	})
}

// process starts a member, or a client if it has no kinds.
func (b *bubble) process(opts ...cluster.Option) *cluster.Cluster {
	b.t.Helper()
	return b.start(b.build(b.registry.Provider(), opts...), len(opts) == 0)
}

// build makes a process in the network.
func (b *bubble) build(provider driver.Provider, opts ...cluster.Option) *cluster.Cluster {
	return b.named("test", provider, opts...)
}

// named makes one of a cluster of that name.
func (b *bubble) named(name string, provider driver.Provider, opts ...cluster.Option) *cluster.Cluster {
	return cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())), cluster.Configure(name, provider,
		remote.Configure("127.0.0.1", 0, remote.WithListener(b.network.listen), remote.WithDialer(b.network.dial)), opts...))
}

// start starts a process as a member or as a client. It ends with the bubble.
func (b *bubble) start(c *cluster.Cluster, client bool) *cluster.Cluster {
	b.t.Helper()
	start := c.StartContext
	if client {
		start = c.StartClientContext
	}
	if err := start(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.made = append(b.made, c)
	return c
}
