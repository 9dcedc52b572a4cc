package k8s

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

const ttl = 10 * time.Second

// A renewal that is under way when its member is taken for dead comes too late: it is the emptying of the Lease that
// makes it fail, and not its absence from what is read.
func TestRenewalUnderWayIsTooLate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var g gate
	b.config = g.through(b.config)
	member := b.store()
	b.config = b.Config()
	var c clock
	remover, other := b.store(c.set), b.store()
	b.register(member, "A", ttl)
	b.alive(remover, "at first", "A")

	reached, release := g.hold(t, http.MethodPut)
	renewal := later(func() error { _, err := member.Renew(within(t)); return err })
	reached()
	c.add(ttl)
	b.alive(remover, "after the lease time")
	b.alive(other, "as another sees it, from then on")
	release()
	if err := renewal(); !errors.Is(err, driver.ErrLeaseLost) {
		t.Errorf("the renewal under way: %v; want %v", err, driver.ErrLeaseLost)
	}
	b.alive(remover, "after the renewal")
	b.alive(other, "after the renewal, as another sees it")
	b.lost(member, "again")
}

// Whoever comes first wins: after a renewal the remover's update fails, and the member stays.
func TestRemoverIsTooLate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	member := b.store()
	var g gate
	b.config = g.through(b.config)
	var c clock
	remover := b.store(c.set)
	b.register(member, "A", ttl)
	b.alive(remover, "at first", "A")

	reached, release := g.hold(t, http.MethodPut)
	c.add(ttl)
	var alive map[driver.MemberID][]byte
	read := later(func() error {
		r, err := remover.Read(within(t))
		alive = r.Alive
		return err
	})
	reached()
	b.renew(member)
	release()
	if err := read(); err != nil || len(alive) != 1 {
		t.Errorf("a read whose removal came too late: alive %q, error %v; want A", alive, err)
	}
	c.add(ttl - 1)
	b.alive(remover, "before the lease time after the renewal", "A")
	b.renew(member)
}

// An update of a Lease that is not there makes it, unless it has the uid. A late renewal must not bring a member back.
func TestRenewalDoesNotBringALeaseBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var g gate
	b.config = g.through(b.config)
	member := b.store()
	b.config = b.Config()
	var c clock
	remover := b.store(c.set)
	b.register(member, "A", ttl)
	b.alive(remover, "at first", "A")

	reached, release := g.hold(t, http.MethodPut)
	renewal := later(func() error { _, err := member.Renew(within(t)); return err })
	reached()
	c.add(ttl)
	b.alive(remover, "after the lease time")
	b.alive(remover, "seen to be empty")
	if b.lease("A") == nil {
		t.Error("an emptied Lease is deleted at once")
	}
	c.add(ttl)
	b.alive(remover, "to be deleted")
	if b.lease("A") != nil {
		t.Error("a Lease that was emptied for its duration is not deleted")
	}
	release()
	if err := renewal(); !errors.Is(err, driver.ErrLeaseLost) {
		t.Errorf("the renewal of a Lease that was deleted: %v; want %v", err, driver.ErrLeaseLost)
	}
	if b.lease("A") != nil {
		t.Error("the renewal has made the Lease anew")
	}
}

// A Lease whose duration somebody has made shorter is its member's for as long as it was granted.
func TestDurationMadeShorter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var c clock
	member, remover := b.store(), b.store(c.set)
	b.register(member, "A", ttl)
	b.register(remover, "B", ttl)
	b.Do(t, http.MethodPatch, b.leasePath(leaseName("shop", "A")), map[string]any{"spec": map[string]any{"leaseDurationSeconds": 1}}, nil)
	b.alive(remover, "at first", "A", "B")
	c.add(ttl - 1)
	b.alive(remover, "before the lease time", "A", "B")
	c.add(1)
	b.alive(remover, "after the lease time") // it has not renewed its own either
	b.lost(member, "of who was silent")
}

// Who comes late counts from when it came: it takes neither the living for dead, nor the dead for alive for ever. What
// a Lease says of the time is not believed.
func TestLateReader(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	member, dead := b.store(), b.store()
	b.register(member, "A", ttl)
	b.register(dead, "B", ttl)
	for id, at := range map[string]string{"A": "1971-01-01T00:00:00.000000Z", "B": "2170-01-01T00:00:00.000000Z"} {
		b.Do(t, http.MethodPatch, b.leasePath(leaseName("shop", id)), map[string]any{"spec": map[string]any{"renewTime": at, "acquireTime": at}}, nil)
	}
	for err := errChanged; err != nil; _, err = member.Renew(within(t)) { // it finds that somebody has changed its Lease
		if !errors.Is(err, errChanged) {
			t.Fatal(err)
		}
	}
	var c clock
	late := b.store(c.set)
	b.alive(late, "at first sight", "A", "B")
	for range 3 {
		c.add(ttl / 3)
		b.renew(member)
		if c.at.Load() < int64(ttl) {
			b.alive(late, "before the lease time", "A", "B")
		}
	}
	c.add(ttl - time.Duration(c.at.Load()) - 1)
	b.alive(late, "just before the lease time", "A", "B")
	c.add(1)
	b.alive(late, "after the lease time", "A")
	b.lost(dead, "of a member that was taken for dead")
	b.renew(member)
	c.add(ttl - 1)
	b.alive(late, "just before the lease time of the other", "A")
}

// A renewal changes the Lease whatever the clock says: an update that changes nothing is none, and others would not see it.
func TestRenewalChangesTheLease(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	member := b.store()
	b.register(member, "A", ttl)
	b.Do(t, http.MethodPatch, b.leasePath(leaseName("shop", "A")),
		map[string]any{"spec": map[string]any{"renewTime": "2170-01-01T00:00:00.000000Z"}}, nil)
	if _, err := member.Renew(within(t)); !errors.Is(err, errChanged) {
		t.Errorf("Renew of a Lease that somebody has changed: %v; want %v", err, errChanged)
	}
	last := b.lease("A")
	for range 3 {
		b.renew(member)
		now := b.lease("A")
		if now.ResourceVersion == last.ResourceVersion || !now.Spec.RenewTime.After(last.Spec.RenewTime.Time) {
			t.Errorf("renewed at %v, version %s, after %v, %s", now.Spec.RenewTime, now.ResourceVersion, last.Spec.RenewTime, last.ResourceVersion)
		}
		last = now
	}
}

// An observer has rights to read, and decides nothing.
func TestObserverEmptiesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	member := b.store()
	b.register(member, "A", ttl)
	var c clock
	observer := b.store(c.set)
	observer.observes = true
	b.alive(observer, "at first", "A")
	c.add(10 * ttl)
	b.alive(observer, "long after", "A")
	b.renew(member)
}
