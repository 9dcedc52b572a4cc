package cluster_test

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/remote"
)

// heard is a logger's handler that counts lines.
type heard struct {
	mu    sync.Mutex     // guards the fields below
	lines map[string]int // by their text
	loud  []string       // warnings and errors
}

func (h *heard) Enabled(context.Context, slog.Level) bool { return true }
func (h *heard) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *heard) WithGroup(string) slog.Handler            { return h }

func (h *heard) Handle(_ context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines[r.Message]++
	if r.Level > slog.LevelInfo {
		var attrs strings.Builder
		r.Attrs(func(a slog.Attr) bool {
			attrs.WriteString(" " + a.String())
			return true
		})
		h.loud = append(h.loud, r.Message+attrs.String())
	}
	return nil
}

// A cluster in which all is well says when processes come and go, and nothing of its
// calls; it has nothing to warn of, also while members leave.
func TestQuietWhenAllIsWell(t *testing.T) {
	w := newWorld(t)
	log := &heard{lines: make(map[string]int)}
	process := func(opts ...cluster.Option) *cluster.Cluster {
		return cluster.New(actor.NewActorSystem(actor.WithLogger(slog.New(log))),
			cluster.Configure("test", w.registry.Provider(), remote.Configure("127.0.0.1", 0), opts...))
	}
	members := []*cluster.Cluster{process(w.kind()), process(w.kind()), process(w.kind())}
	for _, m := range members {
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
	}
	client := process()
	if err := client.StartClient(); err != nil {
		t.Fatal(err)
	}
	sees(t, client, 3)
	for range 2 {
		each(identities(200), func(id string) { add(t, client, id, 1) })
	}
	before := func() map[string]int {
		log.mu.Lock()
		defer log.mu.Unlock()
		return maps.Clone(log.lines)
	}()
	each(identities(400), func(id string) { add(t, client, id, 1) })
	log.mu.Lock()
	if !maps.Equal(before, log.lines) {
		t.Errorf("calls have made log lines: before %v, then %v", before, log.lines)
	}
	log.mu.Unlock()
	for _, c := range append(members, client) {
		if err := c.Shutdown(true); err != nil {
			t.Error(err)
		}
	}
	if len(log.loud) > 0 {
		t.Errorf("a cluster in which all is well has warned:\n\t%s", strings.Join(log.loud, "\n\t"))
	}
	if log.lines["cluster: cluster started"] != 4 || log.lines["cluster: cluster shut down"] != 4 {
		t.Errorf("the application's logger has heard %v", log.lines)
	}
}

// A grain that panics while it is activated is one line, with the place.
func TestOneLineForAPanicAtTheStart(t *testing.T) {
	for what, kind := range map[string]*cluster.Kind{
		"OnActivate": func() *cluster.Kind {
			orders := newOrders()
			orders.activate = func(*relay, cluster.GrainContext) error { panic("no state to load") }
			return orders.kind()
		}(),
		"producer": cluster.NewGrainKind(relayKind, func() actor.Actor { panic("no state to load") }),
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			log := &heard{lines: make(map[string]int)}
			c := cluster.New(actor.NewActorSystem(actor.WithLogger(slog.New(log))),
				cluster.Configure("test", w.registry.Provider(), remote.Configure("127.0.0.1", 0), kind))
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			w.ends(c)
			if _, err := callRelay(t.Context(), c, "a"); err == nil {
				t.Error("the call has no error")
			}
			log.mu.Lock()
			defer log.mu.Unlock()
			if len(log.loud) != 1 || !strings.Contains(log.loud[0], "no state to load") || !strings.Contains(log.loud[0], "quiet_test.go:") {
				t.Errorf("the lines are %q; want one with the cause and the place", log.loud)
			}
		})
	}
}
