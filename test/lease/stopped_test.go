package lease

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/test/fleet"
)

const (
	stoppedLeases = 3
	// underWay is how many handlers of one process may have passed the check of the lease, and not have looked at the
	// clock yet, when the process is stopped: one for each thread that ran, or was about to.
	underWay = 4
	// candidates is how many grains are made until there is one on a certain member of three.
	candidates = 60
)

// TestStoppedMember stops a member where it is for three lease times, under load, and lets it go on. In two of its
// handlers a turn is under way meanwhile. A client is stopped with it, so that it still waits for the replies.
func TestStoppedMember(t *testing.T) {
	server := startEtcd(t)
	c := newCrew(t, 3, server.Endpoint, shortTTL)
	client := c.client("remembers")
	named := fleet.Names(40, leasedKind, strictKind)
	loads := []*fleet.Load{c.load("remembers", client, named), c.load("forgets", c.client("forgets", cluster.WithCacheSize(1)), named)}
	for _, l := range loads {
		l.Every(t, limit, named)
	}
	victim := c.members[1]
	blocks := []counterName{c.hosted(client, leasedKind, victim.known()), c.hosted(client, strictKind, victim.id)}
	paused := c.process(role{Client: "paused", Calls: named, Blocks: blocks})
	inTurn := make(map[counterName]fleet.Activation)
	for range blocks {
		a, err := fleet.ParseActivation(c.says(victim.Process, blocksWord))
		if err != nil {
			t.Fatal(err)
		}
		inTurn[nameOf(a)] = a
	}

	loads[0].Every(t, limit, named)
	hosts := len(loads[0].On(victim.id))
	c.note(lost, victim)
	began := time.Now()
	c.signal(victim, syscall.SIGSTOP)
	over := time.NewTimer(stoppedLeases * shortTTL)
	defer over.Stop()
	// Meanwhile all clients come to the counters of the member that is stopped.
	loads[0].Every(t, limit, without(named, loads[0].On(victim.id)))
	if err := paused.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	again := loads[0].Every(t, limit, named)
	for _, counter := range blocks {
		if a, err := call(client, c.diary, "test", counter, wrapperspb.Int64(1)); err != nil || a == inTurn[counter] {
			t.Errorf("%s is not active elsewhere: %v, %v", counter, a, err)
		}
	}
	t.Logf("a member was stopped that hosted %d grains; all answered elsewhere after %s", hosts, round(again))
	<-over.C
	took := since(began)
	c.signal(victim, syscall.SIGUSR1) // lets the handlers go on, with the process
	c.signal(victim, syscall.SIGCONT)
	if err := paused.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	resumed := time.Now()
	id, err := victim.joins(t.Context())
	if err != nil || id == victim.id {
		t.Fatalf("%s joined again as %q: %v", victim.id, id, err)
	}
	stopped := victim.id
	victim.id = id
	fleet.Sees(t, client, limit, 3)
	t.Logf("it went on after %s, and had joined again, as another, after %s more", took, since(resumed))
	for _, kind := range []string{leasedKind, strictKind} {
		c.hosted(client, kind, id)
	}
	for _, l := range loads {
		l.Every(t, limit, named)
		l.Stop()
		f := l.Since()
		t.Logf("client %s: %d calls, failed: %s", l.Name, f.Calls, f.Text())
	}
	if err := paused.Terminate(limit); err != nil {
		t.Error(err)
	}
	told := c.end()
	for _, l := range victim.Drain(func(s string) bool { return strings.HasPrefix(s, countsWord) }) {
		t.Logf("the member that was stopped: %s", l.Text)
	}
	t.Logf("%d turns were under way when it was stopped, and wrote so afterwards", told.lateLines)
	for member, n := range told.lateTurns {
		t.Logf("%d turns on %s began after those of a successor", n, member)
		if member != stopped || n > underWay {
			t.Errorf("%d turns on %s began after its lease had ended", n, member)
		}
	}
	for counter, a := range inTurn {
		c.checkInTurn(told, counter, a)
	}
	checkStore(t, server, told)
}

// checkInTurn checks what became of a turn that was under way when its member was stopped: its handler went on, its
// write was refused, and its reply (which the diary would blame) was not accepted.
func (c *crew) checkInTurn(told *chronicle, counter counterName, a fleet.Activation) {
	c.t.Helper()
	h := told.counters[counter]
	kind, _ := counter.Split()
	why, refused := told.unsaved[a]
	ready := h.lives[a].stale[h.lives[a].sum]
	switch {
	case kind == strictKind && why != isFenced:
		c.t.Errorf("%s, in whose turn the member was stopped, could save: %t, %q", a, !refused, why)
	case kind == leasedKind && !ready:
		c.t.Errorf("%s, in whose turn the member was stopped, has no late reply: the test says nothing", a)
	case len(h.pending) > 0:
		c.t.Errorf("%s, in whose turn the member was stopped: its call has no outcome", a)
	}
	c.t.Logf("%s was in a turn: late reply %t, write refused: %q; accepted replies %d of %d calls", a, ready, why, len(h.replies), h.calls)
}

// hosted makes grains until one is on a member, and gives it.
func (c *crew) hosted(client *cluster.Cluster, kind string, id driver.MemberID) counterName {
	c.t.Helper()
	for i := range candidates {
		counter := counterName(fmt.Sprintf("%s/on-%s-%d", kind, id, i))
		a, err := call(client, c.diary, "test", counter, wrapperspb.Int64(1))
		if err != nil {
			c.t.Fatal(err)
		}
		if a.Member == id {
			return counter
		}
	}
	c.t.Fatalf("of %d new grains of kind %s none is on %s", candidates, kind, id)
	return ""
}

func (c *crew) signal(m *member, s syscall.Signal) {
	c.t.Helper()
	c.notes.Add("test", fmt.Sprintf("%s to %s", s, m.id))
	if err := m.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

func without(all, some []counterName) (rest []counterName) {
	has := make(map[counterName]bool)
	for _, counter := range some {
		has[counter] = true
	}
	for _, counter := range all {
		if !has[counter] {
			rest = append(rest, counter)
		}
	}
	return rest
}
