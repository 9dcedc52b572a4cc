package network

import "fmt"

// The modes of a Network.
const (
	Namespaces = "namespaces"
	Proxies    = "proxies"
)

const (
	defaultMTU   = 16 << 10
	minMTU       = 576
	maxMTU       = 65_535
	defaultQueue = 4 << 20
)

type config struct {
	mode  string // "" for the first that can be had
	seed  uint64
	mtu   int
	queue int
}

// An Option changes how [New] makes a Network.
type Option func(*config)

// WithMode asks for [Namespaces] or [Proxies]. The default is the first of them that can be had.
func WithMode(mode string) Option { return func(c *config) { c.mode = mode } }

// WithSeed sets what chance starts from; by default it is 0. Each link has its own, so that with the same seed, the same
// rules and the same packets in the same order it does the same.
func WithSeed(seed uint64) Option { return func(c *config) { c.seed = seed } }

// WithMTU sets the size of the largest packet in bytes, from 576 to 65535. Defaults to 16 KiB: the larger, the less a byte
// costs, and the more a packet that is lost takes with it.
func WithMTU(bytes int) Option { return func(c *config) { c.mtu = bytes } }

// WithQueue sets how many bytes wait in a link at most. What comes then is dropped and counted as Overflowed, as routers
// do; in the mode "proxies" it is the bound for one connection's direction, and its sender waits. Defaults to 4 MiB.
func WithQueue(bytes int) Option { return func(c *config) { c.queue = bytes } }

func newConfig(opts []Option) (config, error) {
	c := config{mtu: defaultMTU, queue: defaultQueue}
	for _, opt := range opts {
		opt(&c)
	}
	switch {
	case c.mode != "" && c.mode != Namespaces && c.mode != Proxies:
		return c, fmt.Errorf("network: no mode %q: WithMode takes %q or %q", c.mode, Namespaces, Proxies)
	case c.mtu < minMTU || c.mtu > maxMTU:
		return c, fmt.Errorf("network: an MTU of %d: WithMTU takes %d to %d bytes", c.mtu, minMTU, maxMTU)
	case c.queue < c.mtu:
		return c, fmt.Errorf("network: a queue of %d bytes: WithQueue takes at least the MTU, %d", c.queue, c.mtu)
	}
	return c, nil
}
