package k8s

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
)

// Defaults of a provider, and where it looks for them in a pod.
const (
	// DefaultLabelPrefix is before the slash in the keys of labels and annotations.
	DefaultLabelPrefix = "granary.dev"
	// EnvPod, EnvPodUID and EnvNamespace are the environment variables that tell a process its pod. The manifests fill
	// them by the downward API, from metadata.name, metadata.uid and metadata.namespace.
	EnvPod       = "POD_NAME"
	EnvPodUID    = "POD_UID"
	EnvNamespace = "POD_NAMESPACE"

	namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
)

// Provider is a [driver.Provider] on Kubernetes. It serves one session at a time.
type Provider struct{ *record.Provider }

var _ driver.Provider = Provider{}

type config struct {
	prefix, namespace, pod, container string
	podUID                            types.UID
	record                            []record.Option
	now                               func() time.Duration
	longestWait                       time.Duration
	started                           func() (time.Time, bool)
}

// Option changes a provider that is being made.
type Option func(*config)

// WithNamespace sets the namespace of the ConfigMap, the Leases and the pods. All members of a cluster need the same.
// Defaults to that of the pod: POD_NAMESPACE, or what the service account's files say.
func WithNamespace(namespace string) Option { return func(c *config) { c.namespace = namespace } }

// WithPod sets the name of the pod that this process runs in; empty is none: then it has no labels, and that its
// container has ended proves nothing. Defaults to POD_NAME, and for [New] to the host's name.
func WithPod(name string) Option {
	return func(c *config) { c.pod, c.podUID = name, "" }
}

// WithContainer names the container that this process runs in. Defaults to the pod's only one.
func WithContainer(name string) Option { return func(c *config) { c.container = name } }

// WithLabelPrefix sets what is before the slash in the keys of labels and annotations: a DNS name of the user's. All
// members of a cluster need the same. Defaults to [DefaultLabelPrefix].
func WithLabelPrefix(prefix string) Option { return func(c *config) { c.prefix = prefix } }

// WithTTL sets the lease time, from a second to ten minutes; a fraction of a second is rounded up. The first start of a
// cluster waits that long. Defaults to [record.DefaultTTL].
func WithTTL(ttl time.Duration) Option { return WithRecord(record.WithTTL(ttl)) }

// WithRecord sets options of package record, for example how long a call may take.
func WithRecord(opts ...record.Option) Option {
	return func(c *config) { c.record = append(c.record, opts...) }
}

// New makes a provider for a process in a pod, which has the pod's service account. Outside of one Join and Observe
// fail.
func New(opts ...Option) Provider {
	host, err := os.Hostname()
	if err != nil {
		host = "" // the pod is not known then, unless an option says it
	}
	return newProvider(host, opts, func() (*rest.Config, error) {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("k8s: this is no pod with a service account; use NewWithConfig elsewhere: %w", err)
		}
		return config, nil
	})
}

// NewWithConfig makes a provider that reaches the API server as a configuration says, for example one that
// clientcmd.BuildConfigFromFlags reads from a kubeconfig. The configuration is not changed, and not to be changed. Outside
// of a pod it needs [WithNamespace].
func NewWithConfig(kubernetes *rest.Config, opts ...Option) Provider {
	return newProvider("", opts, func() (*rest.Config, error) {
		switch {
		case kubernetes == nil:
			return nil, errors.New("k8s: the configuration is nil: take that of clientcmd.BuildConfigFromFlags, or use New in a pod")
		case kubernetes.Host == "":
			return nil, errors.New("k8s: the configuration has no Host: set the API server's address, for example https://10.0.0.1:6443")
		}
		return kubernetes, nil
	})
}

func newProvider(pod string, opts []Option, connect func() (*rest.Config, error)) Provider {
	begun := time.Now()
	c := config{
		prefix: DefaultLabelPrefix, namespace: os.Getenv(EnvNamespace), pod: pod, started: processStart, longestWait: longestWait,
		// It stands still while the machine sleeps: others are taken for dead later, which is safe.
		now: func() time.Duration { return time.Since(begun) },
	}
	if name := os.Getenv(EnvPod); name != "" {
		c.pod, c.podUID = name, types.UID(os.Getenv(EnvPodUID))
	}
	for _, o := range opts {
		if o != nil {
			o(&c)
		}
	}
	open := func(ctx context.Context, r driver.Request, observe bool) (driver.RecordStore, error) {
		kubernetes, err := connect()
		if err != nil {
			return nil, err
		}
		return openStore(ctx, kubernetes, c, r, observe)
	}
	return Provider{record.New(open, c.record...)}
}

// openStore connects a process, and checks that it may do what it must.
func openStore(ctx context.Context, kubernetes *rest.Config, c config, r driver.Request, observe bool) (*store, error) {
	if c.namespace == "" {
		text, _ := os.ReadFile(namespaceFile) // outside of a pod there is none
		c.namespace = strings.TrimSpace(string(text))
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	client, err := newClient(kubernetes, c.namespace)
	if err != nil {
		return nil, fmt.Errorf("k8s: the configuration for %s cannot be used: %w", hostOf(kubernetes.Host), secretsOf(kubernetes).hide(err))
	}
	s := &store{
		client: client, config: c, cluster: r.Cluster, member: r.Member, observes: observe, logger: r.Logger,
		sights: map[types.UID]sight{}, pods: podTable{seen: map[types.UID]podSight{}}, said: map[string]string{},
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// check reports what is wrong with the options.
func (c config) check() error {
	switch {
	case c.namespace == "":
		return errors.New("k8s: the namespace is not known: set it by WithNamespace, or by POD_NAMESPACE")
	case len(validation.IsDNS1123Label(c.namespace)) > 0:
		return fmt.Errorf("k8s: %q is no namespace: %s", c.namespace, strings.Join(validation.IsDNS1123Label(c.namespace), "; "))
	case len(validation.IsDNS1123Subdomain(c.prefix)) > 0:
		return fmt.Errorf("k8s: %q is no prefix of labels: %s", c.prefix, strings.Join(validation.IsDNS1123Subdomain(c.prefix), "; "))
	case c.pod != "" && len(validation.IsDNS1123Subdomain(c.pod)) > 0:
		return fmt.Errorf("k8s: %q is no name of a pod: set WithPod, or WithPod(\"\") for none", c.pod)
	}
	return nil
}
