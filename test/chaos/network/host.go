package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
)

// A Host is a place on the network with an address of its own, where processes run and listeners listen.
type Host struct {
	network   *Network
	name      string
	number    int
	ip        netip.Addr
	thread    *thread
	tun       *os.File // nil in the mode "proxies"
	namespace *os.File // the same
	links     [maxHosts + 1]atomic.Pointer[link]
	served    servers

	mu      sync.Mutex    // guards started
	started []*os.Process // those that may be running
}

// open makes the host's thread, which in the mode "namespaces" is in a namespace with a device.
func (h *Host) open() (err error) {
	h.thread, err = newThread(func() (err error) {
		if h.network.config.mode == Proxies {
			return nil
		}
		h.tun, err = enterNamespace(netip.PrefixFrom(h.ip, h.network.subnet.Bits()), h.network.config.mtu)
		if err != nil {
			return err
		}
		if h.namespace, err = openNamespace(); err != nil {
			_ = h.tun.Close()
		}
		return err
	})
	return err
}

// Name is what [Network.Host] was called with.
func (h *Host) Name() string { return h.name }

// Address is the host's IP address.
func (h *Host) Address() string { return h.ip.String() }

// Run runs f on a thread of the host: sockets that f opens and processes that it starts are there. One function runs at a
// time, so f is to be short; goroutines that it starts run elsewhere. It fails when the network is closed.
func (h *Host) Run(f func() error) error { return h.thread.do(f) }

// Start starts a command on the host; the caller waits for it. It is killed when the network is closed and, on Linux,
// when this process ends, however that happens. If the command has no environment, it gets [Host.Environ].
func (h *Host) Start(cmd *exec.Cmd) error {
	if cmd.Env == nil {
		cmd.Env = h.Environ()
	}
	dieWithParent(cmd)
	return h.Run(func() error {
		if err := cmd.Start(); err != nil {
			return err
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.started = append(running(h.started), cmd.Process)
		return nil
	})
}

// running gives those processes that were not waited for.
func running(all []*os.Process) (found []*os.Process) {
	for _, p := range all {
		if !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone) {
			found = append(found, p)
		}
	}
	return found
}

// Listen listens at a TCP port of the host, at any for port 0. The caller closes the listener.
func (h *Host) Listen(port int) (l net.Listener, err error) {
	err = h.Run(func() (err error) {
		var plain net.ListenConfig
		plain.SetMultipathTCP(false)
		l, err = plain.Listen(context.Background(), "tcp", net.JoinHostPort(h.Address(), strconv.Itoa(port)))
		return err
	})
	return l, err
}

// Dial connects from the host to an IP address and port. It does not hold up [Host.Run].
func (h *Host) Dial(ctx context.Context, address string) (conn net.Conn, err error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, fmt.Errorf("network: dial %q: it takes an IP address and a port: %w", address, err)
	}
	if h.namespace == nil {
		return h.place().Dial(ctx, address)
	}
	t, err := newThread(func() (err error) {
		if err := enterOpen(h.namespace); err != nil {
			return err
		}
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", address)
		return err
	})
	if err != nil {
		return nil, err
	}
	t.close()
	return conn, nil
}

// route passes on what the host sends until its device is closed.
func (h *Host) route() {
	packet := make([]byte, maxMTU)
	for {
		size, err := h.tun.Read(packet)
		if err != nil {
			return
		}
		if size < 20 || packet[0]>>4 != 4 {
			continue // IPv6, which looks for neighbours that are not there
		}
		to := h.network.at(netip.AddrFrom4([4]byte(packet[16:20])))
		if to == nil || to == h {
			h.network.unknown.Add(1)
			continue
		}
		h.network.link(h, to).send(packet[:size])
	}
}

// receive is what links deliver to.
func (h *Host) receive(packet []byte) error {
	_, err := h.tun.Write(packet)
	return err
}

// close ends the host and the processes that it has started. It is called once.
func (h *Host) close() {
	h.served.close()
	h.mu.Lock()
	started := running(h.started)
	h.mu.Unlock()
	for _, p := range started {
		_ = p.Kill()
	}
	for _, p := range started {
		awaitEnd(p)
	}
	h.thread.close()
	if h.tun != nil {
		_, _ = h.tun.Close(), h.namespace.Close()
	}
}
