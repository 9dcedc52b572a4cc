package k8s

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/k8s/k8stest"
	"github.com/granary-go/granary/internal/membertest"
)

func within(t *testing.T) context.Context { return membertest.Within(t) }

// bench is a cluster of a test: a namespace of the shared server.
type bench struct {
	*k8stest.Server

	t         *testing.T
	namespace string
	config    *rest.Config
}

func newBench(t *testing.T) *bench {
	t.Helper()
	return benchOn(t, k8stest.Shared(t))
}

func benchOn(t *testing.T, server *k8stest.Server) *bench {
	return &bench{Server: server, t: t, namespace: server.Namespace(t), config: server.Config()}
}

// patient lets a Wait last until the test is over: what ends it sooner is what it waits for.
func patient(c *config) { c.longestWait = time.Hour }

// store opens a store of the cluster "shop", which ends with the test.
func (b *bench) store(change ...func(*config)) *store {
	b.t.Helper()
	s, err := open(within(b.t), b.config, b.namespace, "shop", change...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return s
}

func (b *bench) read(s *store) driver.Record {
	b.t.Helper()
	r, err := s.Read(within(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// alive expects who a store takes for alive.
func (b *bench) alive(s *store, when string, want ...driver.MemberID) driver.Record {
	b.t.Helper()
	r := b.read(s)
	for _, id := range want {
		if _, is := r.Alive[id]; !is {
			b.t.Errorf("%s: %s is not alive", when, id)
		}
	}
	if len(r.Alive) != len(want) {
		b.t.Errorf("%s: alive are %q; want %q", when, r.Alive, want)
	}
	return r
}

func (b *bench) register(s *store, id driver.MemberID, ttl time.Duration) {
	b.t.Helper()
	granted, err := s.Register(within(b.t), id, []byte("it"), ttl)
	if err != nil {
		b.t.Fatal(err)
	}
	if granted < ttl {
		b.t.Errorf("granted are %v of %v", granted, ttl)
	}
}

func (b *bench) renew(s *store) {
	b.t.Helper()
	if _, err := s.Renew(within(b.t)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) lost(s *store, when string) {
	b.t.Helper()
	if _, err := s.Renew(within(b.t)); !errors.Is(err, driver.ErrLeaseLost) {
		b.t.Errorf("Renew %s: %v; want %v", when, err, driver.ErrLeaseLost)
	}
}

func (b *bench) leasePath(name string) string {
	return "/apis/coordination.k8s.io/v1/namespaces/" + b.namespace + "/leases/" + name
}

// lease gives the Lease of a member as it is stored; nil if there is none.
func (b *bench) lease(id string) *coordinationv1.Lease {
	b.t.Helper()
	var l coordinationv1.Lease
	if err := b.Try(b.t, http.MethodGet, b.leasePath(leaseName("shop", id)), nil, &l); err != nil {
		return nil
	}
	return &l
}

// clock is a store's clock that a test sets.
type clock struct{ at atomic.Int64 }

func (c *clock) add(d time.Duration) { c.at.Add(int64(d)) }

func (c *clock) set(with *config) {
	with.now = func() time.Duration { return time.Duration(c.at.Load()) }
}

// gate holds back requests of one process.
type gate struct {
	mu    sync.Mutex // guards the fields below
	holds func(*http.Request) bool
	held  chan struct{} // closed when a request is held
	free  chan struct{} // closed when it may go on
}

// hold holds the next request of a method, until the function that it gives is called; reached waits until there is one.
func (g *gate) hold(t *testing.T, method string) (reached, release func()) {
	held, free := make(chan struct{}), make(chan struct{})
	g.mu.Lock()
	g.held, g.free = held, free
	g.holds = func(r *http.Request) bool { return r.Method == method }
	g.mu.Unlock()
	release = sync.OnceFunc(func() { close(free) })
	t.Cleanup(release)
	return func() {
		select {
		case <-held:
		case <-within(t).Done():
			t.Fatalf("no %s came", method)
		}
	}, release
}

// through gives a configuration whose requests come to the gate.
func (g *gate) through(c *rest.Config) *rest.Config {
	c = rest.CopyConfig(c)
	c.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			g.mu.Lock()
			held, free := g.held, g.free
			holds := g.holds != nil && g.holds(r)
			if holds {
				g.holds = nil
			}
			g.mu.Unlock()
			if holds {
				close(held)
				<-free
			}
			return next.RoundTrip(r)
		})
	})
	return c
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// later runs a call beside the test, and gives its error when asked.
func later(call func() error) (result func() error) {
	done := make(chan error, 1)
	go func() { done <- call() }()
	return sync.OnceValue(func() error { return <-done })
}
