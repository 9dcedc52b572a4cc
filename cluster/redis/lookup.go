package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/granary-go/granary/cluster/driver"
)

// DefaultPrefix is what the keys of all clusters begin with.
const DefaultPrefix = "granary"

// Lookup opens connections for the processes of clusters; see
// cluster.WithIdentityLookup.
type Lookup struct {
	prefix  string
	connect func() (client redis.UniversalClient, owned bool, err error)
}

var _ driver.EntryStores = (*Lookup)(nil)

// Option changes a Lookup that is being made.
type Option func(*Lookup)

// WithPrefix sets what the keys of all clusters begin with; those of one cluster
// have its name behind it. All its processes need the same. Defaults to
// [DefaultPrefix].
func WithPrefix(prefix string) Option { return func(l *Lookup) { l.prefix = prefix } }

// New makes a lookup that connects for each process of a cluster that starts:
// to one server, or through Sentinel if MasterName is set, or to a Redis Cluster
// if there are several addresses or IsClusterMode is set. Nothing is tried again
// unless MaxRetries or DialerRetries say otherwise, and calls end with their contexts. Nonsense in
// the options is an error of Start.
func New(options *redis.UniversalOptions, opts ...Option) *Lookup {
	return newLookup(opts, func() (redis.UniversalClient, bool, error) {
		client, err := dial(options)
		return client, true, err
	})
}

// NewWithClient makes a lookup on a client of the caller's, who closes it after
// the last cluster has been shut down. Its options should have MaxRetries −1 and
// ContextTimeoutEnabled; it must not read from replicas.
func NewWithClient(client redis.UniversalClient, opts ...Option) *Lookup {
	return newLookup(opts, func() (redis.UniversalClient, bool, error) {
		if client == nil {
			return nil, false, errors.New("redis: the client is nil")
		}
		return client, false, nil
	})
}

func newLookup(opts []Option, connect func() (redis.UniversalClient, bool, error)) *Lookup {
	l := &Lookup{prefix: DefaultPrefix, connect: connect}
	for _, o := range opts {
		if o != nil {
			o(l)
		}
	}
	return l
}

// OpenEntries implements [driver.EntryStores].
func (l *Lookup) OpenEntries(_ context.Context, cluster string) (driver.EntryStore, error) {
	if strings.ContainsAny(l.prefix, "{}") {
		return nil, fmt.Errorf("redis: the prefix %q holds a brace, which would decide where keys lie in a Redis Cluster", l.prefix)
	}
	client, owned, err := l.connect()
	if err != nil {
		return nil, err
	}
	return &store{client: client, owned: owned, address: address(client), prefix: l.prefix, cluster: url.PathEscape(cluster)}, nil
}

// dial makes a client. It opens no connection yet.
func dial(options *redis.UniversalOptions) (redis.UniversalClient, error) {
	if options == nil || len(options.Addrs) == 0 {
		return nil, errors.New("redis: there are no addresses: set Addrs of UniversalOptions, for example 127.0.0.1:6379")
	}
	for _, a := range options.Addrs {
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("redis: the address %q of UniversalOptions is not host:port, for example 127.0.0.1:6379", a)
		}
	}
	o := *options
	o.Addrs = slices.Clone(o.Addrs)
	o.ContextTimeoutEnabled = true
	if o.MaxRetries == 0 {
		o.MaxRetries = -1
	}
	if o.DialerRetries == 0 {
		o.DialerRetries = 1
	}
	return redis.NewUniversalClient(&o), nil
}

// address names the servers in errors.
func address(client redis.UniversalClient) string {
	switch c := client.(type) {
	case *redis.Client:
		return c.Options().Addr
	case *redis.ClusterClient:
		return strings.Join(c.Options().Addrs, ", ")
	default:
		return "the given client's servers"
	}
}
