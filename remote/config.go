package remote

import (
	"context"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
)

// What holds when no option says otherwise.
const (
	// DefaultMaxMessageSize is the largest message that is sent, in bytes as
	// serialised, its headers and the names of target and sender included.
	DefaultMaxMessageSize = 4 << 20
	// DefaultQueueMessages and DefaultQueueBytes bound what waits to be written
	// to one peer.
	DefaultQueueMessages = 1 << 17
	DefaultQueueBytes    = 64 << 20
	// DefaultMaxWatches is how many watches there may be between the actors of
	// two processes, counted apart for each direction.
	DefaultMaxWatches = 1 << 18
	// DefaultMaxPeers is how many processes this one has to do with at a time,
	// DefaultMaxDials how many of them it tries to reach at a time.
	DefaultMaxPeers = 1 << 13
	DefaultMaxDials = 256
	// DefaultMaxStrangers is how many connections there may be at the port over which
	// no peer has introduced itself, DefaultMaxStrangersOfHost how many of them from one host.
	DefaultMaxStrangers       = 512
	DefaultMaxStrangersOfHost = 256
	// DefaultMaxStreams is how many requests there may be at a time over one of them,
	// DefaultMaxIncoming how many in all that have not come in whole.
	DefaultMaxStreams  = 256
	DefaultMaxIncoming = 128
	// DefaultRequestTimeout is how long a request to a service at the port may take to come
	// in, DefaultQuietTimeout for how long a connection is kept over which there is none.
	DefaultRequestTimeout = 10 * time.Second
	DefaultQuietTimeout   = time.Minute
	// DefaultMaxSpawned is how many actors of one kind others may have alive here.
	DefaultMaxSpawned = 1 << 17
	// DefaultDialTimeout bounds an attempt to connect, the handshake included.
	DefaultDialTimeout = 3 * time.Second
	// DefaultBackoffMin and DefaultBackoffMax bound the pause after failed
	// attempts to connect.
	DefaultBackoffMin = 10 * time.Millisecond
	DefaultBackoffMax = time.Second
	// DefaultKeepAliveInterval is after how long a silence of the peer it is
	// pinged, DefaultKeepAliveTimeout how long it has to answer.
	DefaultKeepAliveInterval = 5 * time.Second
	DefaultKeepAliveTimeout  = 5 * time.Second
	// DefaultIdleTimeout is for how long a connection is kept over which nothing is sent.
	DefaultIdleTimeout = 30 * time.Minute
	// DefaultGoodbyeTimeout bounds a graceful shutdown.
	DefaultGoodbyeTimeout = 2 * time.Second
)

// Config says where a remote listens and how it speaks to its peers. It is made
// by [Configure] and not changed afterwards; a remote takes a copy.
type Config struct {
	host       string
	port       int
	advertised string
	tls        *tlsConfig // nil: none

	serializers []namedCodec
	kinds       []*Kind

	listen        func(ctx context.Context, address string) (net.Listener, error)
	dial          func(ctx context.Context, address string) (net.Conn, error)
	dialOptions   []grpc.DialOption
	serverOptions []grpc.ServerOption

	maxMessage        int
	queueMessages     int
	queueBytes        int
	maxWatches        int
	maxPeers          int
	maxDials          int
	maxStrangers      int
	strangersOfHost   int
	maxStreams        int
	maxIncoming       int
	requestTimeout    time.Duration
	quietTimeout      time.Duration
	maxSpawned        int
	dialTimeout       time.Duration
	backoff           backoff
	keepAliveInterval time.Duration
	keepAliveTimeout  time.Duration
	idleTimeout       time.Duration
	goodbyeTimeout    time.Duration
}

// ConfigOption changes what [Configure] returns.
type ConfigOption func(*Config)

