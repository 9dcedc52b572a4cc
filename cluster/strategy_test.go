package cluster_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/remote"
)

// counters makes the kind of counters with options.
func (w *world) counters(opts ...cluster.KindOption) *cluster.Kind {
	return cluster.NewKind(counterKind, actor.PropsFromProducer(func() actor.Actor { return &counter{world: w} }), opts...)
}

// hosted counts the identities by the address of the member that hosts them.
func hosted(t *testing.T, c *cluster.Cluster, ids []string) map[string]int {
	t.Helper()
	at := make(map[string]int)
	for _, id := range ids {
		at[where(t, c, id)]++
	}
	return at
}

func TestLocalAffinity(t *testing.T) {
	w := newWorld(t)
	var members []*cluster.Cluster
	for range 3 {
		members = append(members, w.member(w.counters(cluster.WithStrategy(cluster.LocalAffinity()))))
	}
	for _, c := range members {
		sees(t, c, 3)
	}
	ids := identities(60)
	for i, c := range members {
		at := hosted(t, c, ids[20*i:20*(i+1)])
		if at[c.ActorSystem().Address()] != 20 {
			t.Errorf("member %d called 20 grains; they are at %v, it is at %s", i, at, c.ActorSystem().Address())
		}
	}
	client := w.client()
	sees(t, client, 3)
	if at := hosted(t, client, []string{"c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11", "c12"}); len(at) < 2 {
		t.Errorf("a client's grains are all on one member: %v", at)
	}
	// A grain that is active stays, whoever calls it.
	if at := hosted(t, members[1], ids[:20]); at[members[0].ActorSystem().Address()] != 20 {
		t.Errorf("grains moved: %v", at)
	}
}

// A member that does not host the kind places it by the strategy, if it knows
// it; if not, round robin with a warning.
func TestOwnersThatDoNotHostTheKind(t *testing.T) {
	last := cluster.NewStrategy("last", func(p cluster.Placement) int { return len(p.Members) - 1 })
	for _, knows := range []bool{true, false} {
		w := newWorld(t)
		var log bytes.Buffer
		options := []cluster.Option{cluster.NewKind("Other", actor.PropsFromFunc(func(actor.Context) {}))}
		if knows {
			options = append(options, last)
		}
		owner := cluster.New(actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))),
			cluster.Configure("test", w.registry.Provider(), remote.Configure("127.0.0.1", 0), options...))
		if err := owner.Start(); err != nil {
			t.Fatal(err)
		}
		var members []*cluster.Cluster
		for range 2 {
			members = append(members, w.member(w.counters(cluster.WithStrategy(last))))
		}
		for _, c := range append(members, owner) {
			sees(t, c, 3)
		}
		at := hosted(t, owner, identities(60))
		if err := owner.Shutdown(false); err != nil {
			t.Error(err)
		}
		warned := strings.Count(log.String(), "strategy failed")
		if knows && (at[members[1].ActorSystem().Address()] != 60 || warned != 0) {
			t.Errorf("placed at %v with %d warnings; want all on %s", at, warned, members[1].ActorSystem().Address())
		}
		if !knows && (len(at) != 2 || warned != 1 || !strings.Contains(log.String(), "strategy=last")) {
			t.Errorf("placed at %v with %d warnings; want both members and one:\n%s", at, warned, &log)
		}
	}
}

func TestStrategyIsToldWhatItChoosesBy(t *testing.T) {
	w := newWorld(t)
	asked := make(chan cluster.Placement, 1)
	s := cluster.NewStrategy("mine", func(p cluster.Placement) int {
		p.Members = slices.Clone(p.Members)
		asked <- p
		return p.RoundRobin()
	})
	c := w.member(w.counters(cluster.WithStrategy(s)), cluster.WithLabels(map[string]string{"zone": "a"}))
	add(t, c, "x", 1)
	p := <-asked
	if p.Identity != "x" || p.Kind != counterKind || p.Caller != c.MemberID() || len(p.Members) != 1 || p.Members[0].Labels["zone"] != "a" {
		t.Errorf("asked with %+v", p)
	}
	if kind, _ := c.Members()[0].Kind(counterKind); kind.Strategy != "mine" || s.Name() != "mine" {
		t.Errorf("the view says %q", kind.Strategy)
	}
}

