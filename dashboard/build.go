package dashboard

import (
	"maps"
	"slices"
	"time"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// maxLabels and maxLabel bound the labels of a member that are shown.
const (
	maxLabels = 6
	maxLabel  = 80
)

func (s *snapshot) takeMembers(members []*pb.Member, r *rates) {
	t := &s.Totals
	t.Members = len(members)
	for _, m := range members {
		shown := memberOf(m)
		t.Active += shown.Active
		t.Waiting += shown.Waiting
		t.Dead += shown.Dead
		t.Moving += int(shown.Moving)
		switch {
		case !shown.Answered:
			t.Silent++
		case shown.Ready:
			t.Ready++
		}
		if m.GetState() == pb.State_STATE_LEAVING {
			t.Leaving++
		}
		if status := m.GetStatus(); status != nil {
			at := time.Unix(0, status.GetAtUnixNanos())
			shown.Handled = r.of("handled\x00"+m.GetId(), at, status.GetHandled())
			shown.Traffic = r.of("traffic\x00"+m.GetId(), at, status.GetSent()+status.GetReceived())
			t.Handled = plus(t.Handled, shown.Handled)
			t.DeadRate = plus(t.DeadRate, r.of("dead\x00"+m.GetId(), at, status.GetDeadLetters()))
		}
		if len(s.Members) < MaxMembers {
			s.Members = append(s.Members, shown)
		} else {
			s.MoreMembers++
		}
	}
}

func memberOf(m *pb.Member) member {
	out := member{
		ref: refOf(&pb.MemberRef{Id: m.GetId(), Address: m.GetAddress()}), State: word(m.GetState(), "STATE_"), Slots: m.GetSlots(),
	}
	for _, k := range m.GetKinds()[:min(len(m.GetKinds()), MaxKinds)] {
		out.Kinds = append(out.Kinds, short(k.GetName(), maxText))
	}
	for _, name := range slices.Sorted(maps.Keys(m.GetLabels())) {
		if len(out.Labels) == maxLabels {
			break
		}
		out.Labels = append(out.Labels, short(name+"="+m.GetLabels()[name], maxLabel))
	}
	s := m.GetStatus()
	if s == nil {
		return out
	}
	out.Answered, out.Ready, out.Lease = true, s.GetReady(), word(s.GetLease(), "LEASE_")
	for _, why := range s.GetUnready()[:min(len(s.GetUnready()), maxLabels)] {
		out.Unready = append(out.Unready, short(why, maxText))
	}
	out.Up = (s.GetAtUnixNanos() - s.GetStartedUnixNanos()) / int64(time.Second)
	out.Active, out.Waiting, out.Moving, out.Dead, out.Fenced = s.GetActive(), s.GetWaiting(), s.GetAcquiring(), s.GetDeadLetters(), s.GetFenced()
	out.Heap, out.Routines, out.Version = s.GetHeapBytes(), s.GetGoroutines(), short(s.GetVersion(), maxLabel)
	for _, op := range s.GetAllowed()[:min(len(s.GetAllowed()), maxLabels)] {
		out.Allowed = append(out.Allowed, short(op, maxLabel))
	}
	return out
}

func (s *snapshot) takeKinds(r *pb.KindsResponse, at time.Time, over *rates) {
	for _, k := range r.GetKinds() {
		if len(s.Kinds) == MaxKinds {
			s.MoreKinds++
			continue
		}
		out := kind{
			Name: short(k.GetKind().GetName(), maxText), Guarantee: word(k.GetKind().GetGuarantee(), "GUARANTEE_"),
			Strategy: short(k.GetKind().GetStrategy(), maxLabel), Active: k.GetActive(), Activated: k.GetActivated(),
		}
		if out.Strategy == "" {
			out.Strategy = "round robin"
		}
		for _, on := range k.GetMembers() {
			if on.GetAnswered() {
				name := "kind\x00" + k.GetKind().GetName() + "\x00" + on.GetMember().GetId()
				out.Handled = plus(out.Handled, over.of(name, at, on.GetHandled()))
			}
			if on.GetActive() > 0 && len(out.On) < MaxMembers {
				out.On = append(out.On, share{ID: short(on.GetMember().GetId(), maxText), Count: on.GetActive()})
			}
		}
		s.Kinds = append(s.Kinds, out)
	}
}

func (s *snapshot) takeSlots(r *pb.SlotsResponse) {
	if r == nil {
		return
	}
	out := &slots{InDatabase: r.GetInDatabase(), Total: len(r.GetOwnerOfSlot())}
	owned := 0
	for _, o := range r.GetOwners() {
		owned += int(o.GetSlots())
		out.Moving += len(o.GetAcquiring())
		if o.GetSlots() == 0 && len(o.GetAcquiring()) == 0 || len(out.Owners) == MaxMembers {
			continue
		}
		out.Owners = append(out.Owners, share{ID: short(o.GetMember().GetId(), maxText), Count: int64(o.GetSlots()), Moving: len(o.GetAcquiring())})
	}
	out.Nobody = max(out.Total-owned, 0)
	s.Totals.Moving = max(s.Totals.Moving, out.Moving)
	s.Slots = out
}