// Configure returns the configuration of a remote that listens on host and
// port. Port 0 means any free one. Others reach this process at exactly that
// host and the port it got, unless [WithAdvertisedHost] says otherwise; that
// option is needed when host stands for every interface ("", "0.0.0.0", "::").
//
// What is wrong with the configuration is told by [Remote.Start].
func Configure(host string, port int, opts ...ConfigOption) *Config {
	c := &Config{
		host: host, port: port,
		listen:            listenTCP,
		dial:              dialTCP,
		maxMessage:        DefaultMaxMessageSize,
		queueMessages:     DefaultQueueMessages,
		queueBytes:        DefaultQueueBytes,
		maxWatches:        DefaultMaxWatches,
		maxPeers:          DefaultMaxPeers,
		maxDials:          DefaultMaxDials,
		maxStrangers:      DefaultMaxStrangers,
		strangersOfHost:   DefaultMaxStrangersOfHost,
		maxStreams:        DefaultMaxStreams,
		maxIncoming:       DefaultMaxIncoming,
		requestTimeout:    DefaultRequestTimeout,
		quietTimeout:      DefaultQuietTimeout,
		maxSpawned:        DefaultMaxSpawned,
		dialTimeout:       DefaultDialTimeout,
		backoff:           backoff{min: DefaultBackoffMin, max: DefaultBackoffMax},
		keepAliveInterval: DefaultKeepAliveInterval,
		keepAliveTimeout:  DefaultKeepAliveTimeout,
		idleTimeout:       DefaultIdleTimeout,
		goodbyeTimeout:    DefaultGoodbyeTimeout,
	}
	for _, opt := range opts {
		opt(c)
	}
	return c
}

// WithAdvertisedHost sets the host, or host:port, at which others reach this
// process when that is not where it listens: behind NAT, in a container, or
// when it listens on every interface. Without a port, or with port 0, the port
// is the one it listens on.
func WithAdvertisedHost(hostport string) ConfigOption {
	return func(c *Config) { c.advertised = hostport }
}

// WithListener replaces how the remote listens. With [WithDialer] it puts the
// remote on another network, such as one in memory. The port of the listener's
// address counts, if it has one, when the configured port is 0.
func WithListener(listen func(ctx context.Context, address string) (net.Listener, error)) ConfigOption {
	return func(c *Config) { c.listen = listen }
}

// WithDialer replaces how the remote connects to the advertised address of a peer.
func WithDialer(dial func(ctx context.Context, address string) (net.Conn, error)) ConfigOption {
	return func(c *Config) { c.dial = dial }
}

// WithDialOptions passes options on to gRPC for the connections that this
// process dials. They come after the remote's own and win over them.
func WithDialOptions(opts ...grpc.DialOption) ConfigOption {
	return func(c *Config) { c.dialOptions = append(c.dialOptions, opts...) }
}

// WithServerOptions passes options on to the gRPC server. They come after the
// remote's own and win over them. Those that gRPC takes once are not for this:
// UnaryInterceptor, StreamInterceptor (chained ones are) and InTapHandle make
// [Remote.Start] fail. A request's headers have at most 64 KiB, unless
// grpc.MaxHeaderListSize says otherwise.
func WithServerOptions(opts ...grpc.ServerOption) ConfigOption {
	return func(c *Config) { c.serverOptions = append(c.serverOptions, opts...) }
}

// WithMaxMessageSize sets the largest message that is sent or accepted, in
// bytes. A larger one is a dead letter where it is sent. A peer that accepts
// less says so when the two connect. Defaults to [DefaultMaxMessageSize].
func WithMaxMessageSize(bytes int) ConfigOption {
	return func(c *Config) { c.maxMessage = bytes }
}

// WithQueueLimits bounds what may wait to be written to one peer: a number of
// messages and their bytes as serialised. What does not fit is a dead letter at
// once. One message is always accepted, however large, and so are watches and
// what answers them, which [WithMaxWatches] bounds. As much again, and at least 8,192
// messages and 1 MiB, may be written and not yet acknowledged. Defaults to
// [DefaultQueueMessages] and [DefaultQueueBytes].
func WithQueueLimits(messages, bytes int) ConfigOption {
	return func(c *Config) { c.queueMessages, c.queueBytes = messages, bytes }
}

