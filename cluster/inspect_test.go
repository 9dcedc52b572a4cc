package cluster_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup/partition"
)

func TestInspect(t *testing.T) {
	w := newWorld(t)
	c := w.make(w.kind())
	inspect := c.Inspect()
	if err := inspect.Err(); !errors.Is(err, cluster.ErrNotStarted) || inspect.Failed() || inspect.Joined() || inspect.Active() != 0 {
		t.Errorf("before the start: %v", err)
	}
	if inspect.Traffic().Connections != 0 {
		t.Error("connections before the start")
	}
	if err := c.StartContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range identities(5) {
		add(t, c, id, 1)
	}
	add(t, c, "counter-3", 1)
	var seen []string
	for a := range inspect.Activations() {
		seen = append(seen, a.Identity)
		want := uint64(1)
		if a.Identity == "counter-3" {
			want = 2
		}
		if a.Kind != counterKind || a.Handled != want || a.Token.IsZero() {
			t.Errorf("%+v, want %d handled", a, want)
		}
	}
	slices.Sort(seen)
	if !slices.Equal(seen, identities(5)) || inspect.Active() != 5 || !inspect.Joined() || inspect.Err() != nil {
		t.Errorf("%v, %v", seen, inspect.Err())
	}
	slots, err := inspect.Slots(partition.Key{})
	if err != nil {
		t.Fatal(err)
	}
	load, err := slots.Load(t.Context())
	if err != nil || load.Open != 4096 || len(load.Acquiring) != 0 || load.Entries != 5 || load.Epoch != c.View().Epoch {
		t.Errorf("%+v, %v", load, err)
	}
	if err := c.Shutdown(true); err != nil {
		t.Fatal(err)
	}
	if !inspect.Failed() || !errors.Is(inspect.Err(), cluster.ErrShutdown) || inspect.Active() != 0 {
		t.Errorf("after the end: %v, %d active", inspect.Err(), inspect.Active())
	}
}

// A survey counts also what has ended, and names those with much to do.
func TestSurvey(t *testing.T) {
	w := newWorld(t)
	c := w.member()
	for _, id := range identities(80) {
		add(t, c, id, 1)
	}
	first := c.Inspect().Survey()
	if k := first.Kinds[counterKind]; k.Active != 80 || k.Activated != 80 || k.Handled != 80 || len(first.Busiest) != 50 || first.Over <= 0 || first.Over > time.Minute {
		t.Errorf("%+v, %d named", k, len(first.Busiest))
	}
	add(t, c, "counter-1", 1)
	if again := c.Inspect().Survey(); again.Kinds[counterKind].Handled != 80 || !again.At.Equal(first.At) {
		t.Error("surveys are made as often as somebody looks")
	}
	for range 9 {
		add(t, c, "counter-7", 1)
	}
	stop(t, c, "counter-2")
	var next cluster.Survey
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for next = c.Inspect().Survey(); next.At.Equal(first.At); next = c.Inspect().Survey() {
		<-tick.C
	}
	k := next.Kinds[counterKind]
	if k.Active != 79 || k.Activated != 80 || k.Handled < 90 || next.Over < time.Second {
		t.Errorf("%+v over %v", k, next.Over)
	}
	if len(next.Busiest) != 2 || next.Busiest[0].Identity != "counter-7" || next.Busiest[0].Lately != 9 || next.Busiest[0].Handled != 10 || next.Busiest[1].Lately != 1 {
		t.Errorf("%+v", next.Busiest)
	}
}

// stop stops a grain and waits until it is gone.
func stop(t *testing.T, c *cluster.Cluster, identity string) {
	t.Helper()
	if err := c.ActorSystem().Root.PoisonFuture(c.Get(identity, counterKind)).Wait(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		gone := true
		for a := range c.Inspect().Activations() {
			gone = gone && a.Identity != identity
		}
		if gone {
			return
		}
		<-tick.C
	}
}

func TestDrain(t *testing.T) {
	w := newWorld(t)
	a, b := w.member(), w.member()
	sees(t, a, 2)
	sees(t, b, 2)
	for _, id := range identities(40) {
		add(t, a, id, 1)
	}
	had := b.Inspect().Active()
	for range 2 {
		if err := b.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	until(t, a, func() bool { return a.Members()[1].State == driver.Leaving })
	if why := b.Inspect().Unready(t.Context()); len(why) != 1 || !strings.Contains(why[0], "leaving") {
		t.Errorf("%q", why)
	}
	for _, id := range identities(80) {
		add(t, b, id, 1)
	}
	if n := b.Inspect().Active(); n != had {
		t.Errorf("%d grains on the drained member, had %d", n, had)
	}
	if err := b.Shutdown(true); err != nil {
		t.Error(err)
	}
	if err := b.Drain(t.Context()); !errors.Is(err, cluster.ErrShutdown) {
		t.Error(err)
	}
	if err := w.client().Drain(t.Context()); err == nil || !strings.Contains(err.Error(), "no member") {
		t.Errorf("a client drains: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.member().Drain(ended); err == nil {
		t.Error("drained in no time")
	}
}

// A service begins with the cluster and ends with it, also where the start fails.
func TestService(t *testing.T) {
	w := newWorld(t)
	var began, ended int
	service := cluster.WithService(func(c *cluster.Cluster, r grpc.ServiceRegistrar) func() {
		if c == nil || r == nil {
			t.Error("nothing to register with")
		}
		began++
		return func() { ended++ }
	})
	c := w.make(w.kind(), service, cluster.WithService(nil), cluster.WithService(func(*cluster.Cluster, grpc.ServiceRegistrar) func() { return nil }))
	if err := c.StartContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if began != 1 || ended != 0 {
		t.Errorf("began %d times, ended %d", began, ended)
	}
	if err := c.Shutdown(true); err != nil || ended != 1 {
		t.Errorf("ended %d times, %v", ended, err)
	}
	none, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.make(w.kind(), service).StartContext(none); err == nil || began != 2 || ended != 2 {
		t.Errorf("a failed start: %v; began %d times, ended %d", err, began, ended)
	}
}

// A service that is given twice, or has the name of another, makes the start fail.
func TestServiceTwice(t *testing.T) {
	w := newWorld(t)
	ended := 0
	named := func(name string) cluster.Option {
		return cluster.WithService(func(_ *cluster.Cluster, r grpc.ServiceRegistrar) func() {
			r.RegisterService(&grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil)}, struct{}{})
			return func() { ended++ }
		})
	}
	for _, name := range []string{"a", "granary.remote.v1.Remoting"} {
		ended = 0
		err := w.make(w.kind(), named("a"), named(name)).StartContext(t.Context())
		if err == nil || !strings.Contains(err.Error(), "cluster: the service "+name+" is registered twice") {
			t.Errorf("%s: %v", name, err)
		}
		if ended != 2 {
			t.Errorf("%d have ended", ended)
		}
	}
}
