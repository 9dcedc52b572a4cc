package network

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	proxyNumber     = 254 // of the address at which the proxy of a network listens
	proxyPort       = 7777
	maxRequest      = 256              // bytes of what a dialer asks for, and of the reply
	requestLimit    = 10 * time.Second // for it to arrive
	replyConnected  = "connected"
	replyRefused    = "refused"
	firstSubnet     = 1
	lastSubnet      = 250
	loopbackSubnets = "127.77.%d.0/24"
)

// A proxy connects programs with servers on other hosts, in the mode "proxies". A dialer asks with a line of two words,
// its own address and that of the server, and gets one back: "connected", "refused" or another error.
type proxy struct {
	network *Network
	address string
	queue   int // pieces that wait in one direction of a connection at most
	servers servers
}

// makeProxies finds addresses on the loopback that no other network uses, and starts the proxy there.
func (n *Network) makeProxies() error {
	n.config.mode = Proxies
	for i := firstSubnet; i <= lastSubnet; i++ {
		n.subnet = netip.MustParsePrefix(fmt.Sprintf(loopbackSubnets, i))
		address := netip.AddrPortFrom(n.address(proxyNumber), proxyPort).String()
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue // another network has this subnet
		}
		if err != nil {
			return fmt.Errorf("network: the mode %q needs addresses of the loopback, 127.0.0.0/8, as Linux has them: %w", Proxies, err)
		}
		n.proxy = &proxy{network: n, address: address, queue: max(n.config.queue/pieceSize, 1)}
		return n.proxy.servers.serve(l, n.proxy.join)
	}
	return errors.New("network: other networks on this machine use all the loopback's addresses: close some of them")
}

// join joins a connection, which it owns, with the server that it asks for.
func (p *proxy) join(ctx context.Context, near *net.TCPConn) {
	defer func() { _ = near.Close() }()
	from, to, target, err := p.request(near)
	if err != nil {
		_, _ = fmt.Fprintln(near, err)
		return
	}
	there, back := p.network.link(from, to), p.network.link(to, from)
	far, err := connect(ctx, near, there, back, from, target)
	reply := replyConnected
	if errors.Is(err, syscall.ECONNREFUSED) {
		reply = replyRefused
	} else if err != nil {
		reply = err.Error()
	}
	if far != nil {
		defer func() { _ = far.Close() }()
	}
	if _, err := fmt.Fprintln(near, reply); err != nil || far == nil {
		return
	}
	newPair(ctx, near, far, p.queue).run(there, back)
}

// request reads what a dialer wants.
func (p *proxy) request(near *net.TCPConn) (from, to *Host, target string, err error) {
	_ = near.SetReadDeadline(time.Now().Add(requestLimit))
	defer func() { _ = near.SetReadDeadline(time.Time{}) }()
	line, err := readLine(near)
	if err != nil {
		return nil, nil, "", err
	}
	source, target, _ := strings.Cut(line, " ")
	address, err := netip.ParseAddr(source)
	if err != nil {
		return nil, nil, "", fmt.Errorf("network: from %q: %w", source, err)
	}
	server, err := netip.ParseAddrPort(target)
	if err != nil {
		return nil, nil, "", fmt.Errorf("network: to %q: %w", target, err)
	}
	from, to = p.network.at(address), p.network.at(server.Addr())
	if from == nil || to == nil || from == to {
		p.network.unknown.Add(1)
		return nil, nil, "", fmt.Errorf("network: no way from %s to %s: both are to be hosts of the network", source, target)
	}
	return from, to, target, nil
}

// readLine reads a line and nothing behind it.
func readLine(r io.Reader) (string, error) {
	line, err := bufio.NewReaderSize(oneByOne{io.LimitReader(r, maxRequest)}, maxRequest).ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// oneByOne gives a byte at a time, so that nobody reads ahead.
type oneByOne struct{ r io.Reader }

func (o oneByOne) Read(b []byte) (int, error) { return o.r.Read(b[:min(len(b), 1)]) }

// connect connects to the target as a host would do it: a packet goes there and one comes back. It ends when the dialer,
// which has to wait for its reply, has gone.
func connect(ctx context.Context, near *net.TCPConn, there, back *link, from *Host, target string) (*net.TCPConn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watching sync.WaitGroup
	watching.Go(func() {
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, errDeadline) {
			cancel()
		}
	})
	defer func() {
		_ = near.SetReadDeadline(time.Unix(1, 0))
		watching.Wait()
		_ = near.SetReadDeadline(time.Time{})
	}()
	if err := there.await(ctx, there.schedule(0)); err != nil {
		return nil, err
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.ip.AsSlice()}}
	conn, err := tcp(dialer.DialContext(ctx, "tcp", target))
	if wait := back.await(ctx, back.schedule(0)); wait != nil && err == nil {
		_ = conn.Close()
		err = wait
	}
	if err != nil {
		return nil, err
	}
	return conn, nil
}
