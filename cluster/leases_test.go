package cluster_test

import (
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
	"github.com/granary-go/granary/remote"
)

// shortTTL is a lease time that a busy machine can keep, and a test can wait for.
const shortTTL = 2 * time.Second

// onStore starts a member, or a client, whose membership is kept by a store.
func (w *world) onStore(store *clustertest.RecordStore, client bool, opts ...cluster.Option) *cluster.Cluster {
	w.t.Helper()
	c := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())),
		cluster.Configure("test", store.Provider(record.WithTTL(shortTTL), record.WithPause(20*time.Millisecond)), remote.Configure("127.0.0.1", 0), opts...))
	start := c.StartContext
	if client {
		start = c.StartClientContext
	}
	if err := start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.ends(c)
	return c
}

// threeOnStore starts three members that host counters, leased by default, and a client.
func threeOnStore(t *testing.T) (w *world, store *clustertest.RecordStore, members []*cluster.Cluster, client *cluster.Cluster) {
	t.Parallel() // they mostly wait for leases
	w, store = newWorld(t), clustertest.NewRecordStore()
	members = make([]*cluster.Cluster, 3)
	var wg sync.WaitGroup
	for i := range members {
		wg.Go(func() { members[i] = w.onStore(store, false, w.kind()) })
	}
	wg.Wait()
	client = w.onStore(store, true)
	sees(t, client, 3)
	kind, _ := client.Members()[0].Kind(counterKind)
	if kind.Guarantee != driver.Leased {
		t.Errorf("on a provider with leases a kind is %q; want lease", kind.Guarantee)
	}
	return w, store, members, client
}

// A member that cannot reach the store stops its leased grains before they start
// elsewhere, and is a member again, under a new id, when it can.
func TestMemberThatIsCutOffTheStore(t *testing.T) {
	_, store, members, client := threeOnStore(t)
	ids := identities(100)
	each(ids, func(id string) { add(t, client, id, 1) })
	old := members[0].MemberID()
	heal := store.Cut(members[0].ActorSystem().Address())
	sees(t, client, 2)
	each(ids, func(id string) { add(t, client, id, 1) })
	heal()
	until(t, client, func() bool { return len(client.Members()) == 3 })
	until(t, members[0], func() bool { id := members[0].MemberID(); return id != old && id != "" })
	each(ids, func(id string) { add(t, client, id, 1) })
	if c := members[0].Counters(); c.Fenced != 1 {
		t.Errorf("%+v; want one lease ended", c)
	}
}

// A store that has lost its content costs every activation, and no identity ever
// has two.
func TestEmptiedStore(t *testing.T) {
	_, store, _, client := threeOnStore(t)
	ids := identities(60)
	each(ids, func(id string) { add(t, client, id, 1) })
	before := client.View()
	store.Empty()
	until(t, client, func() bool {
		v := client.View()
		return v.Incarnation != before.Incarnation && v.Epoch > before.Epoch && len(v.Members) == 3
	})
	each(ids, func(id string) { add(t, client, id, 1) })
}

// While the store is out of reach for less than a lease nothing happens; a new
// activation needs no store either.
func TestShortOutageOfTheStore(t *testing.T) {
	w, store, members, client := threeOnStore(t)
	ids := identities(60)
	each(ids, func(id string) { add(t, client, id, 1) })
	store.Outage(true)
	each(ids, func(id string) {
		if got := add(t, client, id, 1); got != 2 {
			t.Errorf("%s = %d; want 2: it was activated anew", id, got)
		}
	})
	add(t, client, "new", 1)
	store.Outage(false)
	w.onStore(store, false, w.kind())
	sees(t, client, 4)
	for _, m := range members {
		if c := m.Counters(); c.Fenced != 0 {
			t.Errorf("%+v; want no lease ended", c)
		}
	}
}

// A member that leaves gracefully waits for no lease.
func TestGracefulLeaveOnAStore(t *testing.T) {
	_, store, members, client := threeOnStore(t)
	ids := identities(100)
	each(ids, func(id string) { add(t, client, id, 1) })
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { callAll(t, client, ids, stop) })
	if err := members[1].Shutdown(true); err != nil {
		t.Error(err)
	}
	close(stop)
	wg.Wait()
	if _, alive := store.Get("test"); len(alive) != 2 {
		t.Errorf("%v are alive in the store; want two", alive)
	}
}
