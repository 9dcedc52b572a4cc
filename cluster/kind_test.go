package cluster_test

import (
	"strings"
	"testing"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
)

// leasing is a provider that says it has leases, and nothing else.
type leasing struct{ driver.Provider }

func (leasing) Leases() bool { return true }

// fenced is a store that nobody asks.
type fenced struct{ driver.FencedStore }

func TestGuaranteesThatCannotBeGiven(t *testing.T) {
	w := newWorld(t)
	props := actor.PropsFromFunc(func(actor.Context) {})
	for _, c := range []struct {
		what     string
		provider driver.Provider
		option   cluster.KindOption
		want     []string
	}{
		{"lease without leases", w.registry.Provider(), cluster.WithLease(), []string{`"K"`, "lease", "etcd", "WithBestEffort"}},
		{"strict without leases", w.registry.Provider(), cluster.WithStrict(fenced{}), []string{`"K"`, "strict", "etcd"}},
		{"strict without a store", leasing{w.registry.Provider()}, cluster.WithStrict(nil), []string{`"K"`, "WithStrict", "store"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			err := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())),
				cluster.Configure("x", c.provider, remote.Configure("127.0.0.1", 0), cluster.NewKind("K", props, c.option))).Start()
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Start: %v; want an error that says %q", err, want)
				}
			}
		})
	}
}

func TestGuaranteesInTheView(t *testing.T) {
	props := actor.PropsFromFunc(func(actor.Context) {})
	for _, c := range []struct {
		what    string
		leases  bool
		options []cluster.KindOption
		want    driver.Guarantee
	}{
		{"default without leases", false, nil, driver.BestEffort},
		{"default with leases", true, nil, driver.Leased},
		{"best effort with leases", true, []cluster.KindOption{cluster.WithBestEffort()}, driver.BestEffort},
		{"lease", true, []cluster.KindOption{cluster.WithLease()}, driver.Leased},
		{"strict", true, []cluster.KindOption{cluster.WithStrict(fenced{})}, driver.Strict},
		{"the last one counts", true, []cluster.KindOption{cluster.WithStrict(nil), cluster.WithLease()}, driver.Leased},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t)
			provider := w.registry.Provider()
			if c.leases {
				provider = w.registry.LeasedProvider(clustertest.NewLease())
			}
			member := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())), cluster.Configure("test", provider,
				remote.Configure("127.0.0.1", 0), cluster.NewKind("K", props, c.options...)))
			if err := member.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = member.Shutdown(false) }()
			kind, _ := member.Members()[0].Kind("K")
			if kind.Guarantee != c.want {
				t.Errorf("the view says %q; want %q", kind.Guarantee, c.want)
			}
		})
	}
}
