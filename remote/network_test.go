package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// memNetwork is a network in memory, for remotes in a testing/synctest bubble.
// Addresses are host:port with any host; connections are net.Pipes.
type memNetwork struct {
	mu        sync.Mutex
	listeners map[string]*memListener
	conns     map[*memConn]struct{}
	holes     map[string]bool // addresses to which connecting takes for ever
	nextPort  int
}

func newMemNetwork() *memNetwork {
	return &memNetwork{
		listeners: make(map[string]*memListener), conns: make(map[*memConn]struct{}),
		holes: make(map[string]bool), nextPort: 40000,
	}
}

// options put a remote on the network.
func (n *memNetwork) options() []ConfigOption {
	return []ConfigOption{WithListener(n.listen), WithDialer(n.dial)}
}

func (n *memNetwork) listen(_ context.Context, address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if port == "0" {
		n.nextPort++
		address = net.JoinHostPort(host, strconv.Itoa(n.nextPort))
	}
	if n.listeners[address] != nil {
		return nil, &net.OpError{Op: "listen", Net: "mem", Addr: memAddr(address), Err: syscall.EADDRINUSE}
	}
	l := &memListener{network: n, address: address, incoming: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[address] = l
	return l, nil
}

func (n *memNetwork) dial(ctx context.Context, address string) (net.Conn, error) {
	n.mu.Lock()
	l, hole := n.listeners[address], n.holes[address]
	n.mu.Unlock()
	if hole {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	refused := &net.OpError{Op: "dial", Net: "mem", Addr: memAddr(address), Err: syscall.ECONNREFUSED}
	if l == nil {
		return nil, refused
	}
	a, b := net.Pipe()
	here, there := &memConn{Conn: a, network: n, target: address}, &memConn{Conn: b, network: n, target: address}
	select {
	case l.incoming <- there:
	case <-l.closed:
		return nil, refused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns[here], n.conns[there] = struct{}{}, struct{}{}
	return here, nil
}

// cut closes every connection to address; "" is every address.
func (n *memNetwork) cut(address string) {
	for _, c := range n.to(address) {
		_ = c.Close()
	}
}

// silence makes every connection to address swallow what is written to it.
func (n *memNetwork) silence(address string) {
	for _, c := range n.to(address) {
		c.mu.Lock()
		c.silent = true
		c.mu.Unlock()
	}
}

// hole makes connecting to address take for ever, or no longer.
func (n *memNetwork) hole(address string, is bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.holes[address] = is
}

func (n *memNetwork) to(address string) []*memConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []*memConn
	for c := range n.conns {
		if c.target == address || address == "" {
			all = append(all, c)
		}
	}
	return all
}

type memListener struct {
	network  *memNetwork
	address  string
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once
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

type memConn struct {
	net.Conn
	network *memNetwork
	target  string

	mu     sync.Mutex
	silent bool // guarded by mu
}

func (c *memConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	silent := c.silent
	c.mu.Unlock()
	if silent {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *memConn) Close() error {
	c.network.mu.Lock()
	delete(c.network.conns, c)
	c.network.mu.Unlock()
	return c.Conn.Close()
}

type memAddr string

func (memAddr) Network() string  { return "mem" }
func (a memAddr) String() string { return string(a) }

func TestMemNetworkRefusesAsTCPDoes(t *testing.T) {
	n := newMemNetwork()
	if _, err := n.dial(t.Context(), "a:1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialling nobody: %v", err)
	}
	if _, err := n.listen(t.Context(), "a:1"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.listen(t.Context(), "a:1"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("listening twice: %v", err)
	}
	if l, err := n.listen(t.Context(), "a:0"); err != nil || l.Addr().String() == "a:0" {
		t.Errorf("listening on port 0: %v, %v", fmt.Sprint(l), err)
	}
}
