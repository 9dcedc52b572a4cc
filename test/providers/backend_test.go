package providers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"k8s.io/client-go/rest"

	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/cluster/consul"
	"github.com/granary-go/granary/cluster/consul/consultest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/etcd"
	"github.com/granary-go/granary/cluster/etcd/etcdtest"
	"github.com/granary-go/granary/cluster/k8s"
	"github.com/granary-go/granary/cluster/k8s/k8stest"
	"github.com/granary-go/granary/cluster/zk"
	"github.com/granary-go/granary/cluster/zk/zktest"
	"github.com/granary-go/granary/test/fleet"
)

const (
	// On automanaged a member that is silent for this many intervals is taken for dead.
	refresh = 500 * time.Millisecond
	missed  = 4
)

// backend is a membership provider and how its service is had.
type backend struct {
	name string
	// lease is the lease time that members ask for: what the documentation recommends. On automanaged it is the time after
	// which a silent member is taken for dead.
	lease time.Duration
	start func(*testing.T) service
}

// service is the real server behind a provider.
type service struct {
	address            string                // of several, with commas between
	stop, again, empty func()                // nil where there is none
	place              func(member bool) pod // of a member or a client; nil where they need none
}

// pod is where a member on Kubernetes runs.
type pod struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	Token     string `json:"token,omitempty"`
	CA        []byte `json:"ca,omitempty"`
}

// backends are all of them, in the order of the table.
var backends = []backend{
	{"automanaged", missed * refresh, func(*testing.T) service { return service{} }},
	{"etcd", 10 * time.Second, startEtcd},
	{"zk", 10 * time.Second, startZooKeeper},
	{"consul", 10 * time.Second, startConsul},
	{"k8s", 10 * time.Second, startKubernetes},
}

func startEtcd(t *testing.T) service {
	s := etcdtest.Start(t)
	return service{address: s.Endpoint, stop: s.Stop, again: func() { s.Restart(t) }, empty: func() {
		if _, err := s.Client(t).Delete(t.Context(), "", clientv3.WithPrefix()); err != nil {
			t.Fatal(err)
		}
	}}
}

func startZooKeeper(t *testing.T) service {
	s := zktest.Start(t)
	return service{address: s.Address, stop: s.Stop, again: func() { s.Restart(t) }, empty: func() { s.Empty(t) }}
}

func startConsul(t *testing.T) service {
	s := consultest.Start(t)
	return service{address: s.Config().Address, stop: s.Stop, again: func() { s.Restart(t) }, empty: func() { s.Empty(t) }}
}

func startKubernetes(t *testing.T) service {
	s := k8stest.Start(t)
	namespace := s.Namespace(t)
	may := s.Config()
	made := 0
	return service{address: may.Host, stop: s.Stop, again: func() { s.Start(t) }, empty: func() { s.Empty(t) }, place: func(member bool) pod {
		p := pod{Namespace: namespace, Token: may.BearerToken, CA: may.CAData}
		if member {
			made++
			p.Name = fmt.Sprint("member-", made)
			s.Pod(t, namespace, p.Name, nil)
		}
		return p
	}}
}

// provide makes the provider of a process.
func provide(r role) (driver.Provider, error) {
	switch r.Backend {
	case "automanaged":
		p := automanaged.NewWithConfig(refresh, r.PingPort, r.Hosts...).WithMissedPings(missed)
		if r.PingPort != 0 {
			p = p.WithListener(fleet.Inherited())
		}
		return p, nil
	case "etcd":
		return etcd.New(clientv3.Config{Endpoints: strings.Split(r.Address, ","), Logger: zap.NewNop()}, etcd.WithTTL(r.Lease)), nil
	case "zk":
		return zk.New(strings.Split(r.Address, ","), zk.WithTTL(r.Lease)), nil
	case "consul":
		return consul.New(api.Config{Address: r.Address}, consul.WithTTL(r.Lease)), nil
	case "k8s":
		config := &rest.Config{Host: r.Address, BearerToken: r.Pod.Token, TLSClientConfig: rest.TLSClientConfig{CAData: r.Pod.CA}}
		return k8s.NewWithConfig(config, k8s.WithNamespace(r.Pod.Namespace), k8s.WithPod(r.Pod.Name), k8s.WithTTL(r.Lease)), nil
	}
	return nil, fmt.Errorf("there is no provider %q", r.Backend)
}
