package consul

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
)

// DefaultPrefix is under which all clusters keep their keys.
const DefaultPrefix = "granary"

// Provider is a [driver.Provider] on Consul. It serves one session at a time.
type Provider struct{ *record.Provider }

var _ driver.Provider = Provider{}

type config struct {
	prefix    string
	service   string // empty: named after prefix and cluster
	noService bool
	record    []record.Option
}

// Option changes a provider that is being made.
type Option func(*config)

// WithPrefix sets under which prefix the keys of all clusters lie; those of one cluster are under prefix/name. All its
// members need the same. Defaults to [DefaultPrefix].
func WithPrefix(prefix string) Option { return func(c *config) { c.prefix = prefix } }

// WithTTL sets the lease time, from a second to ten minutes, and not below session_ttl_min of the servers, which is 10 s
// as it comes. The first start of a cluster waits that long. Defaults to [record.DefaultTTL].
func WithTTL(ttl time.Duration) Option { return WithRecord(record.WithTTL(ttl)) }

// WithRecord sets options of package record, for example how long a call may take.
func WithRecord(opts ...record.Option) Option {
	return func(c *config) { c.record = append(c.record, opts...) }
}

// WithService names the service that operators see the members as. Defaults to prefix-cluster, granary-shop for example.
func WithService(name string) Option {
	return func(c *config) { c.service, c.noService = name, false }
}

// WithoutService leaves the members out of Consul's services.
func WithoutService() Option { return func(c *config) { c.noService = true } }

// New makes a provider that connects to an agent for each session: with the address, the token, the TLS, the datacenter,
// the namespace and the partition of an [api.Config]. What this leaves out is taken from the environment
// (CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN, …), as Consul's own tools do. Nonsense in the configuration is an error of Join
// and Observe. Redirects are not followed: they would take the token elsewhere.
func New(consul api.Config, opts ...Option) Provider {
	return newProvider(opts, func() (*connection, error) { return dial(consul) })
}

// NewWithClient makes a provider on a client of the caller's.
func NewWithClient(client *api.Client, opts ...Option) Provider {
	return newProvider(opts, func() (*connection, error) {
		if client == nil {
			return nil, errors.New("consul: the client is nil")
		}
		return &connection{Client: client}, nil
	})
}

func newProvider(opts []Option, connect func() (*connection, error)) Provider {
	c := config{prefix: DefaultPrefix}
	for _, o := range opts {
		if o != nil {
			o(&c)
		}
	}
	open := func(ctx context.Context, r driver.Request, observe bool) (driver.RecordStore, error) {
		client, err := connect()
		if err != nil {
			return nil, err
		}
		s := newStore(client, c.prefix, r.Cluster)
		if err := s.probe(ctx); err != nil {
			client.close()
			return nil, err
		}
		if !observe && !c.noService {
			s.service = announce(client, cmp.Or(c.service, serviceName(c.prefix, r.Cluster)), r)
		}
		return s, nil
	}
	return Provider{record.New(open, c.record...)}
}