// WithMaxWatches bounds the watches between this process and one peer, in each
// direction. A watch too many from here ends at once with AddressTerminated; one
// from the peer ends the connection, and with it all of them. So does a peer for
// which more than twice as many watches, ends and stops wait to be written. All
// processes of a cluster should have the same bound. Defaults to
// [DefaultMaxWatches].
func WithMaxWatches(n int) ConfigOption {
	return func(c *Config) { c.maxWatches = n }
}

// WithPeerLimits bounds to how many other processes this one sends at a time,
// and how many of them it tries to reach at a time. What is sent to one peer more
// is a dead letter; an attempt too many waits for another one to end, within the
// dial timeout. Processes that connect by themselves are taken up to twice the
// number of peers. An address that cannot be reached counts until a few seconds
// after the last message to it. Defaults to [DefaultMaxPeers] and
// [DefaultMaxDials].
func WithPeerLimits(peers, dials int) ConfigOption {
	return func(c *Config) { c.maxPeers, c.maxDials = peers, dials }
}

// WithStrangerLimits bounds how many connections there may be at the port over which no
// peer has introduced itself, and how many of them from one host (of IPv6, from one /64): those of the handshakes
// under way, of who calls services at the port (cluster/admin, cluster/health, the
// application's own), and of whoever else reaches it. One too many is closed before a byte of it
// is read, and counted in [Stats]; whoever is connected goes on. Peers are bounded by
// [WithPeerLimits]. Defaults to [DefaultMaxStrangers] and
// [DefaultMaxStrangersOfHost].
func WithStrangerLimits(all, ofHost int) ConfigOption {
	return func(c *Config) { c.maxStrangers, c.strangersOfHost = all, ofHost }
}

// WithRequestLimits bounds how many requests there may be at a time over one connection to
// the port, where the caller's gRPC has more of them wait; and how many in all that have
// not come in whole, the introductions of peers among them. For one more, the one that has taken
// longest is cancelled. For each of these the process may hold a message of the largest
// size. Defaults to [DefaultMaxStreams] and [DefaultMaxIncoming].
func WithRequestLimits(ofConnection, incoming int) ConfigOption {
	return func(c *Config) { c.maxStreams, c.maxIncoming = ofConnection, incoming }
}

// WithRequestTimeouts bounds how long a request to a service at the port may take until
// it, or the first message of a stream of which the server is to answer one, has come
// in: it is cancelled then; and for how long a connection is kept over which there is
// no request: gRPC connects anew for the next one. What the peers of a cluster say to
// each other is bounded by [WithDialTimeout], [WithKeepAlive] and [WithIdleTimeout]
// instead. Defaults to [DefaultRequestTimeout] and [DefaultQuietTimeout].
func WithRequestTimeouts(request, quiet time.Duration) ConfigOption {
	return func(c *Config) { c.requestTimeout, c.quietTimeout = request, quiet }
}

// WithMaxSpawned bounds how many actors of one of the kinds of [WithKinds] may be alive
// here that other processes have spawned. One more fails with [ErrSpawnFailed]. Defaults
// to [DefaultMaxSpawned].
func WithMaxSpawned(n int) ConfigOption {
	return func(c *Config) { c.maxSpawned = n }
}

// WithDialTimeout bounds an attempt to connect. Defaults to [DefaultDialTimeout].
func WithDialTimeout(d time.Duration) ConfigOption {
	return func(c *Config) { c.dialTimeout = d }
}

// WithBackoff sets the pause after a failed attempt to connect, during which
// messages to the peer are dead letters at once: at most least after the first,
// doubled with each further failure up to most, less up to half of it by chance.
// Defaults to [DefaultBackoffMin] and [DefaultBackoffMax].
func WithBackoff(least, most time.Duration) ConfigOption {
	return func(c *Config) { c.backoff = backoff{min: least, max: most} }
}

