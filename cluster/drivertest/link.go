package drivertest

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// Link is the way of some processes to their backend, which the kit breaks. Its
// methods may be called from several goroutines.
type Link interface {
	// Address is where the processes connect, instead of the backend's own.
	Address() string
	// Cut breaks the connections and refuses new ones, until heal is called.
	Cut() (heal func())
	// Stall keeps the connections up and carries nothing, either way, until
	// heal is called.
	Stall() (heal func())
	// Break breaks the connections that there are; new ones are carried.
	Break()
	// Slow makes everything take at least d more, each way; 0 makes an end of it.
	Slow(d time.Duration)
}

// Proxy is a [Link] of TCP: it listens on the loopback, and carries what comes
// to a backend. It ends with its test.
type Proxy struct {
	target   string
	listener net.Listener
	ctx      context.Context // ends with the proxy
	wg       sync.WaitGroup

	mu           sync.Mutex // guards the fields below
	cut, stalled int        // how often
	delay        time.Duration
	conns        map[net.Conn]bool // both ends of what is carried
	changed      chan struct{}     // closed by the next change
}

var _ Link = (*Proxy)(nil)

// NewProxy starts a proxy before a backend, given as host:port.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("drivertest: a proxy before %s: %v", target, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Proxy{target: target, listener: listener, ctx: ctx, conns: make(map[net.Conn]bool), changed: make(chan struct{})}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		cancel()
		_ = listener.Close() // accept ends
		p.Break()
		p.wg.Wait()
	})
	return p
}

// Address implements [Link].
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Cut implements [Link]: a new connection is reset as soon as it is made.
func (p *Proxy) Cut() (heal func()) {
	heal = p.count(&p.cut)
	p.Break()
	return heal
}

// Stall implements [Link]. New connections are accepted.
func (p *Proxy) Stall() (heal func()) { return p.count(&p.stalled) }

// Slow implements [Link].
func (p *Proxy) Slow(d time.Duration) { p.change(func() { p.delay = d }) }

// Break implements [Link].
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		reset(c) // whoever reads from it ends
	}
}

// reset closes a connection as a crash does.
func reset(c net.Conn) {
	if tcp, is := c.(*net.TCPConn); is {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func (p *Proxy) count(n *int) (heal func()) {
	p.change(func() { *n++ })
	return sync.OnceFunc(func() { p.change(func() { *n-- }) })
}

func (p *Proxy) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			pause(p.ctx, 10*time.Millisecond)
			continue
		}
		if !p.add(c) {
			reset(c)
			continue
		}
		p.wg.Go(func() { p.carry(c) })
	}
}

// add takes a connection to those that are broken together; false when there
// are to be none.
func (p *Proxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut > 0 || p.ctx.Err() != nil {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) remove(c net.Conn) {
	_ = c.Close() // it may be closed already
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// carry connects a client to the backend until either end closes.
func (p *Proxy) carry(client net.Conn) {
	defer p.remove(client)
	if !p.open() {
		return
	}
	backend, err := new(net.Dialer).DialContext(p.ctx, "tcp", p.target)
	if err != nil {
		return // the client sees that its connection ends
	}
	defer p.remove(backend)
	if !p.add(backend) {
		return
	}
	var wg sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, backend}, {backend, client}} {
		wg.Go(func() {
			p.pump(way[1], way[0])
			_, _ = client.Close(), backend.Close() // so that the other way ends
		})
	}
	wg.Wait()
}

// parcel is what was read at once.
type parcel struct {
	data []byte
	due  time.Time
}

// underWay is how many parcels a way holds before it reads no more.
const underWay = 64

// pump carries one way until a connection ends.
func (p *Proxy) pump(to, from net.Conn) {
	parcels := make(chan parcel, underWay)
	done := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer from.Close() // ends the reading
	defer close(done)
	wg.Go(func() {
		defer close(parcels)
		for buffer := make([]byte, 32<<10); ; {
			n, err := from.Read(buffer)
			if n > 0 {
				select {
				case parcels <- parcel{append([]byte(nil), buffer[:n]...), time.Now().Add(p.latency())}:
				case <-done:
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	for next := range parcels {
		pause(p.ctx, time.Until(next.due))
		if !p.open() {
			return
		}
		if _, err := to.Write(next.data); err != nil {
			return
		}
	}
}

func (p *Proxy) latency() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay
}

// open waits until nothing is stalled; false when the proxy has ended.
func (p *Proxy) open() bool {
	for {
		p.mu.Lock()
		stalled, changed := p.stalled > 0, p.changed
		p.mu.Unlock()
		if !stalled {
			return p.ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-p.ctx.Done():
			return false
		}
	}
}
