package lease

import (
	"errors"
	"flag"
	"slices"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/test/fleet"
)

var (
	kills    = flag.Int("lease.kills", 3, "how many members TestCrash kills")
	crashTTL = flag.Duration("lease.ttl", 2*time.Second, "the lease time of TestCrash")
	slack    = flag.Duration("lease.slack", 3*time.Second, "how long after the lease time every grain must answer again; 1s on a machine that has nothing else to do")
)

// TestCrash kills members, one after the other, and starts others: each time all grains answer again soon after the
// lease of the one that was killed has run out.
func TestCrash(t *testing.T) {
	c := newCrew(t, 3, startEtcd(t).Endpoint, *crashTTL)
	client := c.client("caller")
	named := fleet.Names(150, leasedKind)
	l := c.load("caller", client, named)
	l.Every(t, limit, named)
	var waits []time.Duration
	hosted := 0
	for range *kills {
		fleet.Sees(t, client, limit, 3)
		victim := c.members[0]
		orphans := l.On(victim.known())
		if len(orphans) == 0 {
			t.Errorf("the member to kill hosts nothing")
		}
		hosted += len(orphans)
		c.note(lost, victim)
		expected := l.Expect(named)
		victim.Kill()
		wait := l.Wait(t, limit, expected)
		c.notes.Add("test", "every grain has answered after "+wait.String())
		waits = append(waits, wait)
		c.gone(victim)
		c.replace(victim)
	}
	l.Stop()
	slices.Sort(waits)
	at := func(part float64) time.Duration { return round(waits[int(part*float64(len(waits)-1)+0.5)]) }
	t.Logf("%d kills, lease time %s, %d grains, of which %d were hosted by the one killed on average: every grain answered again after min %s, p50 %s, p90 %s, max %s",
		len(waits), *crashTTL, len(named), hosted/len(waits), at(0), at(0.5), at(0.9), at(1))
	if bound := *crashTTL + *slack; at(1) > bound {
		t.Errorf("a grain was away for %s, longer than %s; all: %v", at(1), bound, waits)
	}
	f := l.Since()
	t.Logf("%d calls, failed: %s", f.Calls, f.Text())
	for _, err := range f.Errs[leasedKind] {
		if !errors.Is(err, cluster.ErrUnknownOutcome) {
			t.Errorf("a call failed for another reason than that its fate is unknown: %v", err)
		}
	}
	for member, n := range c.end().lateTurns {
		t.Errorf("%d turns on %s began after those of a successor", n, member)
	}
}