// WithKeepAlive sets after how long a silence a peer is pinged and how long it
// has to answer before the connection counts as lost. gRPC lets the side that
// dialled ping no more often than every 10 seconds, and the other every second;
// shorter intervals are raised to that. Defaults to [DefaultKeepAliveInterval]
// and [DefaultKeepAliveTimeout].
func WithKeepAlive(interval, timeout time.Duration) ConfigOption {
	return func(c *Config) { c.keepAliveInterval, c.keepAliveTimeout = interval, timeout }
}

// WithIdleTimeout sets after how long without a message in either direction the side
// that dialled proposes to end a connection; it takes up to twice as long until it
// does. It stays while an actor on one side watches one on the other, or a request by
// a future waits for its answer. What is sent at the very moment waits for the next connection, which the next message makes.
// 0 keeps connections for ever. Defaults to [DefaultIdleTimeout].
func WithIdleTimeout(d time.Duration) ConfigOption {
	return func(c *Config) { c.idleTimeout = d }
}

// WithGoodbyeTimeout bounds how long a graceful [Remote.Shutdown] waits for what
// is queued to be written. Defaults to [DefaultGoodbyeTimeout].
func WithGoodbyeTimeout(d time.Duration) ConfigOption {
	return func(c *Config) { c.goodbyeTimeout = d }
}

func (c *Config) check() error {
	if err := c.checkAddresses(); err != nil {
		return err
	}
	for name, n := range map[string]int64{
		"WithMaxMessageSize":  int64(c.maxMessage),
		"WithQueueLimits":     int64(min(c.queueMessages, c.queueBytes)),
		"WithMaxWatches":      int64(c.maxWatches),
		"WithPeerLimits":      int64(min(c.maxPeers, c.maxDials)),
		"WithStrangerLimits":  int64(min(c.maxStrangers, c.strangersOfHost)),
		"WithRequestLimits":   int64(min(c.maxStreams, c.maxIncoming)),
		"WithRequestTimeouts": int64(min(c.requestTimeout, c.quietTimeout)),
		"WithMaxSpawned":      int64(c.maxSpawned),
		"WithDialTimeout":     int64(c.dialTimeout),
		"WithBackoff":         int64(min(c.backoff.min, c.backoff.max)),
		"WithKeepAlive":       int64(min(c.keepAliveInterval, c.keepAliveTimeout)),
		"WithGoodbyeTimeout":  int64(c.goodbyeTimeout),
	} {
		if n <= 0 {
			return fmt.Errorf("%w: %s: the values are positive", ErrBadConfig, name)
		}
	}
	if c.idleTimeout < 0 {
		return fmt.Errorf("%w: WithIdleTimeout: %v is negative; 0 keeps connections for ever", ErrBadConfig, c.idleTimeout)
	}
	if c.backoff.min > c.backoff.max {
		return fmt.Errorf("%w: WithBackoff: the least pause is longer than the longest", ErrBadConfig)
	}
	if c.maxMessage > maxMaxMessageSize {
		return fmt.Errorf("%w: WithMaxMessageSize: at most %d bytes", ErrBadConfig, maxMaxMessageSize)
	}
	if c.tls != nil {
		if err := c.tls.check(); err != nil {
			return fmt.Errorf("%w: %w", ErrBadConfig, err)
		}
	}
	for _, check := range []func() error{c.checkSerializers, c.checkKinds} {
		if err := check(); err != nil {
			return fmt.Errorf("%w: %w", ErrBadConfig, err)
		}
	}
	if c.listen == nil || c.dial == nil {
		return fmt.Errorf("%w: WithListener and WithDialer take a function", ErrBadConfig)
	}
	return nil
}

func listenTCP(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", address)
}

func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}
