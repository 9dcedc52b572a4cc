package providers

import (
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/etcd/etcdtest"
	"github.com/granary-go/granary/test/fleet"
)

// TestLeaderKilled kills the leader of three etcd servers under calls: no call to a grain whose place is known fails, no
// member is taken for dead, and nothing changes in the view.
func TestLeaderKilled(t *testing.T) {
	etcdtest.Each(t, func(t *testing.T, v etcdtest.Version) { leaderKilled(t, v.StartThree(t)) })
}

func leaderKilled(t *testing.T, e *etcdtest.Ensemble) {
	var endpoints []string
	for _, s := range e.Servers {
		endpoints = append(endpoints, s.Endpoint)
	}
	b := backend{name: "etcd", lease: 5 * time.Second}
	c := newCrew(t, b, service{address: strings.Join(endpoints, ",")}, members)
	client := c.client()
	names := fleet.Names(grains, kind)
	l := c.load(client, names, nil)
	l.Every(t, limit, names)
	fleet.Sees(t, client, limit, members)
	before := client.View()

	l.Reset()
	e.Leader(t).Stop()
	timer := time.NewTimer(2 * b.lease) // a lease that was not renewed is over by then
	defer timer.Stop()
	<-timer.C
	l.Every(t, limit, names)
	f := l.Since()
	t.Logf("%d calls, slowest %s, failed: %s", f.Calls, f.Slowest, f.Text())
	if f.Failed() > 0 {
		t.Errorf("%d calls failed", f.Failed())
	}
	if now := client.View(); now.Epoch != before.Epoch {
		t.Errorf("the view is %v, and was %v", now, before)
	}
	for _, m := range c.members {
		if again := m.Drain(func(s string) bool { return strings.HasPrefix(s, memberWord) }); len(again) > 0 {
			t.Errorf("a member has joined again: %v", again)
		}
	}
	l.Stop()
	c.end()
}
