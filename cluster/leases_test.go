package cluster_test

import (
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
)

const leaseTime = 2 * time.Second

// onStore starts a member, or a client if it has no options, whose membership is
// kept by a store.
func (b *bubble) onStore(store *clustertest.RecordStore, opts ...cluster.Option) *cluster.Cluster {
	b.t.Helper()
	return b.start(b.build(providerOn(store), opts...), len(opts) == 0)
}

func providerOn(store *clustertest.RecordStore) driver.Provider {
	return store.Provider(record.WithTTL(leaseTime), record.WithPause(20*time.Millisecond))
}

// inThree runs f in a bubble with three members that host counters, leased by default, and
// a client.
func inThree(t *testing.T, f func(t *testing.T, b *bubble, store *clustertest.RecordStore, members []*cluster.Cluster, client *cluster.Cluster)) {
	t.Helper()
	inBubble(t, func(t *testing.T, b *bubble) {
		store := clustertest.NewRecordStore()
		members := make([]*cluster.Cluster, 3)
		for i := range members {
			members[i] = b.onStore(store, b.kind())
		}
		client := b.onStore(store)
		sees(t, client, 3)
		kind, _ := client.Members()[0].Kind(counterKind)
		if kind.Guarantee != driver.Leased {
			t.Errorf("on a provider with leases a kind is %q; want lease", kind.Guarantee)
		}
		f(t, b, store, members, client)
	})
}

// A member that cannot reach the store stops its leased grains before they start
// elsewhere, and is a member again, under a new id, when it can.
func TestMemberThatIsCutOffTheStore(t *testing.T) {
	inThree(t, func(t *testing.T, _ *bubble, store *clustertest.RecordStore, members []*cluster.Cluster, client *cluster.Cluster) {
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
	})
}

// A store that has lost its content costs every activation, and no identity ever
// has two.
func TestEmptiedStore(t *testing.T) {
	inThree(t, func(t *testing.T, _ *bubble, store *clustertest.RecordStore, _ []*cluster.Cluster, client *cluster.Cluster) {
		ids := identities(60)
		each(ids, func(id string) { add(t, client, id, 1) })
		before := client.View()
		store.Empty()
		until(t, client, func() bool {
			v := client.View()
			return v.Incarnation != before.Incarnation && v.Epoch > before.Epoch && len(v.Members) == 3
		})
		each(ids, func(id string) { add(t, client, id, 1) })
	})
}

// While the store is out of reach for less than a lease nothing happens; a new
// activation needs no store either.
func TestShortOutageOfTheStore(t *testing.T) {
	inThree(t, func(t *testing.T, b *bubble, store *clustertest.RecordStore, members []*cluster.Cluster, client *cluster.Cluster) {
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
		b.onStore(store, b.kind())
		sees(t, client, 4)
		for _, m := range members {
			if c := m.Counters(); c.Fenced != 0 {
				t.Errorf("%+v; want no lease ended", c)
			}
		}
	})
}

// A member that leaves gracefully waits for no lease.
func TestGracefulLeaveOnAStore(t *testing.T) {
	inThree(t, func(t *testing.T, _ *bubble, store *clustertest.RecordStore, members []*cluster.Cluster, client *cluster.Cluster) {
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
	})
}
