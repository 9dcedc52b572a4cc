package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
)

// Defaults of a provider.
const (
	// DefaultPrefix is under which all clusters keep their keys.
	DefaultPrefix = "/granary"
	// DefaultDialTimeout bounds the request for a user's token when a session begins, where clientv3.Config does not.
	DefaultDialTimeout = 5 * time.Second
	// DefaultKeepAliveTime is after how much silence a connection is probed where clientv3.Config does not say it. A
	// server refuses less than 5 s, and the client takes less than 10 s for that.
	DefaultKeepAliveTime = 10 * time.Second
	// DefaultKeepAliveTimeout is how long the answer to a probe may take where clientv3.Config does not say it.
	DefaultKeepAliveTimeout = 3 * time.Second
)

// Provider is a [driver.Provider] on etcd. It serves one session at a time.
type Provider struct{ *record.Provider }

var _ driver.Provider = Provider{}

type config struct {
	prefix string
	record []record.Option
}

// Option changes a provider that is being made.
type Option func(*config)

// WithPrefix sets under which prefix the keys of all clusters lie; those of one cluster are under prefix/name. All its
// members need the same. Defaults to [DefaultPrefix].
func WithPrefix(prefix string) Option { return func(c *config) { c.prefix = prefix } }

// WithTTL sets the lease time, from a second to ten minutes. The server grants whole seconds, and no less than one and
// a half of its election time-outs: 2 s as it comes. The first start of a cluster waits that long. Defaults to
// [record.DefaultTTL].
func WithTTL(ttl time.Duration) Option { return WithRecord(record.WithTTL(ttl)) }

// WithRecord sets options of package record, for example how long a call may take.
func WithRecord(opts ...record.Option) Option {
	return func(c *config) { c.record = append(c.record, opts...) }
}

// New makes a provider that connects to etcd for each session: with the endpoints, the TLS and the user of a
// [clientv3.Config]. What this leaves out of keep-alive and of the time to dial is set to the defaults above, and a
// client without a logger logs nothing. Nonsense in the configuration is an error of Join and Observe.
func New(etcd clientv3.Config, opts ...Option) Provider {
	return newProvider(opts, func(ctx context.Context) (*store, error) {
		client, err := dial(ctx, etcd)
		return &store{client: client, owned: true, tls: etcd.TLS}, err
	})
}

// NewWithClient makes a provider on a connection of the caller's, who closes it after the last session. It should have
// a keep-alive (DialKeepAliveTime of its configuration): without one a server that has vanished holds up calls. With a user
// and a password servers up to 3.4 lock it out once they have forgotten its token; a client certificate is safe there.
func NewWithClient(client *clientv3.Client, opts ...Option) Provider {
	return newProvider(opts, func(context.Context) (*store, error) {
		if client == nil {
			return nil, errors.New("etcd: the client is nil")
		}
		return &store{client: client}, checkEndpoints(client.Endpoints())
	})
}

func newProvider(opts []Option, connect func(context.Context) (*store, error)) Provider {
	c := config{prefix: DefaultPrefix}
	for _, o := range opts {
		if o != nil {
			o(&c)
		}
	}
	open := func(ctx context.Context, r driver.Request, _ bool) (driver.RecordStore, error) {
		s, err := connect(ctx)
		if err != nil {
			return nil, err
		}
		s.prefix = clusterPrefix(c.prefix, r.Cluster)
		return s, nil
	}
	return Provider{record.New(open, c.record...)}
}

// Reconnect is the option of a connection that is soon there again after an outage: gRPC's own pauses grow to two
// minutes, during which leases end. [New] uses it; a client of the caller's own is better with it in its DialOptions.
func Reconnect() grpc.DialOption {
	return grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
		MinConnectTimeout: DefaultDialTimeout,
	})
}

// dial makes a client within the context, which does not end it.
func dial(ctx context.Context, c clientv3.Config) (*clientv3.Client, error) {
	if err := checkConfig(c); err != nil {
		return nil, err
	}
	if c.Logger == nil && c.LogConfig == nil {
		c.Logger = zap.NewNop()
	}
	setDefault(&c.DialTimeout, DefaultDialTimeout)
	setDefault(&c.DialKeepAliveTime, DefaultKeepAliveTime)
	setDefault(&c.DialKeepAliveTimeout, DefaultKeepAliveTimeout)
	c.DialOptions = append([]grpc.DialOption{Reconnect(), grpc.WithChainUnaryInterceptor(authenticateAfresh(c))}, c.DialOptions...)
	base := c.Context
	if base == nil {
		base = context.Background()
	}
	var cancel context.CancelFunc
	c.Context, cancel = context.WithCancel(base)
	stop := context.AfterFunc(ctx, cancel)
	client, err := clientv3.New(c)
	if !stop() && err == nil { // the context ended meanwhile, and the client with it
		err = errors.Join(ctx.Err(), client.Close())
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("etcd: connect: %w", mayPass(explain(ctx, err, c.Endpoints, "", func() error { return tryOnce(ctx, c) })))
	}
	return client, nil
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}
