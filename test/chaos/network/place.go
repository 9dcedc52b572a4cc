package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"
)

// The environment that tells a process where it is.
const (
	envName    = "GRANARY_NETWORK_HOST"
	envAddress = "GRANARY_NETWORK_ADDRESS"
	envProxy   = "GRANARY_NETWORK_PROXY"
)

// A Place is what a process knows of the host it runs on. Its Listen and Dial are for [remote.WithListener] and
// [remote.WithDialer], and for clients of providers.
//
// [remote.WithListener]: https://pkg.go.dev/github.com/granary-go/granary/remote#WithListener
// [remote.WithDialer]: https://pkg.go.dev/github.com/granary-go/granary/remote#WithDialer
type Place struct {
	Name    string // of the host; empty where there is no Network
	Address string // its IP address; the same

	proxy string // its address; empty where connections need no help
}

// Here tells where this process runs, by the environment that [Host.Environ] gave it. Without that it is no host's, and
// Listen and Dial are those of package net.
func Here() Place {
	return Place{Name: os.Getenv(envName), Address: os.Getenv(envAddress), proxy: os.Getenv(envProxy)}
}

// Listen listens at a TCP address.
func (Place) Listen(ctx context.Context, address string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", address)
}

// Dial connects to a TCP address, under the rules of the links to and from the host that has it.
func (p Place) Dial(ctx context.Context, address string) (net.Conn, error) {
	if p.proxy == "" || strings.HasPrefix(address, p.Address+":") {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("network: dial %q: it takes an IP address and a port: %w", address, err)
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(p.Address)}}
	conn, err := tcp(dialer.DialContext(ctx, "tcp", p.proxy))
	if err != nil {
		return nil, fmt.Errorf("network: dial %s: its proxy does not answer: %w", address, err)
	}
	remote := net.TCPAddrFromAddrPort(target)
	if err := p.ask(ctx, conn, address); err != nil {
		_ = conn.Close()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Source: conn.LocalAddr(), Addr: remote, Err: err}
	}
	return &proxied{conn, remote}, nil
}

// ask has the proxy connect to the address.
func (p Place) ask(ctx context.Context, conn net.Conn, address string) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	_, err := fmt.Fprintln(conn, p.Address, address)
	reply := ""
	if err == nil {
		reply, err = readLine(conn)
	}
	if !stop() {
		return ctx.Err()
	}
	switch {
	case err != nil:
		return err
	case reply == replyRefused:
		return syscall.ECONNREFUSED
	case reply != replyConnected:
		return errors.New(reply)
	}
	return nil
}

// A proxied connection tells the address of the server, not that of the proxy.
type proxied struct {
	*net.TCPConn
	remote net.Addr
}

func (p *proxied) RemoteAddr() net.Addr { return p.remote }

func (h *Host) place() Place {
	p := Place{Name: h.name, Address: h.Address()}
	if h.network.proxy != nil {
		p.proxy = h.network.proxy.address
	}
	return p
}

// Environ is this process's environment and what a process on the host needs besides.
func (h *Host) Environ() []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if name != envName && name != envAddress && name != envProxy {
			env = append(env, entry)
		}
	}
	p := h.place()
	return append(env, envName+"="+p.Name, envAddress+"="+p.Address, envProxy+"="+p.proxy)
}
