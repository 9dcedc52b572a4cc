package admin_test

import (
	"testing"

	"github.com/granary-go/granary/cluster/admin"
	pb "github.com/granary-go/granary/wire/adminpb"
)

func TestAudit(t *testing.T) {
	w := newWorld(t)
	all := w.members(3)
	say(t, all[0], names("a", 300)...)
	r, err := w.dial(all[1]).Audit(t.Context(), &pb.AuditRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Hosted != 300 || r.Entered != 300 || len(r.Violations) != 0 || r.Unsettled != 0 || r.Recorded != 0 || len(r.Failures) != 0 {
		t.Errorf("%v", r)
	}
	r, err = w.dial(all[1]).Audit(t.Context(), &pb.AuditRequest{Sample: 20})
	if err != nil || r.Hosted == 0 || r.Hosted > 60 || r.Entered == 0 || r.Entered > 60 {
		t.Errorf("%v, %v", r, err)
	}
}

// What does not answer cannot be judged, and is no violation.
func TestAuditWithAMemberThatIsSilent(t *testing.T) {
	w := newWorld(t)
	all := w.members(2)
	mute := w.member()
	w.until(func() bool { return len(all[0].Members()) == 3 && len(mute.Inspect().Unready(t.Context())) == 0 })
	say(t, all[0], names("a", 100)...)
	r, err := w.dial(all[0]).Audit(t.Context(), &pb.AuditRequest{Sample: admin.MaxSample})
	if err != nil || len(r.Failures) != 1 || len(r.Violations) != 0 || r.Unsettled == 0 {
		t.Errorf("%v, %v", r, err)
	}
}
