package automanaged

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"

	pb "github.com/granary-go/granary/cluster/automanaged/internal/membershippb"
	"github.com/granary-go/granary/cluster/driver"
)

// Defaults of a provider.
const (
	// DefaultRefresh is the time between two pings of a member.
	DefaultRefresh = time.Second
	// DefaultPort is the port on which a member answers pings.
	DefaultPort = 6330
	// DefaultHost is the list of hosts of [New].
	DefaultHost = "localhost:6330"
	// DefaultMissedPings is how many pings in a row must fail until a member
	// is taken for lost.
	DefaultMissedPings = 3
)

// quickest is the least time that a ping is given to be answered, and the most
// that passes between two pings while a process is in no view.
const quickest = 200 * time.Millisecond

// What is beyond these is taken for a mistake.
const (
	longestRefresh = time.Hour
	mostMissed     = 1000
)

var errInUse = errors.New("automanaged: the provider has an open session; close it first, or make a provider for each cluster")

// Provider is a [driver.Provider] whose members ping each other. It serves one
// session at a time. It is not changed after it was made: the With methods
// give a changed copy.
type Provider struct {
	config config
	busy   atomic.Bool
	// met are the ping addresses of the view that removed the last session's
	// member: it joins those, though it may have been told of none of them. A
	// side of a split that has lost would otherwise found a cluster of its own,
	// whose higher view removes the side that has won.
	met []string // guarded by busy
	// former is the newest view that a former session was in.
	former uint64 // guarded by busy
}

type config struct {
	refresh    time.Duration
	port       int
	hosts      []string
	missed     int
	bindHost   string
	advertised string
	server     credentials.TransportCredentials // nil: the cluster's, or none
	client     credentials.TransportCredentials // the same
	// The cluster's, nil without TLS: for those who dial, and to know who pings.
	clientTLS func(names ...string) *tls.Config
	proves    func(state tls.ConnectionState, host string) error
	guard     *driver.Guard // nil: nothing is bounded
	// names has, with TLS, the name of a host for each address that it was looked
	// up to have.
	names  *sync.Map
	listen func(ctx context.Context, address string) (net.Listener, error)
	dial   func(ctx context.Context, address string) (net.Conn, error)
	lookup func(ctx context.Context, host string) ([]string, error)
	// exchange replaces gRPC between members, for tests of many; nil in
	// production.
	exchange func(ctx context.Context, address string, r *pb.PingRequest) (*pb.PingResponse, error)
}

// timeout is how long a ping may take.
func (c config) timeout() time.Duration { return max(c.refresh, quickest) }

var _ driver.Provider = (*Provider)(nil)

// New makes a provider for a cluster on this machine: a refresh interval of
// [DefaultRefresh], port [DefaultPort], and [DefaultHost] as the only host.
func New() *Provider {
	return NewWithConfig(DefaultRefresh, DefaultPort, DefaultHost)
}

// NewWithConfig makes a provider. RefreshTTL is the time between two pings of
// a member, at most an hour. A ping may take as long, but at least 200 ms. 0
// means [DefaultRefresh]. Port is where this member answers pings; 0 means any free
// one, which only serves members that know others. Hosts are where to look for
// members, each as host:port; a member's own address may be among them. A
// member without hosts founds a cluster of its own within half a second,
// unless somebody who knows it comes first; a client needs at least one.
//
// Nonsense among these is an error of Join and Observe.
func NewWithConfig(refreshTTL time.Duration, port int, hosts ...string) *Provider {
	return &Provider{config: config{
		refresh: cmp.Or(refreshTTL, DefaultRefresh), port: port, hosts: slices.Clone(hosts),
		missed: DefaultMissedPings,
		listen: func(ctx context.Context, address string) (net.Listener, error) {
			return new(net.ListenConfig).Listen(ctx, "tcp", address)
		},
		dial: func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
		lookup: net.DefaultResolver.LookupHost,
	}}
}

func (p *Provider) with(change func(*config)) *Provider {
	changed := &Provider{config: p.config}
	change(&changed.config)
	return changed
}

// WithMissedPings sets how many pings in a row must fail until a member is
// taken for lost, from 2 to 1,000. Defaults to [DefaultMissedPings].
func (p *Provider) WithMissedPings(n int) *Provider {
	return p.with(func(c *config) { c.missed = n })
}

// WithBindHost sets the host that the ping port is bound to; "0.0.0.0" for all
// interfaces. Defaults to the host that the process's actors are bound to.
func (p *Provider) WithBindHost(host string) *Provider {
	return p.with(func(c *config) { c.bindHost = host })
}

