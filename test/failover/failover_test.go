package failover

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
	"github.com/granary-go/granary/test/fleet"
)

const (
	grains = 1000
	// fewestOrphans is how many grains must be hosted elsewhere and owned by the member that is killed, so that
	// the test says something.
	fewestOrphans = 100
	// smallCache has next to no grain's location still known when its turn comes again.
	smallCache = 64
)

// drama is the course of the test.
type drama struct {
	*testing.T
	members                *members
	load                   *load
	remembering, forgetful *cluster.Cluster
}

func TestCountersGoOn(t *testing.T) {
	began := time.Now()
	f := newMembers(t, 3)
	d := &drama{T: t, members: f}
	d.remembering = f.client("remembers")
	d.forgetful = f.client("forgets", cluster.WithCacheSize(smallCache))
	d.sees(3)
	t.Logf("3 members after %s", since(began))
	d.load = newLoad(t, d.remembering, d.forgetful, grains)
	t.Logf("%d calls until each of %d grains was called twice", d.load.everyGrain().calls, grains)

	d.join("member 4", 4)
	d.join("member 5", 5)
	d.leave()
	d.kill()
	d.end()
	t.Logf("%s in all", since(began))
}

// sees waits until both clients see n active members.
func (d *drama) sees(n int) driver.View {
	d.Helper()
	fleet.Sees(d.T, d.forgetful, limit, n)
	return fleet.Sees(d.T, d.remembering, limit, n)
}

// join adds a member: the ownership of some grains moves, and no activation.
func (d *drama) join(name string, n int) {
	d.Helper()
	before, view := d.load.activations(), d.remembering.View()
	d.load.begin()
	began := time.Now()
	id := d.members.add(name)
	grown := d.sees(n)
	joined := since(began)
	made := d.load.everyGrain()
	moved := len(where(before, func(a fleet.Activation) bool { return owner(view, a) != owner(grown, a) }))
	d.Logf("%s joined in %s: %d grains have another owner; %d calls meanwhile, %d failed; slowest %s, of the client without a cache %s",
		name, joined, moved, made.calls, made.failed(), round(made.slowest[0]), round(made.slowest[1]))
	if moved == 0 || len(where(before, func(a fleet.Activation) bool { return owner(grown, a) == id })) != moved {
		d.Errorf("%d grains changed owner, which are not those that %s has", moved, name)
	}
	d.unmoved(before)
}

// leave has the coordinator leave gracefully: no call fails, its grains start anew elsewhere.
func (d *drama) leave() {
	d.Helper()
	leaver := d.remembering.Members()[0].ID
	hosted, others := d.split(leaver)
	d.load.begin()
	d.load.leaves(leaver)
	began := time.Now()
	d.members.leave(leaver)
	d.sees(4)
	left := since(began)
	made := d.load.everyGrain()
	d.Logf("a member left in %s: its %d grains started anew, %d stayed; %d calls meanwhile, %d failed; slowest %s, of the client without a cache %s",
		left, len(hosted), len(others), made.calls, made.failed(), round(made.slowest[0]), round(made.slowest[1]))
	d.moved(hosted, leaver)
	d.unmoved(others)
}

// kill kills the coordinator: calls to its own grains succeed again, all others go on, also those that it owned.
func (d *drama) kill() {
	d.Helper()
	view := d.remembering.View()
	victim := view.Members[0].ID
	hosted, others := d.split(victim)
	orphans := where(others, func(a fleet.Activation) bool { return owner(view, a) == victim })
	if len(orphans) <= fewestOrphans {
		d.Errorf("only %d grains hosted elsewhere are owned by the member to kill", len(orphans))
	}
	d.load.begin()
	d.load.dies(victim)
	killed := d.members.kill(victim)
	made := d.load.everyGrain()
	all := since(killed)
	d.sees(3)
	d.Logf("a member was killed that hosted %d grains; of the %d hosted elsewhere it owned %d", len(hosted), len(others), len(orphans))
	d.Logf("the grains it hosted all answered again after %s, and every grain each client after %s", round(d.load.back(hosted).Sub(killed)), all)
	d.Logf("%d calls meanwhile, %d failed, all to grains that it hosted%s", made.calls, made.failed(), made.text())
	d.Logf("slowest call that succeeded: to grains elsewhere %s, of the client without a cache %s; to those it hosted %s and %s",
		round(made.slowest[0]), round(made.slowest[1]), round(made.slowest[2]), round(made.slowest[3]))
	d.moved(hosted, victim)
	d.unmoved(others)
}

// end stops everything and reads the diary.
func (d *drama) end() {
	d.Helper()
	d.load.stop()
	began := time.Now()
	d.members.leaveAll()
	d.Logf("all members left in %s", since(began))
	text, err := os.ReadFile(d.members.diary)
	if err != nil {
		d.Fatal(err)
	}
	histories, faults := readDiary(string(text))
	for _, fault := range faults[:min(len(faults), maxErrors)] {
		d.Error(fault)
	}
	activations := 0
	for _, g := range d.load.grains {
		h := histories[g.name]
		if h == nil || !slices.Equal(h.all, g.all) {
			d.Errorf("%s: the diary has %v, those that answered are %v", g.name, h, g.all)
		} else {
			activations += len(h.all)
		}
	}
	d.Logf("%d identities had %d activations, %d faults: never two at one time, and rising tokens", len(histories), activations, len(faults))
}

// split parts the activations into those on a member and the others.
func (d *drama) split(id driver.MemberID) (hosted, others map[string]fleet.Activation) {
	all := d.load.activations()
	hosted = where(all, func(a fleet.Activation) bool { return a.Member == id })
	if len(hosted) == 0 || len(hosted) == len(all) {
		d.Fatalf("%d of %d grains are on one member of several", len(hosted), len(all))
	}
	return hosted, where(all, func(a fleet.Activation) bool { return a.Member != id })
}

// unmoved checks that grains are in the activations they were in.
func (d *drama) unmoved(before map[string]fleet.Activation) {
	d.Helper()
	now := d.load.activations()
	if gone := where(before, func(a fleet.Activation) bool { return now[a.Identity] != a }); len(gone) > 0 {
		d.Errorf("%d activations are gone that should have stayed", len(gone))
	}
}

// moved checks that grains of a member are elsewhere.
func (d *drama) moved(before map[string]fleet.Activation, id driver.MemberID) {
	d.Helper()
	now := d.load.activations()
	if left := where(before, func(a fleet.Activation) bool { return now[a.Identity].Member == id }); len(left) > 0 {
		d.Errorf("%d grains are still on the member that is gone", len(left))
	}
}

func where(all map[string]fleet.Activation, keep func(fleet.Activation) bool) map[string]fleet.Activation {
	some := make(map[string]fleet.Activation)
	for name, a := range all {
		if keep(a) {
			some[name] = a
		}
	}
	return some
}

// owner gives the owner of a grain's slot in a view.
func owner(view driver.View, a fleet.Activation) driver.MemberID {
	m, _ := table(view).Owner(placement.SlotOf(driver.Identity{Kind: kind, Name: a.Identity}))
	return m.ID
}

// table is placement.NewTable, which takes a while.
var tables = make(map[uint64]*placement.Table)

func table(view driver.View) *placement.Table {
	if tables[view.Epoch] == nil {
		tables[view.Epoch] = placement.NewTable(view)
	}
	return tables[view.Epoch]
}

func since(t time.Time) time.Duration { return round(time.Since(t)) }

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
