package cluster_test

import (
	"testing"

	"github.com/granary-go/granary/cluster/internal/lookup/partition"
)

// A member whose placement actor has ended does not stay in the view as one
// that answers nobody: it leaves, and joins again.
func TestMemberWhoseLookupFailedJoinsAgain(t *testing.T) {
	w := newWorld(t)
	a, b := w.member(), w.member()
	sees(t, b, 2)
	each(identities(50), func(id string) { add(t, b, id, 1) })
	before := a.MemberID()
	a.ActorSystem().Root.Stop(a.ActorSystem().NewLocalPID(partition.NameOf(partition.HostName, before)))
	until(t, a, func() bool { return a.MemberID() != before && a.MemberID() != "" && len(a.Members()) == 2 })
	until(t, b, func() bool { _, in := b.View().Member(a.MemberID()); return in })
	each(identities(50), func(id string) { add(t, b, id, 1) })
}