func TestRoundRobinIsTheDefaultInTheView(t *testing.T) {
	w := newWorld(t)
	w.member(w.kind())
	w.member(w.counters(cluster.WithStrategy(cluster.RoundRobin())))
	for _, m := range w.registry.View().Members {
		if kind, _ := m.Kind(counterKind); kind.Strategy != "" {
			t.Errorf("%q; want the default", kind.Strategy)
		}
	}
}

func TestStrategiesThatMakeNoSense(t *testing.T) {
	w := newWorld(t)
	first := func(cluster.Placement) int { return 0 }
	for _, c := range []struct {
		want   string
		option cluster.Option
	}{
		{"a strategy is nil", w.counters(cluster.WithStrategy(nil))},
		{"a strategy is nil", (*cluster.Strategy)(nil)},
		{"0 bytes", cluster.NewStrategy("", first)},
		{"129 bytes", cluster.NewStrategy(strings.Repeat("x", cluster.MaxStrategyLength+1), first)},
		{"UTF-8", cluster.NewStrategy("\xff", first)},
		{"built-in", cluster.NewStrategy("local-affinity", first)},
		{"no function", cluster.NewStrategy("s", nil)},
	} {
		if err := w.make(w.kindNamed("K"), c.option).Start(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Start: %v; want an error that says %q", err, c.want)
		}
	}
	err := w.make(w.counters(cluster.WithStrategy(cluster.NewStrategy("s", first))), cluster.NewStrategy("s", first)).Start()
	if err == nil || !strings.Contains(err.Error(), `two strategies are called "s"`) {
		t.Errorf("Start: %v", err)
	}
}

func (w *world) kindNamed(name string) *cluster.Kind {
	return cluster.NewKind(name, actor.PropsFromFunc(func(actor.Context) {}))
}

func TestKindsPinnedToLabels(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	program := func(labels map[string]string) []cluster.Option {
		return []cluster.Option{
			w.counters(cluster.OnMembersWith(map[string]string{"gpu": "yes"}), cluster.OnMembersWith(map[string]string{"zone": "a"})),
			cluster.WithLabels(labels),
		}
	}
	plain := cluster.New(actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))),
		cluster.Configure("test", w.registry.Provider(), remote.Configure("127.0.0.1", 0), program(map[string]string{"gpu": "yes", "zone": "b"})...))
	if err := plain.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := plain.CallContext(ctx, "x", counterKind, wrapperspb.Int64(1)); err == nil || !strings.Contains(err.Error(), counterKind) {
		t.Errorf("a call with no member to take it: %v", err)
	}
	gpu := w.member(program(map[string]string{"gpu": "yes", "zone": "a", "more": ""})...)
	sees(t, plain, 2)
	if at := hosted(t, plain, identities(20)); at[gpu.ActorSystem().Address()] != 20 {
		t.Errorf("placed at %v; want all on %s", at, gpu.ActorSystem().Address())
	}
	for _, m := range w.registry.View().Members {
		if m.HasKind(counterKind) != (m.Address == gpu.ActorSystem().Address()) {
			t.Errorf("member %v has the kinds %v", m, m.Kinds)
		}
	}
	if err := plain.Shutdown(false); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "does not host a kind"); n != 1 || !strings.Contains(log.String(), "kind="+counterKind) {
		t.Errorf("told %d times:\n%s", n, &log)
	}
}

func TestLabelsThatMakeNoSense(t *testing.T) {
	w := newWorld(t)
	many := make(map[string]string)
	for _, id := range identities(cluster.MaxLabels + 1) {
		many[id] = ""
	}
	long := strings.Repeat("x", cluster.MaxLabelLength+1)
	for want, labels := range map[string]map[string]string{
		"no name": {"": "v"}, "513 bytes": {long: ""}, "value of 513": {"k": long}, "UTF-8": {"k": "\xff"}, "65 labels": many,
	} {
		for _, opts := range [][]cluster.Option{
			{w.kind(), cluster.WithLabels(labels)},
			{w.counters(cluster.OnMembersWith(labels))},
		} {
			if err := w.make(opts...).Start(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Start: %v; want an error that says %q", err, want)
			}
		}
	}
}
