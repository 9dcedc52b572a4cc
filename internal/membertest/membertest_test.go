package membertest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
)

// harmed takes a test's errors down.
type harmed struct {
	testing.TB

	errors []string
}

func (h *harmed) Errorf(format string, args ...any) {
	h.errors = append(h.errors, fmt.Sprintf(format, args...))
}

// Fatalf ends the test, for which whoever calls it recovers.
func (h *harmed) Fatalf(format string, args ...any) {
	h.Errorf(format, args...)
	panic(h)
}

func TestLives(t *testing.T) {
	t.Parallel()
	registry := clustertest.NewRegistry()
	leases := []*clustertest.Lease{clustertest.NewLease(), clustertest.NewLease()}
	var all []*Process
	for i, l := range leases {
		all = append(all, Join(t, registry.LeasedProvider(l), Request("", fmt.Sprintf("127.0.0.1:%d", i+1))))
	}
	Together(t, all...)
	before := []driver.MemberID{all[0].ID, all[1].ID}
	for i, l := range leases {
		l.Set(driver.LeaseFenced)
		registry.Remove(all[i].ID)
	}
	Fenced(t, all...)
	Doubted(t, all...)
	Again(t, all...)
	for i, p := range all {
		if p.Removals != 1 || p.ID == before[i] {
			t.Errorf("a member that was removed is %s after %s, its removals are %d", p.ID, before[i], p.Removals)
		}
		if _, in := p.Seen.Member(p.ID); !in || len(p.Seen.Members) != 2 {
			t.Errorf("%s saw %v last", p.ID, p.Seen)
		}
	}
}

func TestRemovedWithAValidLease(t *testing.T) {
	t.Parallel()
	registry := clustertest.NewRegistry()
	p := Join(t, registry.LeasedProvider(clustertest.NewLease()), Request("", "127.0.0.1:1"))
	registry.Remove(p.ID)
	h := &harmed{TB: t}
	Again(h, p)
	if len(h.errors) != 1 || !strings.Contains(h.errors[0], "was removed with a valid lease") {
		t.Errorf("the test is told %q", h.errors)
	}
}

func TestRemovedWithoutAProvider(t *testing.T) {
	t.Parallel()
	registry := clustertest.NewRegistry()
	joined := Join(t, registry.LeasedProvider(clustertest.NewLease()), Request("", "127.0.0.1:1"))
	registry.Remove(joined.ID)
	h := &harmed{TB: t}
	func() {
		defer func() { _ = recover() }()
		Again(h, &Process{ID: joined.ID, Session: joined.Session})
	}()
	if len(h.errors) == 0 || !strings.Contains(h.errors[len(h.errors)-1], "was removed while it waits for a new life") {
		t.Errorf("the test is told %q", h.errors)
	}
}

func TestJournal(t *testing.T) {
	t.Parallel()
	var j Journal
	j.Logger().Debug("a secret", "it", 7)
	if got := j.String(); !strings.Contains(got, `msg="a secret" it=7`) {
		t.Errorf("the journal is %q", got)
	}
}
