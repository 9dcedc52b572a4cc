package cluster_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
)

// entryWorld is a world whose members keep in a store where grains are.
type entryWorld struct {
	*world
	store *clustertest.EntryStore
}

func newStored(t *testing.T) entryWorld { return entryWorld{newWorld(t), clustertest.NewEntryStore()} }

func (w entryWorld) member(opts ...cluster.Option) *cluster.Cluster {
	w.t.Helper()
	return w.world.member(append(opts, w.kind(), cluster.WithIdentityLookup(w.store))...)
}

func (w entryWorld) client() *cluster.Cluster {
	w.t.Helper()
	c := w.make(cluster.WithIdentityLookup(w.store))
	if err := c.StartClient(); err != nil {
		w.t.Fatal(err)
	}
	w.ends(c)
	return c
}

func TestStoredLookup(t *testing.T) {
	t.Parallel()
	w := newStored(t)
	members := []*cluster.Cluster{w.member(), w.member(), w.member()}
	client := w.client()
	for _, m := range members {
		sees(t, m, 3)
	}
	ids := identities(300)
	for round := int64(1); round <= 3; round++ {
		each(ids, func(id string) {
			if sum := add(t, client, id, 1); sum != round {
				t.Errorf("%s has %d in round %d", id, sum, round)
			}
		})
	}
	entries := w.store.Entries("test")
	if len(entries) != len(ids) {
		t.Errorf("%d entries; want %d", len(entries), len(ids))
	}
	perMember := make(map[driver.MemberID]int)
	for _, e := range entries {
		perMember[e.Member]++
	}
	if len(perMember) != 3 {
		t.Errorf("grains per member: %v; want some on each of three", perMember)
	}
	if where(t, members[0], ids[0]) != entries[driver.Identity{Kind: counterKind, Name: ids[0]}].Address {
		t.Error("the grain answers from elsewhere than its entry says")
	}
}

// A cold call costs one read and one claim, a cached one nothing.
func TestStoredLookupCost(t *testing.T) {
	t.Parallel()
	w := newStored(t)
	m := w.member()
	add(t, m, "warm", 1) // the era is open
	before, _ := w.store.Calls()
	for range 100 {
		add(t, m, "warm", 1)
	}
	cached, _ := w.store.Calls()
	each(identities(200), func(id string) { add(t, m, id, 1) })
	cold, _ := w.store.Calls()
	if polls := cached - before; polls > 20 {
		t.Errorf("%d operations in the store for 100 cached calls", polls)
	}
	if per := float64(cold-cached) / 200; per > 2.3 {
		t.Errorf("%.2f operations for each cold call; want 2, and a few reads of the era", per)
	}
}

func TestStoredLookupWhenMembersGo(t *testing.T) {
	t.Parallel()
	w := newStored(t)
	a, b, c := w.member(), w.member(), w.member()
	for _, m := range []*cluster.Cluster{a, b, c} {
		sees(t, m, 3)
	}
	ids := identities(200)
	each(ids, func(id string) { add(t, a, id, 1) })
	if err := c.Shutdown(true); err != nil {
		t.Error(err)
	}
	each(ids, func(id string) { add(t, a, id, 1) })
	gone := b.MemberID()
	w.allowDoubles() // the member goes on until it learns that it was removed
	w.registry.Remove(gone)
	each(ids, func(id string) { add(t, a, id, 1) })
	for id, e := range w.store.Entries("test") {
		if e.Member == gone {
			t.Errorf("%s is still that of the member that was removed", id)
		}
	}
}

// Calls that go on while the store is emptied make no second activation.
func TestStoredLookupEmptied(t *testing.T) {
	t.Parallel()
	w := newStored(t)
	a, b, c := w.member(), w.member(), w.member()
	for _, m := range []*cluster.Cluster{a, b, c} {
		sees(t, m, 3)
	}
	ids := identities(200)
	each(ids, func(id string) { add(t, a, id, 1) })
	first := w.store.Era("test").Number
	w.store.Empty()
	each(identities(400), func(id string) { add(t, c, id, 1) })
	if second := w.store.Era("test").Number; second <= first {
		t.Errorf("era %d after %d", second, first)
	}
	if got := len(w.store.Entries("test")); got != 400 {
		t.Errorf("%d entries after the store was emptied; want 400", got)
	}
}

// While the store is down cached calls go on, and the others say what is wrong.
func TestStoredLookupDown(t *testing.T) {
	t.Parallel()
	w := newStored(t)
	m := w.member()
	add(t, m, "warm", 1)
	w.store.Down(errors.New("store at 10.0.0.1: refused"))
	add(t, m, "warm", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := m.CallContext(ctx, "cold", counterKind, &cluster.GrainRequest{})
	if err == nil || !errors.Is(err, cluster.ErrTimeout) || !strings.Contains(err.Error(), "store at 10.0.0.1: refused") {
		t.Errorf("a cold call: %v; want a time-out that names the store", err)
	}
	w.store.Down(nil)
	add(t, m, "cold", 1)
}

// Claims whose answers are lost leave one activation.
func TestStoredLookupLosesAnswers(t *testing.T) {
	t.Parallel()
	w := newStored(t)
	a, b := w.member(), w.member()
	sees(t, a, 2)
	sees(t, b, 2)
	w.store.LoseAnswers(func() bool { return rand.IntN(3) == 0 })
	each(identities(100), func(id string) {
		add(t, a, id, 1)
		if sum := add(t, b, id, 1); sum != 2 {
			t.Errorf("%s has %d; want 2", id, sum)
		}
	})
}

func TestStoredLookupConcurrency(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	store := clustertest.NewEntryStore()
	store.Slow(time.Millisecond)
	m := w.member(w.kind(), cluster.WithIdentityLookup(store, cluster.WithLookupConcurrency(5)))
	each(identities(200), func(id string) { add(t, m, id, 1) })
	if _, most := store.Calls(); most > 5 {
		t.Errorf("%d operations at once; want 5 at most", most)
	}
}

func TestStoredLookupExplain(t *testing.T) {
	t.Parallel()
	w := newStored(t)
	m := w.member()
	add(t, m, "alice", 1)
	for identity, want := range map[string]string{"alice": "is active on " + m.Members()[0].Address, "bob": "is not active"} {
		e, err := m.Explain(t.Context(), identity, counterKind)
		if err != nil || !strings.Contains(e.Summary(), want) || e.Store == nil || !e.Store.Open {
			t.Errorf("%v\n%v; want %q", err, e, want)
		}
	}
	w.store.Down(errors.New("no route to the store"))
	e, err := m.Explain(t.Context(), "alice", counterKind)
	if err != nil || !strings.Contains(e.String(), "no route to the store") {
		t.Errorf("%v\n%v; want it to name what the store said", err, e)
	}
	w.store.Down(nil)
}

func TestStoredLookupIsConfigured(t *testing.T) {
	t.Parallel()
	for want, opt := range map[string]cluster.Option{
		"is nil":           cluster.WithIdentityLookup(nil),
		"must be positive": cluster.WithIdentityLookup(clustertest.NewEntryStore(), cluster.WithLookupConcurrency(-1)),
		"nonsense address": cluster.WithIdentityLookup(nonsense{}),
	} {
		w := newWorld(t)
		c := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())),
			cluster.Configure("test", w.registry.Provider(), remote.Configure("127.0.0.1", 0), opt))
		if err := c.Start(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Start: %v; want %q", err, want)
		}
	}
}

type nonsense struct{}

func (nonsense) OpenEntries(context.Context, string) (driver.EntryStore, error) {
	return nil, errors.New("nonsense address")
}