// WithAdvertisedHost sets the host under which others ping this member; with a
// port, as host:port, also the port, for members behind a port mapping.
// Defaults to the host of the member's address and the port that is bound.
func (p *Provider) WithAdvertisedHost(host string) *Provider {
	return p.with(func(c *config) { c.advertised = host })
}

// WithCredentials sets the transport security of the ping port and of the
// connections to others. Nil leaves that side as it is. Defaults to the TLS of the
// cluster (remote.WithTLS), or to none.
func (p *Provider) WithCredentials(server, client credentials.TransportCredentials) *Provider {
	return p.with(func(c *config) {
		if server != nil {
			c.server = server
		}
		if client != nil {
			c.client = client
		}
	})
}

// WithListener replaces the network on which the ping port is opened, for
// tests in memory.
func (p *Provider) WithListener(listen func(ctx context.Context, address string) (net.Listener, error)) *Provider {
	return p.with(func(c *config) { c.listen = listen })
}

// WithDialer replaces the network in which others are pinged, for tests in
// memory. Hosts are then not looked up: the dialer is given their names.
func (p *Provider) WithDialer(dial func(ctx context.Context, address string) (net.Conn, error)) *Provider {
	return p.with(func(c *config) {
		c.dial = dial
		c.lookup = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	})
}

// WithLookup replaces how the name of a host is turned into addresses, without
// their port. Defaults to the system's resolver.
func (p *Provider) WithLookup(lookup func(ctx context.Context, host string) ([]string, error)) *Provider {
	return p.with(func(c *config) { c.lookup = lookup })
}

// check reports what is wrong with the configuration.
func (c config) check() error {
	var errs []error
	if c.refresh < 0 {
		errs = append(errs, fmt.Errorf("automanaged: refresh interval %v is negative", c.refresh))
	}
	if c.refresh > longestRefresh {
		errs = append(errs, fmt.Errorf("automanaged: refresh interval %v is longer than %v; a second is usual", c.refresh, longestRefresh))
	}
	if c.port < 0 || c.port > 65535 {
		errs = append(errs, fmt.Errorf("automanaged: port %d is not from 0 to 65535", c.port))
	}
	if c.missed < 2 {
		errs = append(errs, fmt.Errorf("automanaged: %d missed pings make a member lost; at least 2 are needed, one may get lost anywhere", c.missed))
	}
	if c.missed > mostMissed {
		errs = append(errs, fmt.Errorf("automanaged: %d missed pings until a member is lost are more than %d; three are usual", c.missed, mostMissed))
	}
	for i, h := range c.hosts {
		if err := checkHost(h); err != nil {
			errs = append(errs, fmt.Errorf("automanaged: host %d of the list: %w", i+1, err))
		}
	}
	return errors.Join(errs...)
}

// Leases implements [driver.Provider]: there are none, as nobody but the members
// could keep them. Kinds are best effort.
func (p *Provider) Leases() bool { return false }

// Join implements [driver.Provider]. It fails when the configuration is
// nonsense or the ping port cannot be opened.
func (p *Provider) Join(ctx context.Context, r driver.Request) (driver.Session, error) {
	if err := p.config.check(); err != nil {
		return nil, err
	}
	if !p.busy.CompareAndSwap(false, true) {
		return nil, errInUse
	}
	c := p.config.secured(r)
	for _, address := range p.met {
		if !slices.Contains(c.hosts, address) {
			c.hosts = append(slices.Clip(c.hosts), address)
		}
	}
	s, err := join(ctx, c, r, p.former, func(met []string, former uint64) {
		p.met, p.former = met, former
		p.busy.Store(false)
	})
	if err != nil {
		p.busy.Store(false)
		return nil, err
	}
	return s, nil
}

// Observe implements [driver.Provider]. It opens no port, and waits as long as
// it takes for a member to be reached.
func (p *Provider) Observe(_ context.Context, r driver.Request) (driver.Session, error) {
	if err := p.config.check(); err != nil {
		return nil, err
	}
	if err := checkCluster(r.Cluster); err != nil {
		return nil, err
	}
	if len(p.config.hosts) == 0 {
		return nil, errors.New("automanaged: a client needs at least one host to ask")
	}
	if !p.busy.CompareAndSwap(false, true) {
		return nil, errInUse
	}
	return observe(p.config.secured(r), r, func() { p.busy.Store(false) }), nil
}
