package zk

import (
	"context"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
)

const (
	// DefaultPrefix is under which node all clusters keep theirs.
	DefaultPrefix = "/granary"
	// MaxRecord bounds the view record, in bytes: a server takes requests of a little less than 1 MiB, its jute.maxbuffer.
	// A record has room for more than a thousand members of usual size.
	MaxRecord = 1<<20 - 4<<10
)

// Provider is a [driver.Provider] on ZooKeeper. It serves one session at a time.
type Provider struct{ *record.Provider }

var _ driver.Provider = Provider{}

type config struct {
	servers []string
	prefix  string
	dialer  Dialer
	auth    []credential
	record  []record.Option
}

// Option changes a provider that is being made.
type Option func(*config)

// WithPrefix sets under which node those of all clusters lie; those of one cluster are under prefix/name. All its members
// need the same. Below a chroot it is relative to that. Defaults to [DefaultPrefix].
func WithPrefix(prefix string) Option { return func(c *config) { c.prefix = prefix } }

// WithTTL sets the lease time, from a second to ten minutes. A session of twice that is asked for; the servers grant
// from 2 to 20 of their ticks, unless their minSessionTimeout and maxSessionTimeout say otherwise: 4 to 40 s as they
// come, which are leases of 2 to 20 s. The first start of a cluster waits that long. Defaults to [record.DefaultTTL].
func WithTTL(ttl time.Duration) Option { return WithRecord(record.WithTTL(ttl)) }

// WithRecord sets options of package record, for example how long a call may take.
func WithRecord(opts ...record.Option) Option {
	return func(c *config) { c.record = append(c.record, opts...) }
}

// WithAuth presents credentials with each connection, for example the scheme "digest" with "user:password", and lets
// whoever has them, and nobody else, read and change the nodes that are made from then on. Nodes that are there keep
// the rights they have. It may be given several times. By default nothing is presented, and everybody has every right.
func WithAuth(scheme string, auth []byte) Option {
	return func(c *config) { c.auth = append(c.auth, credential{scheme, auth}) }
}

// WithDialer replaces how servers are connected to, for TLS for example:
//
//	zk.WithDialer((&tls.Dialer{Config: config}).DialContext)
//
// Nil leaves it as it is. Defaults to plain TCP.
func WithDialer(d Dialer) Option {
	return func(c *config) {
		if d != nil {
			c.dialer = d
		}
	}
}

// New makes a provider that connects to ZooKeeper for each session. Servers are given as host:port, one for each
// element, or as a connection string, host1:2181,host2:2181/chroot; without a port it is 2181. Nonsense among them or
// the options is an error of Join and Observe.
func New(servers []string, opts ...Option) Provider {
	c := config{servers: append([]string{}, servers...), prefix: DefaultPrefix, dialer: new(net.Dialer).DialContext}
	for _, o := range opts {
		if o != nil {
			o(&c)
		}
	}
	open := func(_ context.Context, r driver.Request, _ bool) (driver.RecordStore, error) {
		return c.open(r.Cluster)
	}
	return Provider{record.New(open, c.record...)}
}

// open makes the store of a cluster. It connects when it is used first.
func (c config) open(cluster string) (*store, error) {
	names, chroot, err := parseServers(c.servers)
	if err != nil {
		return nil, err
	}
	s := &store{
		hosts: newHosts(names), dialer: c.dialer, auth: c.auth, acl: zk.WorldACL(zk.PermAll),
		base: strings.TrimRight(chroot+"/"+strings.Trim(c.prefix, "/"), "/") + "/" + nodeName(cluster),
		idle: readerSession, turn: make(chan struct{}, 1), descriptions: map[string][]byte{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if len(c.auth) > 0 {
		s.acl = zk.AuthACL(zk.PermAll)
	}
	return s, s.checkPath()
}

// nodeName makes the name of a node of any text, and never the same of two: as in a URL, with dots escaped where a path
// would take them for directories.
func nodeName(text string) string {
	name := url.PathEscape(text)
	if strings.Trim(name, ".") == "" {
		return strings.ReplaceAll(name, ".", "%2E")
	}
	return name
}
