package admin

import (
	"context"
	"maps"
	"slices"

	"github.com/granary-go/granary/cluster/internal/lookup/partition"
	"github.com/granary-go/granary/internal/placement"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// Kinds implements the service.
func (s *server) Kinds(ctx context.Context, _ *pb.KindsRequest) (*pb.KindsResponse, error) {
	ctx, view, done, err := s.beginInView(ctx, Request{Operation: Kinds})
	if err != nil {
		return nil, err
	}
	defer done()
	answers := s.askAll(ctx, view.Members, same(&pb.Ask{What: &pb.Ask_Kinds{Kinds: &pb.KindsRequest{}}}))
	byName := make(map[string]*pb.KindInfo)
	for i, m := range view.Members {
		counts := answers[i].GetKinds()
		for _, k := range m.Kinds {
			shown := kindOut(k)
			info := byName[shown.Name]
			if info == nil {
				info = &pb.KindInfo{Kind: shown}
				byName[shown.Name] = info
			}
			on := &pb.KindOnMember{Member: refTo(m), Answered: counts != nil}
			if had := counts.GetKinds()[k.Name]; had != nil {
				on.Active, on.Activated, on.Handled = had.Active, had.Activated, had.Handled
			}
			info.Members = append(info.Members, on)
			info.Active += on.Active
			info.Activated += on.Activated
			info.Handled += on.Handled
		}
	}
	out := &pb.KindsResponse{Failures: failures(answers)}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out.Kinds = append(out.Kinds, byName[name])
	}
	return out, nil
}

// kindCounts are those of this process.
func (s *server) kindCounts() *pb.KindCounts {
	out := &pb.KindCounts{Kinds: make(map[string]*pb.KindOnMember)}
	for name, k := range s.cluster.Inspect().Survey().Kinds {
		out.Kinds[clean(name, maxName)] = &pb.KindOnMember{Active: k.Active, Activated: k.Activated, Handled: k.Handled}
	}
	return out
}

// Slots implements the service.
func (s *server) Slots(ctx context.Context, _ *pb.SlotsRequest) (*pb.SlotsResponse, error) {
	ctx, view, done, err := s.beginInView(ctx, Request{Operation: Slots})
	if err != nil {
		return nil, err
	}
	defer done()
	out := &pb.SlotsResponse{Incarnation: clean(view.Incarnation, maxName), Epoch: view.Epoch}
	if out.InDatabase = s.cluster.Inspect().HasLookupStore(); out.InDatabase {
		return out, nil
	}
	answers := s.askAll(ctx, view.Members, same(&pb.Ask{What: &pb.Ask_Slots{Slots: &pb.SlotsRequest{}}}))
	place := make(map[string]uint32, len(view.Members))
	for i, m := range view.Members {
		owner := &pb.SlotOwner{Member: refTo(m)}
		if said := answers[i].GetSlots(); said != nil {
			owner.Answered, owner.Epoch, owner.Acquiring = true, said.Epoch, said.Acquiring
			owner.Entries, owner.Waiting = said.Entries, said.Waiting
		}
		out.Owners = append(out.Owners, owner)
		place[string(m.ID)] = uint32(i + 1)
	}
	table := placement.NewTable(view)
	out.OwnerOfSlot = make([]uint32, placement.SlotCount)
	for slot := range placement.Slot(placement.SlotCount) {
		if m, ok := table.Owner(slot); ok {
			at := place[string(m.ID)]
			out.OwnerOfSlot[slot] = at
			out.Owners[at-1].Slots++
		}
	}
	out.Failures = failures(answers)
	return out, nil
}

// load says how this member's slots are; zero, but for the epoch, where a database is the lookup.
func (s *server) load(ctx context.Context) (partition.OwnerLoad, error) {
	inspect := s.cluster.Inspect()
	if inspect.HasLookupStore() {
		return partition.OwnerLoad{Epoch: s.cluster.View().Epoch}, inspect.Err()
	}
	slots, err := inspect.Slots(partition.Key{})
	if err != nil {
		return partition.OwnerLoad{}, err
	}
	return slots.Load(ctx)
}

func (s *server) localSlots(ctx context.Context) *pb.Answer {
	load, err := s.load(ctx)
	if err != nil {
		return failed(s.self(), pb.Reason_REASON_SILENT, "its owner of slots does not answer: "+clean(err.Error(), maxText))
	}
	out := &pb.SlotOwner{Epoch: load.Epoch, Entries: int64(load.Entries), Waiting: int64(load.Waiting)}
	for _, slot := range load.Acquiring {
		out.Acquiring = append(out.Acquiring, uint32(slot))
	}
	return &pb.Answer{What: &pb.Answer_Slots{Slots: out}}
}
