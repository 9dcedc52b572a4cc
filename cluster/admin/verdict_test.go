package admin

import (
	"testing"

	"github.com/granary-go/granary/cluster/driver"
	pb "github.com/granary-go/granary/wire/adminpb"
)

func TestVerdict(t *testing.T) {
	owner := func(slot, phase string, seq uint64, host string, term uint64) *pb.Finding {
		return &pb.Finding{Slot: slot, Phase: phase, Term: 7, Seq: seq, Member: host, Promised: term}
	}
	host := func(phase string, seq, promised uint64) *pb.Finding {
		f := &pb.Finding{Phase: phase, Promised: promised}
		if phase != "" {
			f.Term, f.Seq = 7, seq
		}
		return f
	}
	for name, c := range map[string]struct {
		owner, host *pb.Finding
		want        verdict
	}{
		"both have it":                  {owner("open", "granted", 1, "h", 9), host("running", 1, 9), agreed},
		"neither has it":                {owner("open", "", 0, "", 9), host("", 0, 9), agreed},
		"it is elsewhere by now":        {owner("open", "granted", 2, "other", 9), host("", 0, 9), agreed},
		"the owner has lost it":         {owner("open", "", 0, "", 9), host("running", 1, 9), violated},
		"the owner has another":         {owner("open", "granted", 2, "h", 9), host("running", 1, 9), violated},
		"there are two":                 {owner("open", "granted", 2, "other", 9), host("running", 1, 9), violated},
		"the host has lost it":          {owner("open", "granted", 1, "h", 9), host("", 0, 9), violated},
		"it stops":                      {owner("open", "", 0, "", 9), host("stopping", 1, 9), undecided},
		"it begins":                     {owner("open", "granting", 1, "h", 9), host("", 0, 9), undecided},
		"the slot is on its way":        {owner("acquiring", "", 0, "", 9), host("running", 1, 9), undecided},
		"the host has promised another": {owner("open", "", 0, "", 9), host("running", 1, 10), undecided},
		"the owner is silent":           {nil, host("running", 1, 9), undecided},
		"the host is silent":            {owner("open", "granted", 1, "h", 9), nil, undecided},
	} {
		p := pair{host: driver.MemberID("h"), atOwner: c.owner, atHost: c.host}
		if got := p.verdict(); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
		if c.want != violated {
			continue
		}
		if v := p.violation(driver.View{}); v.OwnerSays == v.HostSays || v.OwnerSays == "" || v.HostSays == "" {
			t.Errorf("%s: %v", name, v)
		}
	}
	p := pair{host: "h", atOwner: owner("open", "", 0, "", 9), atHost: host("running", 1, 9), ownerEpoch: 3, epoch: 4}
	if p.verdict() != undecided {
		t.Error("they go by different views")
	}
}
