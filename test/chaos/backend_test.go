package chaos

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	goredis "github.com/redis/go-redis/v9"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/zap"
	"k8s.io/client-go/rest"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/cluster/consul"
	"github.com/granary-go/granary/cluster/consul/consultest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/etcd"
	"github.com/granary-go/granary/cluster/etcd/etcdtest"
	"github.com/granary-go/granary/cluster/k8s"
	"github.com/granary-go/granary/cluster/k8s/k8stest"
	"github.com/granary-go/granary/cluster/mongo"
	"github.com/granary-go/granary/cluster/mongo/mongotest"
	"github.com/granary-go/granary/cluster/record"
	"github.com/granary-go/granary/cluster/redis"
	"github.com/granary-go/granary/cluster/redis/redistest"
	"github.com/granary-go/granary/cluster/zk"
	"github.com/granary-go/granary/cluster/zk/zktest"
	"github.com/granary-go/granary/internal/boottime"
	"github.com/granary-go/granary/test/chaos/history"
	"github.com/granary-go/granary/test/chaos/network"
)

const (
	// On automanaged a member that is silent for this many intervals is taken for dead.
	refresh = 500 * time.Millisecond
	missed  = 4
	// mongoIdle is when connections that a storm has left close: what a process holds is looked at afterwards.
	mongoIdle = 5 * time.Second
	redisIdle = 2 // connections that are kept; the others close when they are of no use
)

// A setting is what a cluster of a run stands on.
type setting struct {
	name    string
	backend string
	lookup  string        // the database that keeps where grains are; without one the members know
	lease   time.Duration // the shortest that the backend has, or three seconds
}

// settings are those of the table.
var settings = []setting{
	{"automanaged", "automanaged", "", missed * refresh},
	{"etcd", "etcd", "", 3 * time.Second},                   // Debian's, 3.4
	{"etcd and partition", "etcd-3.7", "", 3 * time.Second}, // the same lookup, and the newest etcd
	{"etcd and redis", "etcd", "redis", 3 * time.Second},
	{"etcd and mongo", "etcd", "mongo", 3 * time.Second},
	{"zk", "zk", "", 4 * time.Second},
	{"consul", "consul", "", 10 * time.Second},
	{"k8s", "k8s", "", 3 * time.Second},
}

// modes are what the kinds promise.
func (s setting) modes() map[string]history.Mode {
	kept, plain := history.Strict, history.Lease
	if s.backend == "automanaged" { // it has no leases
		kept, plain = history.BestEffort, history.BestEffort
	}
	return map[string]history.Mode{
		registerKind: kept, sumKind: kept, listKind: kept, accountKind: kept,
		tellerKind: plain, tallyKind: plain, briefKind: plain, looseKind: history.BestEffort,
	}
}

// stored are the kinds that keep what they have in a store that compares tokens.
var stored = map[string]bool{registerKind: true, sumKind: true, listKind: true, accountKind: true}

// service is a real server, at an address of the loopback.
type service struct {
	address     string
	stop, again func()
	place       func(member bool) pod // of a member or a client; nil where they need none
}

// pod is where a member on Kubernetes runs.
type pod struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	Token     string `json:"token,omitempty"`
	CA        []byte `json:"ca,omitempty"`
}

// where is a database that keeps where grains are active.
type where struct {
	System  string `json:"system"` // redis or mongo
	Address string `json:"address"`
}

func startService(t *testing.T, backend string) *service {
	switch backend {
	case "etcd", "etcd-3.7":
		v := etcdtest.Oldest
		if backend != "etcd" {
			v = etcdtest.Newest
		}
		s := v.Start(t)
		at, err := url.Parse(s.Endpoint)
		if err != nil {
			t.Fatal(err)
		}
		return &service{address: at.Host, stop: s.Stop, again: func() { s.Restart(t) }}
	case "zk":
		s := zktest.Start(t)
		return &service{address: s.Address, stop: s.Stop, again: func() { s.Restart(t) }}
	case "consul":
		s := consultest.Start(t)
		return &service{address: s.Config().Address, stop: s.Stop, again: func() { s.Restart(t) }}
	case "k8s":
		return startKubernetes(t)
	case "redis":
		s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
		return &service{address: s.Address, stop: s.Stop, again: func() { s.Restart(t) }}
	case "mongo":
		s := mongotest.Start(t)
		return &service{address: s.Address, stop: s.Stop, again: func() { s.Restart(t) }}
	}
	return nil // automanaged, or no lookup of its own
}

func startKubernetes(t *testing.T) *service {
	s := k8stest.Start(t)
	namespace, may, made := s.Namespace(t), s.Config(), 0
	at, err := url.Parse(may.Host)
	if err != nil {
		t.Fatal(err)
	}
	return &service{address: at.Host, stop: s.Stop, again: func() { s.Start(t) }, place: func(member bool) pod {
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
	station := network.Here()
	counted := record.WithClock(clock(r.Rate))
	switch r.Backend {
	case "automanaged":
		var hosts []string
		for _, h := range r.Hosts {
			hosts = append(hosts, net.JoinHostPort(h, strconv.Itoa(pingPort)))
		}
		port := pingPort
		if r.Client {
			port = 0
		}
		return automanaged.NewWithConfig(refresh, port, hosts...).WithMissedPings(missed).WithBindHost(r.Host).
			WithListener(station.Listen).WithDialer(station.Dial), nil
	case "etcd", "etcd-3.7":
		return etcd.New(clientv3.Config{Endpoints: []string{r.Service}, Logger: zap.NewNop()}, etcd.WithTTL(r.Lease), etcd.WithRecord(counted)), nil
	case "zk":
		return zk.New([]string{r.Service}, zk.WithTTL(r.Lease), zk.WithRecord(counted)), nil
	case "consul":
		return consul.New(api.Config{Address: r.Service}, consul.WithTTL(r.Lease), consul.WithRecord(counted)), nil
	case "k8s":
		// The certificate is for the address at which the server listens.
		tls := rest.TLSClientConfig{CAData: r.Pod.CA, ServerName: "127.0.0.1"}
		config := &rest.Config{Host: "https://" + r.Service, BearerToken: r.Pod.Token, TLSClientConfig: tls}
		return k8s.NewWithConfig(config, k8s.WithNamespace(r.Pod.Namespace), k8s.WithPod(r.Pod.Name), k8s.WithTTL(r.Lease), k8s.WithRecord(counted)), nil
	}
	return nil, fmt.Errorf("there is no provider %q", r.Backend)
}

// clock is the time since boot by a clock of another rate; nil for the true one.
func clock(rate float64) func() time.Duration {
	if rate == 0 {
		return nil
	}
	began := boottime.Exact()
	return func() time.Duration { return time.Duration(float64(boottime.Now()-began) * rate) }
}

// option is nil, which changes nothing, without a database.
func (w *where) option() cluster.Option {
	switch {
	case w == nil:
		return nil
	case w.System == "mongo":
		return cluster.WithIdentityLookup(mongo.New(options.Client().ApplyURI("mongodb://" + w.Address).SetMaxConnIdleTime(mongoIdle)))
	}
	return cluster.WithIdentityLookup(redis.New(&goredis.UniversalOptions{Addrs: []string{w.Address}, MaxIdleConns: redisIdle}))
}
