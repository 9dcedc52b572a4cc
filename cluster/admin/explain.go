package admin

import (
	"context"
	"encoding/json"

	"github.com/granary-go/granary/cluster/explanation"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// Explain implements the service.
func (s *server) Explain(ctx context.Context, r *pb.ExplainRequest) (*pb.ExplainResponse, error) {
	e, err := s.explain(ctx, Request{Operation: Explain, Kind: r.GetKind(), Identity: r.GetIdentity()})
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil, statusOf(err)
	}
	return &pb.ExplainResponse{
		Summary: clean(e.Summary(), maxExplained), Text: clean(e.String(), maxExplained), Json: string(text), Failures: silences(e),
	}, nil
}

// maxExplained bounds an explanation for people, which the cluster bounds already.
const maxExplained = 1 << 20

// Locate implements the service.
func (s *server) Locate(ctx context.Context, r *pb.LocateRequest) (*pb.LocateResponse, error) {
	e, err := s.explain(ctx, Request{Operation: Locate, Kind: r.GetKind(), Identity: r.GetIdentity()})
	if err != nil {
		return nil, err
	}
	out := &pb.LocateResponse{Summary: clean(e.Summary(), maxExplained), Failures: silences(e), Slot: uint32(e.Slot)}
	if e.Store != nil {
		if entry := e.Store.Entry; entry != nil && entry.Verdict != "void" {
			out.Active = e.Store.Host != "" || entry.Verdict != "live"
			out.Member, out.Token = refOut(explanation.Member{ID: entry.Member, Address: entry.Address}), entry.Token
		}
		return out, nil
	}
	if owner := e.Owner; owner != nil {
		out.Owner = refOut(owner.Member)
		if owner.Entry != nil {
			out.Active = owner.Entry.Phase == "granted"
			out.Member, out.Token = refOut(owner.Entry.Host), owner.Entry.Token
			return out, nil
		}
	}
	for _, h := range e.Hosts { // the owner cannot tell
		if h.Phase == "running" {
			out.Active, out.Member, out.Token = true, refOut(h.Member), h.Token
		}
	}
	return out, nil
}

func (s *server) explain(ctx context.Context, r Request) (explanation.Explanation, error) {
	ctx, done, err := s.begin(ctx, r)
	if err != nil {
		return explanation.Explanation{}, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, s.config.timeout)
	defer cancel()
	e, err := s.cluster.Explain(ctx, r.Identity, r.Kind)
	if err != nil {
		return e, statusOf(err)
	}
	return e, nil
}

func silences(e explanation.Explanation) (out []*pb.Failure) {
	for _, silent := range e.Silent {
		out = append(out, &pb.Failure{Member: refOut(silent.Member), Reason: pb.Reason_REASON_SILENT, Why: clean(silent.Why, maxText)})
	}
	if e.Store != nil {
		for _, problem := range e.Store.Problems {
			out = append(out, &pb.Failure{Reason: pb.Reason_REASON_SILENT, Why: clean(problem, maxText)})
		}
	}
	return out
}

func refOut(r explanation.Member) *pb.MemberRef {
	return &pb.MemberRef{Id: clean(string(r.ID), maxName), Address: clean(r.Address, maxName)}
}
