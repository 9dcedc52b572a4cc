package admin

import (
	"context"
	"fmt"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup/partition"
	"github.com/granary-go/granary/internal/placement"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// maxProbed bounds the identities that another member asks about at a time. An audit asks
// about some thousand.
const maxProbed = 100_000

// localSample is the part of an audit that this process knows by itself.
func (s *server) localSample(ctx context.Context, r *pb.SampleAsk) *pb.Answer {
	if s.cluster.Inspect().HasLookupStore() {
		return failed(s.self(), pb.Reason_REASON_NOT_SERVED,
			"a database keeps where its grains are: there is no owner to compare it with; explain compares one grain with the database")
	}
	slots, err := s.cluster.Inspect().Slots(partition.Key{})
	if err != nil {
		return failed(s.self(), pb.Reason_REASON_SILENT, clean(err.Error(), maxText))
	}
	taken, err := slots.Sample(ctx, int(min(r.GetLimit(), MaxSample)))
	if err != nil {
		return failed(s.self(), pb.Reason_REASON_SILENT, clean(err.Error(), maxText))
	}
	out := &pb.Sample{Epoch: s.cluster.View().Epoch, Violations: int64(taken.Violations)}
	for _, e := range taken.Hosted {
		out.Hosted = append(out.Hosted, activationOut(e.Identity, e.Fence, ""))
	}
	for _, e := range taken.Entered {
		out.Entered = append(out.Entered, activationOut(e.Identity, e.Fence, e.Host))
	}
	return &pb.Answer{What: &pb.Answer_Sample{Sample: out}}
}

// localProbe says what this process has of identities, as their owner or as their host.
func (s *server) localProbe(ctx context.Context, r *pb.ProbeAsk) *pb.Answer {
	if n := len(r.GetIdentities()); n > maxProbed {
		return failed(s.self(), pb.Reason_REASON_INVALID, fmt.Sprintf("%d identities are asked about; the limit is %d", n, maxProbed))
	}
	ids := make([]driver.Identity, 0, len(r.GetIdentities()))
	for _, a := range r.GetIdentities() {
		ids = append(ids, identityIn(a))
	}
	slots, err := s.cluster.Inspect().Slots(partition.Key{})
	if err != nil {
		return failed(s.self(), pb.Reason_REASON_SILENT, clean(err.Error(), maxText))
	}
	out := &pb.Probe{Epoch: s.cluster.View().Epoch}
	if r.GetAsOwner() {
		var states []placement.OwnerState
		states, err = slots.ProbeOwner(ctx, ids)
		for _, o := range states {
			out.Findings, out.Epoch = append(out.Findings, ownerFinding(o)), o.Epoch
		}
	} else {
		var states []placement.HostState
		states, err = slots.ProbeHost(ctx, ids)
		for _, h := range states {
			out.Findings, out.Epoch = append(out.Findings, hostFinding(h)), h.Epoch
		}
	}
	if err != nil {
		return failed(s.self(), pb.Reason_REASON_SILENT, clean(err.Error(), maxText))
	}
	return &pb.Answer{What: &pb.Answer_Probe{Probe: out}}
}

func ownerFinding(o placement.OwnerState) *pb.Finding {
	f := &pb.Finding{Slot: o.State.String(), Promised: o.Term}
	if o.Entry != nil {
		f.Phase, f.Term, f.Seq, f.Member = o.Entry.Phase.String(), o.Entry.Fence.Term, o.Entry.Fence.Seq, string(o.Entry.Host)
	}
	return f
}

func hostFinding(h placement.HostState) *pb.Finding {
	f := &pb.Finding{Promised: h.Promised, Term: h.Fence.Term, Seq: h.Fence.Seq}
	switch h.Phase {
	case placement.Running:
		f.Phase = "running"
	case placement.Stopping:
		f.Phase = "stopping"
	}
	return f
}
