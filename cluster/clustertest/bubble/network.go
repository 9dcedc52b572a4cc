package bubble

import (
	"context"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// network connects the processes of a [Cluster] in memory.
type network struct {
	mu        sync.Mutex // guards the fields below
	listeners map[string]*listener
	conns     map[net.Conn]way
	cuts      map[way]bool
}

// way leads from the process that dials to the one that is dialled.
type way struct{ from, to int }

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
	return &network{listeners: make(map[string]*listener), conns: make(map[net.Conn]way), cuts: make(map[way]bool)}
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
		here, there := net.Pipe()
		n.mu.Lock()
		cut := n.cuts[w]
		if !cut {
			n.conns[here] = w
		}
		n.mu.Unlock()
		if cut {
			return nil, refused
		}
		select {
		case l.incoming <- there:
			return here, nil
		case <-l.closed:
			n.forget(here)
			return nil, refused
		case <-ctx.Done():
			n.forget(here)
			return nil, ctx.Err()
		}
	}
}

func (n *network) forget(c net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

// cut closes what was dialled on a way, and refuses it from now on.
func (n *network) cut(w way) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[w] = true
	for c, of := range n.conns {
		if of == w {
			_ = c.Close()
			delete(n.conns, c)
		}
	}
}

// heal opens all ways.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cuts)
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
