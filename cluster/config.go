package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
)

// Defaults of a [Config].
const (
	// DefaultRequestTimeout is how long a call goes on when its context has
	// no deadline and no option says otherwise.
	DefaultRequestTimeout = 10 * time.Second
	// DefaultTryTimeout is how long one try waits for its answer when the
	// call may be tried again after that (see WithRetry).
	DefaultTryTimeout = 3 * time.Second
	// DefaultStartTimeout is how long Start waits to be in the view. On a
	// provider that has leases it waits the lease time longer.
	DefaultStartTimeout = 30 * time.Second
	// DefaultShutdownTimeout is how long Shutdown waits for the grains to
	// stop and for the others to take notice.
	DefaultShutdownTimeout = 15 * time.Second
	// DefaultCacheSize is how many locations of grains a process remembers.
	// The least recently used are given up.
	DefaultCacheSize = 1 << 20
)

// Config says how a cluster is made. Configure makes one; New takes a copy.
type Config struct {
	name            string
	provider        driver.Provider
	remote          *remote.Config
	kinds           []*Kind
	known           []*Strategy
	labels          map[string]string
	requestTimeout  time.Duration
	tryTimeout      time.Duration
	startTimeout    time.Duration
	shutdownTimeout time.Duration
	cacheSize       int
	entries         entryLookup
	services        []Service
	observer        *Observer // nil if nobody observes
}

// Option changes a Config while it is made. A [*Kind] is one, and a [*Strategy].
type Option interface{ applyCluster(*Config) }

type option func(*Config)

func (o option) applyCluster(c *Config) { o(c) }

// Configure describes a cluster: the name that its members share, the
// provider that tells who they are, how this process is reached, the kinds
// that it hosts, and options. What is wrong with it, Start says.
func Configure(name string, provider driver.Provider, remoteConfig *remote.Config, opts ...Option) *Config {
	c := &Config{
		name: name, provider: provider, remote: remoteConfig,
		requestTimeout: DefaultRequestTimeout, tryTimeout: DefaultTryTimeout,
		shutdownTimeout: DefaultShutdownTimeout,
		cacheSize:       DefaultCacheSize,
	}
	for _, o := range opts {
		if o != nil {
			o.applyCluster(c)
		}
	}
	return c
}

// WithRequestTimeout bounds calls whose context has no deadline. Defaults to
// [DefaultRequestTimeout].
func WithRequestTimeout(d time.Duration) Option {
	return option(func(c *Config) { c.requestTimeout = d })
}

// WithTryTimeout bounds one try of a call that may run again. Defaults to
// [DefaultTryTimeout].
func WithTryTimeout(d time.Duration) Option {
	return option(func(c *Config) { c.tryTimeout = d })
}

// WithStartTimeout bounds Start. Above a store the first start of a cluster
// waits for one lease time, and so may one at the address of a member that was
// killed: make it longer than that. As long as the service behind the provider
// cannot be reached it is tried again. Defaults to [DefaultStartTimeout], and
// the lease time besides; 0 stands for that.
func WithStartTimeout(d time.Duration) Option {
	return option(func(c *Config) { c.startTimeout = d })
}

// WithShutdownTimeout bounds Shutdown. Defaults to [DefaultShutdownTimeout].
func WithShutdownTimeout(d time.Duration) Option {
	return option(func(c *Config) { c.shutdownTimeout = d })
}

// WithCacheSize bounds the locations of grains that are remembered. Defaults
// to [DefaultCacheSize].
func WithCacheSize(entries int) Option {
	return option(func(c *Config) { c.cacheSize = entries })
}

// Limits of a member's labels.
const (
	// MaxLabels is how many a member carries.
	MaxLabels = 64
	// MaxLabelLength bounds a label's name and its value, in bytes.
	MaxLabelLength = 512
)

// WithLabels describes this member to the others, within [MaxLabels] and
// [MaxLabelLength]: names and values are valid UTF-8, a value may be empty.
// Kinds are pinned to labels by [OnMembersWith], and a [Strategy] may go by them.
func WithLabels(labels map[string]string) Option {
	return option(func(c *Config) { c.labels = maps.Clone(labels) })
}

func (c *Config) validate() error {
	var errs []error
	if strings.TrimSpace(c.name) == "" {
		errs = append(errs, errors.New("the cluster's name is empty: members that share a name find each other"))
	}
	if c.provider == nil {
		errs = append(errs, errors.New("no membership provider: automanaged.New() needs no outside service"))
	}
	if c.remote == nil {
		errs = append(errs, errors.New("no remote configuration: remote.Configure(host, port) makes one"))
	}
	errs = append(errs, c.validateKinds()...)
	for _, t := range []struct {
		what string
		d    time.Duration
	}{{"request", c.requestTimeout}, {"try", c.tryTimeout}, {"start", c.startPatience()}, {"shutdown", c.shutdownTimeout}} {
		if t.d <= 0 {
			errs = append(errs, fmt.Errorf("the %s timeout is %v: it must be positive", t.what, t.d))
		}
	}
	if err := c.validateStrategies(); err != nil {
		errs = append(errs, err)
	}
	if err := checkLabels(c.labels); err != nil {
		errs = append(errs, err)
	}
	if err := c.entries.validate(); err != nil {
		errs = append(errs, err)
	}
	var all error
	for _, err := range errs {
		if all == nil {
			all = fmt.Errorf("cluster: configuration: %w", err)
		} else {
			all = fmt.Errorf("%w; %w", all, err)
		}
	}
	return all
}

func (c *Config) validateKinds() (errs []error) {
	seen := make(map[string]bool)
	for _, k := range c.kinds {
		if err := k.validate(); err != nil {
			errs = append(errs, err)
			continue
		}
		if err := k.servedBy(c.provider); err != nil {
			errs = append(errs, err)
		}
		if seen[k.name] {
			errs = append(errs, fmt.Errorf("kind %q is registered twice", k.name))
		}
		seen[k.name] = true
	}
	return errs
}

// checkLabels reports what a member cannot carry.
func checkLabels(labels map[string]string) error {
	if len(labels) > MaxLabels {
		return fmt.Errorf("%d labels are more than a member carries: the limit is %d", len(labels), MaxLabels)
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		value := labels[key]
		switch {
		case key == "":
			return fmt.Errorf("a label has no name, only the value %.40q", value)
		case len(key) > MaxLabelLength || len(value) > MaxLabelLength:
			return fmt.Errorf("label %.40q has %d bytes and a value of %d: the limit is %d each", key, len(key), len(value), MaxLabelLength)
		case !utf8.ValidString(key) || !utf8.ValidString(value):
			return fmt.Errorf("label %q=%q is not valid UTF-8", key, value)
		}
	}
	return nil
}

// describedKinds are the kinds that this member hosts, as the view shows them.
func (c *Config) describedKinds() []driver.Kind {
	kinds, leases := make([]driver.Kind, 0, len(c.kinds)), c.provider.Leases()
	for _, k := range c.kinds {
		if k.hostedWith(c.labels) {
			kinds = append(kinds, k.described(leases))
		}
	}
	slices.SortFunc(kinds, func(a, b driver.Kind) int { return strings.Compare(a.Name, b.Name) })
	return kinds
}

// tellPinned logs which kinds a member does not host.
func (c *Config) tellPinned(logger *slog.Logger) {
	for _, k := range c.kinds {
		if !k.hostedWith(c.labels) {
			logger.Info("cluster: this member does not host a kind, because it does not carry the kind's labels",
				"kind", k.name, "wanted", k.labels, "carried", c.labels)
		}
	}
}
