package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
	pb "github.com/granary-go/granary/wire/adminpb"
)

const (
	// A pair that does not agree is looked at again, so often and with such pauses: a
	// message between owner and host may be under way.
	auditLooks = 4
	auditPause = 400 * time.Millisecond
	// maxViolations bounds those that are listed.
	maxViolations = 100
)

// Audit implements the service: it samples invariants 3 and 9 of docs/design/placement.md.
func (s *server) Audit(ctx context.Context, r *pb.AuditRequest) (*pb.AuditResponse, error) {
	ctx, view, done, err := s.beginInView(ctx, Request{Operation: Audit})
	if err != nil {
		return nil, err
	}
	defer done()
	n := uint32(DefaultSample)
	if r.GetSample() > 0 {
		n = min(r.Sample, MaxSample)
	}
	out := &pb.AuditResponse{Epoch: view.Epoch}
	answers := s.askAll(ctx, view.Members, same(&pb.Ask{What: &pb.Ask_Sample{Sample: &pb.SampleAsk{Limit: n}}}))
	out.Failures = failures(answers)
	a := audit{server: s, out: out, table: placement.NewTable(view)}
	for i, m := range view.Members {
		said := answers[i].GetSample()
		out.Recorded += said.GetViolations()
		for _, h := range said.GetHosted() {
			a.pairs = append(a.pairs, &pair{invariant: 3, identity: identityIn(h), token: tokenOf(h.Term, h.Seq), host: m.ID})
			out.Hosted++
		}
		for _, e := range said.GetEntered() {
			a.pairs = append(a.pairs, &pair{invariant: 9, identity: identityIn(e), token: tokenOf(e.Term, e.Seq), host: driver.MemberID(e.Member)})
			out.Entered++
		}
	}
	return out, a.run(ctx)
}

func tokenOf(term, seq uint64) driver.Fence { return driver.Fence{Term: term, Seq: seq} }

// pair is an activation of which one side has spoken: its host (3), or its owner (9).
type pair struct {
	invariant uint32
	identity  driver.Identity
	token     driver.Fence
	host      driver.MemberID

	owner             driver.MemberID
	atOwner, atHost   *pb.Finding
	ownerEpoch, epoch uint64
}

type audit struct {
	server *server
	out    *pb.AuditResponse
	table  *placement.Table
	pairs  []*pair
}

// run looks at all pairs, and again at those that do not agree.
func (a *audit) run(ctx context.Context) error {
	for look := 1; len(a.pairs) > 0; look++ {
		view, err := a.server.view()
		if err != nil {
			return err
		}
		a.look(ctx, view)
		var left []*pair
		for _, p := range a.pairs {
			if p.verdict() != agreed {
				left = append(left, p)
			} else if look > 1 {
				a.out.Settled++
			}
		}
		a.pairs = left
		if look == auditLooks || len(left) == 0 {
			break
		}
		timer := time.NewTimer(auditPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return statusOf(ctx.Err())
		}
	}
	view := a.server.cluster.View()
	for _, p := range a.pairs {
		switch {
		case p.verdict() == undecided:
			a.out.Unsettled++
		case len(a.out.Violations) == maxViolations:
			a.out.MoreViolations++
		default:
			a.out.Violations = append(a.out.Violations, p.violation(view))
		}
	}
	return nil
}

// look asks owners and hosts, each once for all that concerns it.
func (a *audit) look(ctx context.Context, view driver.View) {
	if a.table == nil || view.Epoch != a.out.Epoch {
		a.table, a.out.Epoch = placement.NewTable(view), view.Epoch
	}
	asOwner, asHost := make(map[driver.MemberID][]*pair), make(map[driver.MemberID][]*pair)
	for _, p := range a.pairs {
		p.atOwner, p.atHost = nil, nil
		if m, ok := a.table.Owner(placement.SlotOf(p.identity)); ok {
			p.owner = m.ID
			asOwner[m.ID] = append(asOwner[m.ID], p)
		}
		asHost[p.host] = append(asHost[p.host], p)
	}
	a.probe(ctx, view, asOwner, true)
	a.probe(ctx, view, asHost, false)
}

func (a *audit) probe(ctx context.Context, view driver.View, of map[driver.MemberID][]*pair, asOwner bool) {
	answers := a.server.askAll(ctx, view.Members, func(m driver.Member) *pb.Ask {
		q := &pb.ProbeAsk{AsOwner: asOwner}
		for _, p := range of[m.ID] {
			q.Identities = append(q.Identities, &pb.Activation{Kind: p.identity.Kind, Identity: p.identity.Name})
		}
		return &pb.Ask{What: &pb.Ask_Probe{Probe: q}}
	})
	for i, m := range view.Members {
		said := answers[i].GetProbe()
		if len(said.GetFindings()) != len(of[m.ID]) {
			continue // it has not answered, or not all
		}
		for j, p := range of[m.ID] {
			if asOwner {
				p.atOwner, p.ownerEpoch = said.Findings[j], said.Epoch
			} else {
				p.atHost, p.epoch = said.Findings[j], said.Epoch
			}
		}
	}
}

type verdict int

const (
	agreed verdict = iota
	undecided
	violated
)

// verdict compares what owner and host say. What is on its way may differ.
func (p *pair) verdict() verdict {
	if p.atHost == nil && p.atOwner == nil {
		return undecided
	}
	if p.atHost == nil || p.atOwner == nil || p.atOwner.Slot != "open" || p.atHost.Promised > p.atOwner.Promised || p.ownerEpoch != p.epoch {
		return undecided
	}
	owner, host := tokenOf(p.atOwner.Term, p.atOwner.Seq), tokenOf(p.atHost.Term, p.atHost.Seq)
	runs := p.atHost.Phase == "running"
	stands := p.atOwner.Phase == "granted" && driver.MemberID(p.atOwner.Member) == p.host
	switch {
	case runs && stands && owner == host:
		return agreed
	case p.atHost.Phase == "" && (p.atOwner.Phase == "" || driver.MemberID(p.atOwner.Member) != p.host):
		return agreed // it has ended, or moved, since the sample was taken
	case p.atHost.Phase == "stopping" || p.atOwner.Phase == "granting" || p.atOwner.Phase == "ending":
		return undecided
	default:
		return violated
	}
}

func (p *pair) violation(view driver.View) *pb.Violation {
	return &pb.Violation{
		Invariant: p.invariant, Kind: p.identity.Kind, Identity: p.identity.Name,
		Owner: refIn(view, p.owner), OwnerSays: said(p.atOwner), Host: refIn(view, p.host), HostSays: said(p.atHost),
	}
}

func said(f *pb.Finding) string {
	switch {
	case f.GetPhase() == "":
		return "has nothing"
	case f.GetMember() != "":
		return fmt.Sprintf("%s to %s, token %s", f.Phase, f.Member, tokenOf(f.Term, f.Seq))
	default:
		return fmt.Sprintf("%s, token %s", f.Phase, tokenOf(f.Term, f.Seq))
	}
}
