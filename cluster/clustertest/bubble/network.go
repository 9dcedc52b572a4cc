package bubble

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// network connects the processes of a [Cluster] in memory.
type network struct {
	mu        sync.Mutex // guards the fields below
	listeners map[string]*listener
	conns     map[*conn]struct{}
	cuts      map[way]bool
	delays    map[way]time.Duration
	healed    chan struct{}         // closed, and made anew, by heal
	holds     map[int]chan struct{} // by process that nothing reaches or leaves; closed when it is released
}

// way leads from one process to another; of a connection, from the one that dials to the one that is dialled.
type way struct{ from, to int }

func (w way) back() way { return way{w.to, w.from} }

// conn is the dialler's end of a connection: what is sent either way passes it.
type conn struct {
	net.Conn

	network *network
	way     way
	closed  chan struct{}
	close   func() error
}

type listener struct {
	address  pipeAddr
	process  int
	incoming chan net.Conn
	closed   chan struct{}
	close    func()
}

type pipeAddr string

func (pipeAddr) Network() string  { return "pipe" }
func (a pipeAddr) String() string { return string(a) }

func newNetwork() *network {
	return &network{listeners: make(map[string]*listener), conns: make(map[*conn]struct{}), cuts: make(map[way]bool),
		delays: make(map[way]time.Duration), healed: make(chan struct{}), holds: make(map[int]chan struct{})}
}

// listen gives a process its listener.
func (n *network) listen(process int) func(context.Context, string) (net.Listener, error) {
	return func(context.Context, string) (net.Listener, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(40000+len(n.listeners)))
		closed := make(chan struct{})
		l := &listener{pipeAddr(address), process, make(chan net.Conn), closed, sync.OnceFunc(func() { close(closed) })}
		n.listeners[address] = l
		return l, nil
	}
}

// dial gives a process its dialer.
func (n *network) dial(process int) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		refused := &net.OpError{Op: "dial", Net: "pipe", Addr: pipeAddr(address), Err: syscall.ECONNREFUSED}
		n.mu.Lock()
		l := n.listeners[address]
		n.mu.Unlock()
		if l == nil {
			return nil, refused
		}
		w := way{process, l.process}
		if !n.pass(w, ctx.Done()) {
			return nil, ctx.Err()
		}
		here, there := net.Pipe()
		c := n.connect(w, here)
		if c == nil {
			return nil, refused
		}
		select {
		case l.incoming <- there:
			return c, nil
		case <-l.closed:
			return nil, errors.Join(refused, c.Close())
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), c.Close())
		}
	}
}

// connect gives nil where the way is cut.
func (n *network) connect(w way, here net.Conn) *conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cuts[w] {
		return nil
	}
	c := &conn{Conn: here, network: n, way: w, closed: make(chan struct{})}
	c.close = sync.OnceValue(func() error {
		close(c.closed)
		return here.Close()
	})
	n.conns[c] = struct{}{}
	return c
}

// pass waits until what is sent on a way may pass; it is false if it is given up before.
func (n *network) pass(w way, given <-chan struct{}) bool {
	n.mu.Lock()
	delay, healed := n.delays[w], n.healed
	n.mu.Unlock()
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-healed:
		case <-given:
			return false
		}
	}
	for {
		n.mu.Lock()
		hold := n.holds[w.from]
		if hold == nil {
			hold = n.holds[w.to]
		}
		n.mu.Unlock()
		if hold == nil {
			return true
		}
		select {
		case <-hold:
		case <-given:
			return false
		}
	}
}

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (int, error) {
	if !c.network.pass(c.way, c.closed) {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// Read implements [net.Conn].
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.network.pass(c.way.back(), c.closed) {
		return 0, net.ErrClosed
	}
	return n, err
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.network.mu.Lock()
	delete(c.network.conns, c)
	c.network.mu.Unlock()
	return c.close()
}

// cut closes what was dialled on a way, and refuses it from now on.
func (n *network) cut(w way) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[w] = true
	for c := range n.conns {
		if c.way == w {
			_ = c.close()
			delete(n.conns, c)
		}
	}
}

// slow makes what is sent on a way take longer.
func (n *network) slow(w way, d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delays[w] = d
}

// hold keeps what is sent to a process, and by it.
func (n *network) hold(process int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.holds[process] == nil {
		n.holds[process] = make(chan struct{})
	}
}

// release lets pass what was held.
func (n *network) release(process int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if hold := n.holds[process]; hold != nil {
		close(hold)
		delete(n.holds, process)
	}
}

// heal opens all ways.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cuts)
	clear(n.delays)
	close(n.healed)
	n.healed = make(chan struct{})
	for _, hold := range n.holds {
		close(hold)
	}
	clear(n.holds)
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.close()
	return nil
}

func (l *listener) Addr() net.Addr { return l.address }
