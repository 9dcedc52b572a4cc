package lease

import (
	"errors"
	"flag"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/test/fleet"
)

var outage = flag.Duration("lease.outage", 2*shortTTL, "how long TestOutage keeps etcd away after all leases have ended")

// TestOutage stops etcd for longer than the leases: leased and strict grains stop everywhere, calls of them fail and
// say so, best-effort ones go on. When etcd is back the members join again, and all grains answer.
func TestOutage(t *testing.T) {
	server := startEtcd(t)
	c := newCrew(t, 3, server.Endpoint, shortTTL)
	client := c.client("caller", cluster.WithRequestTimeout(shortTTL))
	best, all := fleet.Names(30, bestKind), fleet.Names(30, leasedKind, strictKind, bestKind)
	l := c.load("caller", client, all)
	l.Every(t, limit, all)

	c.notes.Add("test", "etcd stops")
	began := time.Now()
	server.Stop()
	for _, m := range c.members {
		c.says(m.Process, leaseWord+driver.LeaseFenced.String())
	}
	fenced := since(began)
	l.Every(t, limit, best)
	before := l.Since()
	l.Reset()
	timer := time.NewTimer(*outage)
	defer timer.Stop()
	<-timer.C
	l.Every(t, limit, best)
	during := l.Since()
	t.Logf("all leases had ended after %s; calls failed until then: %s", fenced, before.Text())
	t.Logf("then, without leases, %d calls; answered: %v; failed: %s", during.Calls, during.Answers, during.Text())
	if during.Answers[leasedKind]+during.Answers[strictKind] > 0 || during.Answers[bestKind] == 0 {
		t.Errorf("answered without leases: %v, want best-effort ones only", during.Answers)
	}
	for _, f := range []fleet.Figures{before, during} {
		if len(f.Failures[bestKind]) > 0 {
			t.Errorf("calls of best-effort grains failed while etcd was away: %s", f.Text())
		}
		checkErrors(t, f, leasedKind)
		checkErrors(t, f, strictKind)
	}

	l.Reset()
	c.notes.Add("test", "etcd starts")
	began = time.Now()
	server.Restart(t)
	up := since(began)
	for _, m := range c.members {
		id, err := m.joins(t.Context())
		if err != nil || id == m.id {
			t.Errorf("%s joined again as %q: %v", m.id, id, err)
		}
		m.id = id
	}
	fleet.Sees(t, client, limit, 3)
	joined := since(began)
	l.Every(t, limit, all)
	again := since(began)
	l.Stop()
	after := l.Since()
	t.Logf("etcd was back after %s, all members after %s, every grain after %s; calls failed meanwhile: %s", up, joined, again, after.Text())
	for _, kind := range []string{leasedKind, strictKind, bestKind} {
		checkErrors(t, after, kind)
	}
	// Best-effort grains go on until their member learns that it was removed, which another may learn first.
	told := c.end(bestKind)
	t.Logf("meanwhile %d best-effort activations began beside another, of a member that had not learnt yet that it was removed", told.beside[bestKind])
	for member, n := range told.lateTurns {
		t.Errorf("%d turns on %s began after those of a successor", n, member)
	}
	checkStore(t, server, told)
}

// checkErrors checks that calls have failed because no place was found in time, or because what became of them is
// unknown, or a strict grain could not reach its store.
func checkErrors(t *testing.T, f fleet.Figures, kind string) {
	t.Helper()
	for _, err := range f.Errs[kind] {
		_, own := errors.AsType[*cluster.GrainError](err)
		switch {
		case errors.Is(err, cluster.ErrTimeout), errors.Is(err, cluster.ErrUnknownOutcome), errors.Is(err, cluster.ErrNoMemberForKind):
		case own && kind == strictKind:
		default:
			t.Errorf("a call of a grain of kind %s failed: %v", kind, err)
		}
	}
}
