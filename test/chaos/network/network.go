package network

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
)

// maxHosts is how many hosts a network has at most: one number of one byte each, but 0 and those from 251 on.
const maxHosts = 250

// ErrClosed is what calls return after [Network.Close].
var ErrClosed = errors.New("network: closed")

// A Network is a set of hosts and the links between them, two for each pair. Its methods may be called by any goroutine.
type Network struct {
	config  config
	why     string // there are no namespaces
	subnet  netip.Prefix
	stop    chan struct{} // closed by Close
	running sync.WaitGroup

	proxy *proxy // nil in the mode "namespaces"

	unknown atomic.Uint64

	byNumber [maxHosts + 1]atomic.Pointer[Host]

	mu     sync.Mutex // guards what follows, and the making of hosts and links
	closed bool
	hosts  map[string]*Host
}

// New makes a network without hosts: of namespaces if they can be had here, else of proxies. The caller closes it.
func New(opts ...Option) (*Network, error) {
	config, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	n := &Network{config: config, stop: make(chan struct{}), hosts: map[string]*Host{}}
	if config.mode != Proxies {
		err := n.tryNamespaces()
		if err == nil {
			return n, nil
		}
		if config.mode == Namespaces {
			return nil, fmt.Errorf("network: no namespaces here: %w", err)
		}
		n.why = err.Error()
	}
	if err := n.makeProxies(); err != nil {
		return nil, err
	}
	return n, nil
}

// tryNamespaces finds out whether hosts can be made, by making one.
func (n *Network) tryNamespaces() error {
	n.config.mode = Namespaces
	n.subnet = netip.MustParsePrefix("10.77.0.0/16")
	h := &Host{network: n, ip: n.address(maxHosts)}
	if err := h.open(); err != nil {
		return err
	}
	h.close()
	return nil
}

// Mode is [Namespaces] or [Proxies].
func (n *Network) Mode() string { return n.config.mode }

// Why tells why the mode is [Proxies] though it was not asked for. Else it is empty.
func (n *Network) Why() string { return n.why }

// Host gives the host of a name and makes it if it is not there. It lives until the network is closed.
func (n *Network) Host(name string) (*Host, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, ErrClosed
	}
	if h := n.hosts[name]; h != nil {
		return h, nil
	}
	number := len(n.hosts) + 1
	if name == "" || number > maxHosts {
		return nil, fmt.Errorf("network: no host %q: a host has a name, and a network %d hosts at most", name, maxHosts)
	}
	h := &Host{network: n, name: name, number: number, ip: n.address(number)}
	if err := h.open(); err != nil {
		return nil, fmt.Errorf("network: host %s: %w", name, err)
	}
	n.hosts[name] = h
	n.byNumber[number].Store(h)
	if h.tun != nil {
		n.running.Go(h.route)
	}
	return h, nil
}

func (n *Network) address(number int) netip.Addr {
	a := n.subnet.Addr().As4()
	a[3] = byte(number)
	return netip.AddrFrom4(a)
}

// at gives the host of an address, nil if there is none.
func (n *Network) at(address netip.Addr) *Host {
	a := address.As4()
	number := int(a[3])
	a[3] = 0
	if number > maxHosts || netip.AddrFrom4(a) != n.subnet.Addr() {
		return nil
	}
	return n.byNumber[number].Load() // nil for 0
}

// link gives the link between two hosts.
func (n *Network) link(from, to *Host) *link {
	slot := &from.links[to.number]
	if l := slot.Load(); l != nil {
		return l
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := slot.Load(); l != nil {
		return l
	}
	l := newLink(n.config.seed, uint64(from.number)<<8|uint64(to.number), n.config.queue, to.receive)
	l.start = func() { n.running.Go(func() { l.run(n.stop) }) }
	slot.Store(l)
	return l
}

// Set makes a rule for what goes from one host to another, in this direction alone, instead of the one before. Shares and
// durations that are out of range become the next that are not. What waits in the link keeps the time at which it is due,
// unless the rule is Blocked, which drops it, or the zero Link, which lets it pass at once. A host's link to
// itself is no part of the network, and Set does nothing to it. Set panics if the hosts are not of this network.
func (n *Network) Set(from, to *Host, rule Link) {
	if from.network != n || to.network != n {
		panic("network: Set of a host of another network")
	}
	if from != to {
		n.link(from, to).set(rule)
	}
}

// Heal makes all links perfect.
func (n *Network) Heal() {
	n.each(func(l *link) { l.set(Link{}) })
}

// Counts sums up what became of the packets on all links since the network was made.
func (n *Network) Counts() Counts {
	c := Counts{Unknown: n.unknown.Load()}
	n.each(func(l *link) { c.add(l.count()) })
	return c
}

// LinkCounts tells what became of the packets from one host to another.
func (n *Network) LinkCounts(from, to *Host) Counts { return n.link(from, to).count() }

func (n *Network) each(f func(*link)) {
	for i := range n.byNumber {
		from := n.byNumber[i].Load()
		if from == nil {
			continue
		}
		for j := range from.links {
			if l := from.links[j].Load(); l != nil {
				f(l)
			}
		}
	}
}

// Close kills the processes that hosts have started and waits until they have ended; what they leave is their starter's to
// wait for. It ends what [Host.Serve] has begun, and the hosts. Connections and listeners that were made on hosts are
// cut off, and their makers' to close. A second Close does nothing.
func (n *Network) Close() error {
	n.mu.Lock()
	closed := n.closed
	n.closed = true
	n.mu.Unlock()
	if closed {
		return nil
	}
	close(n.stop)
	if n.proxy != nil {
		n.proxy.servers.close()
	}
	for i := range n.byNumber {
		if h := n.byNumber[i].Load(); h != nil {
			h.close()
		}
	}
	n.running.Wait()
	return nil
}
