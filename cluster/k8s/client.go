package k8s

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

const (
	userAgent = "granary"
	protobuf  = "application/vnd.kubernetes.protobuf"
	// A connection on which nothing came for pingAfter is probed, and closed if there is no answer within pingTimeout:
	// calls share one, and would wait on one that is dead until the lease has ended.
	pingAfter   = 2 * time.Second
	pingTimeout = 2 * time.Second
	dialTimeout = 5 * time.Second
)

// errNonsense is about an answer that no API server gives.
var errNonsense = errors.New("the answer is not one of a Kubernetes API server")

// client speaks to an API server about the objects of one namespace. It is written on the REST client, and not on the
// clientset, because that takes minutes to compile for what is used of it here.
type client struct {
	core, coordination rest.Interface
	codec              runtime.ParameterCodec
	namespace          string
	host               string // for people; without credentials
	secrets            secrets
	own                *http.Transport // nil where the configuration brought its own
}

// resource is what can be asked for.
type resource struct{ group, plural string }

var (
	configMaps = resource{"", "configmaps"}
	leases     = resource{"coordination.k8s.io", "leases"}
	pods       = resource{"", "pods"}
)

// String is the resource as RBAC names it.
func (r resource) String() string {
	if r.group == "" {
		return r.plural
	}
	return r.plural + "." + r.group
}

// newClient connects to nothing yet. The configuration is copied.
func newClient(config *rest.Config, namespace string) (*client, error) {
	c := rest.CopyConfig(config)
	c.Timeout = 0 // would end watches; each call has a context
	c.UserAgent = cmp.Or(c.UserAgent, userAgent)
	c.WarningHandler, c.WarningHandlerWithContext = rest.NoWarnings{}, nil
	if c.QPS == 0 && c.RateLimiter == nil {
		c.QPS = -1 // a renewal does not wait in a queue; calls are few
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), coordinationv1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	c.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	if c.ContentType == "" {
		c.ContentType, c.AcceptContentTypes = protobuf, protobuf+",application/json"
	}
	transport, own, err := newTransport(c)
	if err != nil {
		return nil, err
	}
	client := &client{codec: runtime.NewParameterCodec(scheme), namespace: namespace, host: hostOf(c.Host),
		secrets: secretsOf(c), own: own}
	open := func(path string, version schema.GroupVersion) (rest.Interface, error) {
		c.APIPath, c.GroupVersion = path, &version
		return rest.RESTClientForConfigAndClient(c, &http.Client{Transport: transport})
	}
	var errCore, errCoordination error
	client.core, errCore = open("/api", corev1.SchemeGroupVersion)
	client.coordination, errCoordination = open("/apis", coordinationv1.SchemeGroupVersion)
	return client, errors.Join(errCore, errCoordination)
}

// newTransport makes connections that belong to this client alone, where the configuration does not bring its own.
func newTransport(c *rest.Config) (wrapped http.RoundTripper, own *http.Transport, err error) {
	base := c.Transport
	if base == nil {
		tls, err := rest.TLSConfigFor(c)
		if err != nil {
			return nil, nil, err
		}
		own = &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSClientConfig: tls, TLSHandshakeTimeout: dialTimeout, DisableCompression: c.DisableCompression,
			ForceAttemptHTTP2: true, HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		}
		if c.Proxy != nil {
			own.Proxy = c.Proxy
		}
		if c.Dial != nil {
			own.DialContext = c.Dial
		}
		base = own
	}
	wrapped, err = rest.HTTPWrappersForConfig(c, base)
	return wrapped, own, err
}

// hostOf leaves out what somebody may have put into an address, with a scheme or without, that is nobody's business.
func hostOf(address string) string {
	address = strings.Replace(address, userOf(address), "", 1)
	if i := strings.IndexAny(address, "?#"); i >= 0 {
		address = address[:i]
	}
	return address
}

