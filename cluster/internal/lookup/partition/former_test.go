package partition

import (
	"testing"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// What was sent to a member that has joined again under a new id is not for the new one, which has promised nothing.
func TestSpawnForTheFormerMember(t *testing.T) {
	l, s, view := newLookup(t)
	address := s.system.Address()
	view.Members = append(view.Members, driver.Member{ID: "b", Address: address})
	l.SetView(view)
	owner := s.system.Root.Spawn(actor.PropsFromFunc(func(actor.Context) {}))
	former := driver.Member{ID: "former", Address: address}
	s.system.Root.RequestWithCustomSender(pidOf(former, HostName),
		&packet{From: "b", Message: &placement.Spawn{Identity: alice, Fence: driver.Fence{Term: 3, Seq: 2}}}, owner)
	if err := l.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := s.starts.Load(); n != 0 {
		t.Errorf("%d activations of a grant to another member", n)
	}
}
