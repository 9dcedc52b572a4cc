package lease

import (
	"testing"
	"time"

	"github.com/granary-go/granary/test/fleet"
)

const (
	rolled         = 5
	rollingClients = 3
	rollingTTL     = 5 * time.Second
)

// TestRollingRestart replaces five members, one after the other, under constant calls: none fails.
func TestRollingRestart(t *testing.T) {
	t.Run("automanaged", func(t *testing.T) { rollingRestart(t, "") })
	t.Run("etcd", func(t *testing.T) { rollingRestart(t, startEtcd(t).Endpoint) })
}

func rollingRestart(t *testing.T, endpoint string) {
	roll(t, newCrew(t, rolled, endpoint, rollingTTL), func(int) {})
}

// roll replaces every member of a crew under load; before is called before each.
func roll(t *testing.T, c *crew, before func(i int)) {
	n := len(c.members)
	named := fleet.Names(40, leasedKind, bestKind)
	if c.role.Endpoint != "" {
		named = append(named, fleet.Names(20, strictKind)...)
	}
	var loads []*fleet.Load
	for i := range rollingClients {
		name := []string{"first", "second", "third"}[i]
		loads = append(loads, c.load(name, c.client(name), named))
	}
	every := func() {
		expected := make([]*fleet.Expectation, len(loads))
		for i, l := range loads {
			expected[i] = l.Expect(named)
		}
		for i, l := range loads {
			l.Wait(t, limit, expected[i])
		}
	}
	every()
	var took []time.Duration
	for i, old := range c.members[:n:n] {
		before(i)
		began := time.Now()
		c.notes.Add("test", "restarts "+string(old.id))
		if err := old.Terminate(limit); err != nil {
			t.Fatal(err)
		}
		c.gone(old)
		left := since(began)
		c.replace(old)
		took = append(took, left, since(began))
		every()
	}
	for _, l := range loads {
		l.Stop()
		f := l.Since()
		t.Logf("client %s: %d calls, failed: %s; slowest %s", l.Name, f.Calls, f.Text(), round(f.Slowest))
		for kind, errs := range f.Errs {
			for _, err := range errs {
				t.Errorf("client %s: a call of kind %s failed: %v", l.Name, kind, err)
			}
		}
	}
	t.Logf("until each had left, and its successor was a member: %v", took)
	told := c.end()
	for member, n := range told.lateTurns {
		t.Errorf("%d turns on %s began after those of a successor", n, member)
	}
}
