package door

import (
	"net"
	"net/netip"
	"sync"
)

// Door is a listener that bounds the connections of strangers. Its methods may be called
// by any goroutine.
type Door struct {
	net.Listener

	most, perHost int
	refused       func(from net.Addr, why string)

	mu        sync.Mutex // guards what follows
	strangers int
	hosts     map[string]int     // strangers from each
	open      map[key][]*visitor // the one that has come first is first
}

// key is what a connection is known by. On networks other than TCP several may have the
// same one: they stand for each other then.
type key struct{ remote, local string }

// New puts a door before a listener: most strangers at a time, and perHost of them from one
// host. refused is told of each that is turned away, by the goroutine that accepts; it
// must not wait.
func New(l net.Listener, most, perHost int, refused func(from net.Addr, why string)) *Door {
	return &Door{Listener: l, most: most, perHost: perHost, refused: refused, hosts: make(map[string]int), open: make(map[key][]*visitor)}
}

// Accept implements [net.Listener].
func (d *Door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		v := &visitor{Conn: c, door: d, host: hostOf(c.RemoteAddr()), key: keyOf(c.RemoteAddr(), c.LocalAddr())}
		why := d.enter(v)
		if why == "" {
			return v, nil
		}
		_ = c.Close() // nothing was said over it
		d.refused(c.RemoteAddr(), why)
	}
}

// enter lets a connection in, or says why not.
func (d *Door) enter(v *visitor) (why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.strangers >= d.most:
		return "as many connections as may be have not introduced themselves"
	case d.hosts[v.host] >= d.perHost:
		return "as many connections as may be from one host have not introduced themselves"
	}
	d.count(v, 1)
	d.open[v.key] = append(d.open[v.key], v)
	return ""
}

// count counts a stranger, or no longer. The caller holds the mutex.
func (d *Door) count(v *visitor, by int) {
	d.strangers += by
	if d.hosts[v.host] += by; d.hosts[v.host] == 0 {
		delete(d.hosts, v.host)
	}
}

// Claim is who introduces itself over a connection: there is one at a time.
type Claim struct{ of *visitor } // nil for one that came by no door

// Claim claims the connection with these addresses. It is false if it is claimed already.
func (d *Door) Claim(remote, local net.Addr) (*Claim, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.open[keyOf(remote, local)]
	for _, v := range all {
		if !v.claimed {
			v.claimed = true
			return &Claim{v}, true
		}
	}
	return &Claim{}, len(all) == 0
}

// Introduce takes the connection for that of no stranger, until Release.
func (c *Claim) Introduce() {
	if c.of == nil {
		return
	}
	d := c.of.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if !c.of.known && !c.of.gone {
		c.of.known = true
		d.count(c.of, -1)
	}
}

// Release ends the claim. A connection that stays is counted again, even if it is then one
// too many.
func (c *Claim) Release() {
	if c.of == nil {
		return
	}
	d := c.of.door
	d.mu.Lock()
	defer d.mu.Unlock()
	c.of.claimed = false
	if c.of.known && !c.of.gone {
		d.count(c.of, 1)
	}
	c.of.known = false
}

func (d *Door) leave(v *visitor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v.gone {
		return
	}
	v.gone = true
	if !v.known {
		d.count(v, -1)
	}
	rest := d.open[v.key]
	for i, o := range rest {
		if o == v {
			rest = append(rest[:i:i], rest[i+1:]...)
			break
		}
	}
	if d.open[v.key] = rest; len(rest) == 0 {
		delete(d.open, v.key)
	}
}

// Strangers is how many connections there are that are counted.
func (d *Door) Strangers() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.strangers
}

// visitor is a connection that was let in.
type visitor struct {
	net.Conn

	door *Door
	host string
	key  key
	// claimed, known and gone are guarded by the door's mutex.
	claimed bool
	known   bool // it has introduced itself
	gone    bool // it was closed
}

// Close implements [net.Conn].
func (v *visitor) Close() error {
	v.door.leave(v)
	return v.Conn.Close()
}

// hostOf is whose connections are counted together: those of an address, of IPv6 those of a network of 64 bits, all of which
// one host may have.
func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(textOf(a))
	if err != nil {
		return textOf(a)
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().Is6() {
		return netip.PrefixFrom(ip.WithZone(""), 64).Masked().String()
	}
	return host
}

func keyOf(remote, local net.Addr) key { return key{textOf(remote), textOf(local)} }

func textOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}
