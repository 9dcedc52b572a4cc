package wire

import (
	"net"
	"sync"
	"testing"

	"github.com/granary-go/granary/test/fleet"
	"github.com/granary-go/granary/test/process"
)

// proxy hands connections on to a port, until it is told not to.
type proxy struct {
	listener *net.TCPListener
	target   string

	mu      sync.Mutex // guards what follows
	down    bool
	stalled chan struct{} // closed when data flows
	conns   map[*net.TCPConn]bool
	wg      sync.WaitGroup
}

func newProxy(t *testing.T, target string) *proxy {
	p := &proxy{listener: fleet.Listen(t), target: target, conns: make(map[*net.TCPConn]bool), stalled: make(chan struct{})}
	close(p.stalled)
	p.wg.Go(p.serve)
	t.Cleanup(func() {
		_ = p.listener.Close() // no more than once
		p.cut()
		p.resume()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) serve() {
	for {
		from, err := p.listener.AcceptTCP()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.handOn(from) })
	}
}

func (p *proxy) handOn(from *net.TCPConn) {
	defer from.Close()
	to, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer to.Close()
	if !p.keep(from, to.(*net.TCPConn)) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.pump(to, from) })
	both.Go(func() { p.pump(from, to) })
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, from)
	delete(p.conns, to.(*net.TCPConn))
}

// pump copies one direction, and ends both when that ends. A connection that ends is no error here: that is what is tested.
func (p *proxy) pump(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		<-p.flows()
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			break
		}
	}
	_, _ = to.Close(), from.Close()
}

func (p *proxy) flows() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stalled
}

// stall lets nothing through, in connections that live on.
func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = make(chan struct{})
}

// resume is the reverse of stall.
func (p *proxy) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.stalled:
	default:
		close(p.stalled)
	}
}

// keep is false while there is no connection to be had.
func (p *proxy) keep(conns ...*net.TCPConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.down {
			_ = c.SetLinger(0)
			return false
		}
		p.conns[c] = true
	}
	return true
}

// cut ends every connection, with whatever is on its way in it, and lets none begin.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for c := range p.conns {
		_, _ = c.SetLinger(0), c.Close()
	}
}

// restore is the reverse of cut.
func (p *proxy) restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// listener is a port that a process takes over.
type listener struct {
	address string
	port    *net.TCPListener
}

func listen(t *testing.T) *listener {
	l := fleet.Listen(t)
	return &listener{l.Addr().String(), l}
}

// start starts the process that takes the port over.
func (l *listener) start(t *testing.T, notes *fleet.Notes, name string, r role) *process.Process {
	t.Helper()
	file, err := l.port.File()
	if err != nil {
		t.Fatal(err)
	}
	p, err := fleet.Start(t, notes, name, roleVariable, r, file)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.Close(), l.port.Close() // the process has its own
	return p
}
