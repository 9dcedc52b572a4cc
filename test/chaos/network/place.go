package network

import (
	"context"
	"net"
	"os"
	"strings"
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

	proxy string // a socket of the Network; empty where connections need no help
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
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

func (h *Host) place() Place { return Place{Name: h.name, Address: h.Address()} }

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