// userOf gives the user and the password in an address, with the @ behind them; empty if there are none.
func userOf(address string) string {
	if _, rest, found := strings.Cut(address, "://"); found {
		address = rest
	}
	return address[:strings.LastIndexByte(address, '@')+1]
}

func (c *client) close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// quiet keeps the REST client from printing what it also returns.
func quiet(ctx context.Context) context.Context { return klog.NewContext(ctx, klog.New(nil)) }

func (c *client) of(r resource) rest.Interface {
	if r == leases {
		return c.coordination
	}
	return c.core
}

// send makes a request, once: pauses and further tries are those of package record.
func (c *client) send(ctx context.Context, request *rest.Request, into runtime.Object) error {
	if err := request.MaxRetries(0).Do(quiet(ctx)).Into(into); err != nil {
		return err
	}
	return sound(into)
}

// sound checks that an answer was filled in. An answer of another kind than was asked for leaves it empty.
func sound(object runtime.Object) error {
	switch o := object.(type) {
	case metav1.ListInterface:
		if o.GetResourceVersion() == "" {
			return fmt.Errorf("%w: a list without resourceVersion", errNonsense)
		}
	case metav1.Object:
		if o.GetResourceVersion() == "" || o.GetUID() == "" {
			return fmt.Errorf("%w: an object without resourceVersion or uid", errNonsense)
		}
	}
	return nil
}

func (c *client) list(ctx context.Context, r resource, options metav1.ListOptions, into runtime.Object) error {
	return c.send(ctx, c.of(r).Get().Namespace(c.namespace).Resource(r.plural).VersionedParams(&options, c.codec), into)
}

func (c *client) get(ctx context.Context, r resource, name string, into runtime.Object) error {
	return c.send(ctx, c.of(r).Get().Namespace(c.namespace).Resource(r.plural).Name(name), into)
}

func (c *client) create(ctx context.Context, r resource, object, into runtime.Object) error {
	return c.send(ctx, c.of(r).Post().Namespace(c.namespace).Resource(r.plural).Body(object), into)
}

// update replaces an object if it has the resourceVersion and the uid of the new one. The uid is needed: an update of a
// Lease that is gone would make it anew.
func (c *client) update(ctx context.Context, r resource, object metav1.Object, into runtime.Object) error {
	body, ok := object.(runtime.Object)
	if !ok || object.GetUID() == "" || object.GetResourceVersion() == "" {
		return fmt.Errorf("k8s: an update of %s %s without condition", r, object.GetName())
	}
	return c.send(ctx, c.of(r).Put().Namespace(c.namespace).Resource(r.plural).Name(object.GetName()).Body(body), into)
}

// remove deletes an object if it has this uid and, unless empty, this resourceVersion.
func (c *client) remove(ctx context.Context, r resource, name string, uid types.UID, version string) error {
	options := &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}
	if version != "" {
		options.Preconditions.ResourceVersion = &version
	}
	answer, err := c.of(r).Delete().Namespace(c.namespace).Resource(r.plural).Name(name).Body(options).MaxRetries(0).Do(quiet(ctx)).Get()
	if err != nil {
		return err
	}
	if status, is := answer.(*metav1.Status); !is || status.Status != metav1.StatusSuccess {
		return fmt.Errorf("%w: a deletion that was not said to be done", errNonsense)
	}
	return nil
}

// patch merges a change into an object's metadata.
func (c *client) patch(ctx context.Context, r resource, name string, metadata any) error {
	body, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return err
	}
	return c.of(r).Patch(types.MergePatchType).Namespace(c.namespace).Resource(r.plural).Name(name).Body(body).MaxRetries(0).Do(quiet(ctx)).Error()
}

// watch follows what happens after a resourceVersion. Whoever gets it stops it.
func (c *client) watch(ctx context.Context, r resource, options metav1.ListOptions) (watch.Interface, error) {
	options.Watch = true
	return c.of(r).Get().Namespace(c.namespace).Resource(r.plural).VersionedParams(&options, c.codec).MaxRetries(0).Watch(quiet(ctx))
}
