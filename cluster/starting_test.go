package cluster_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
	"github.com/granary-go/granary/remote"
)

// tried is a provider that tells of each try to join it.
type tried struct {
	driver.Provider

	joins chan error
}

func (p tried) Join(ctx context.Context, r driver.Request) (driver.Session, error) {
	s, err := p.Provider.Join(ctx, r)
	p.joins <- err
	return s, err
}

// A membership service that comes up after the process does.
func TestStartWaitsForTheService(t *testing.T) {
	t.Parallel()
	w, store := newWorld(t), clustertest.NewRecordStore()
	store.Outage(true)
	provider := tried{store.Provider(record.WithTTL(time.Second)), make(chan error, 100)}
	c := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())),
		cluster.Configure("test", provider, remote.Configure("127.0.0.1", 0), w.kind()))
	started := make(chan error, 1)
	go func() { started <- c.StartContext(t.Context()) }()
	for range 3 {
		if err := <-provider.joins; !errors.Is(err, driver.ErrUnavailable) {
			t.Fatalf("joining without the service: %v", err)
		}
	}
	store.Outage(false)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	w.ends(c)
	add(t, c, "x", 1)
}

// What waiting does not mend is told at once, and what it could have at the end of the wait.
func TestStartWithoutTheService(t *testing.T) {
	t.Parallel()
	w, store := newWorld(t), clustertest.NewRecordStore()
	store.Outage(true)
	start := func(opts ...record.Option) (time.Duration, error) {
		began := time.Now()
		c := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())), cluster.Configure("test", store.Provider(opts...),
			remote.Configure("127.0.0.1", 0), w.kind(), cluster.WithStartTimeout(300*time.Millisecond)))
		err := c.StartContext(t.Context())
		return time.Since(began), err
	}
	took, err := start(record.WithTTL(time.Second))
	if err == nil || !strings.Contains(err.Error(), "the store is down") || !strings.Contains(err.Error(), "WithStartTimeout") {
		t.Errorf("%v; want what could not be reached, and what bounds the wait", err)
	}
	if took < 300*time.Millisecond {
		t.Errorf("gave up after %v", took)
	}
	if _, err := start(record.WithTTL(time.Hour)); err == nil || strings.Contains(err.Error(), "WithStartTimeout") {
		t.Errorf("nonsense was tried again: %v", err)
	}
}
