package admin

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	pb "github.com/granary-go/granary/wire/adminpb"
)

const (
	// maxCursor bounds a cursor: it holds a kind, an identity and a member.
	maxCursor = 4096
	// defaultBusiest is how many of the busiest grains are told, cluster.MaxBusiest at most.
	defaultBusiest = 20
	// maxGathered bounds what members send for one page, all together, in bytes.
	maxGathered = 16 << 20
	leastPage   = 64 << 10
)

// Grains implements the service. Each member sends the page that it would give
// alone, and the page is the part of them that is complete.
func (s *server) Grains(ctx context.Context, r *pb.GrainsRequest) (*pb.GrainsResponse, error) {
	ctx, view, done, err := s.beginInView(ctx, Request{Operation: Grains, Kind: r.GetKind(), Member: r.GetMember()})
	if err != nil {
		return nil, err
	}
	defer done()
	if _, err := cursorIn(r.GetAfter()); err != nil {
		return nil, err
	}
	if r.GetKind() != "" {
		if _, err := s.hostsOf(r.Kind); err != nil {
			return nil, err
		}
	}
	members := view.Members
	if r.GetMember() != "" {
		m, err := find(view, r.Member)
		if err != nil {
			return nil, err
		}
		members = []driver.Member{m}
	}
	question := &pb.GrainsRequest{
		Kind: r.GetKind(), Prefix: r.GetPrefix(), Limit: r.GetLimit(), After: r.GetAfter(), Busiest: r.GetBusiest(),
		MaxBytes: uint32(max(maxGathered/max(len(members), 1), leastPage)),
	}
	answers := s.askAll(ctx, members, same(&pb.Ask{What: &pb.Ask_Grains{Grains: question}}))
	pages := make([]*pb.GrainsResponse, len(members))
	for i, a := range answers {
		pages[i] = a.GetGrains()
		for _, g := range pages[i].GetGrains() {
			g.Member = refTo(members[i])
		}
	}
	out := merged(pages, r)
	out.Failures = failures(answers)
	return out, nil
}

// merged is the page of all members: what they have told, up to where all of them have told
// everything.
func merged(pages []*pb.GrainsResponse, r *pb.GrainsRequest) *pb.GrainsResponse {
	out := new(pb.GrainsResponse)
	var last *pb.Grain // behind which somebody has more
	for _, page := range pages {
		if n := len(page.GetGrains()); page.GetNext() != "" && n > 0 && (last == nil || compareGrains(page.Grains[n-1], last) < 0) {
			last = page.Grains[n-1]
		}
		out.Grains = append(out.Grains, page.GetGrains()...)
		out.Active += page.GetActive()
	}
	if r.GetBusiest() {
		slices.SortStableFunc(out.Grains, func(a, b *pb.Grain) int { return cmp.Compare(b.Rate, a.Rate) })
		out.Grains = out.Grains[:min(len(out.Grains), busiestOf(r))]
		return out
	}
	slices.SortFunc(out.Grains, compareGrains)
	n := len(out.Grains)
	if last != nil {
		n, _ = slices.BinarySearchFunc(out.Grains, last, compareGrains)
		n++
	}
	n = fitting(out.Grains[:n], pageOf(r), maxPageBytes)
	if n < len(out.Grains) || last != nil {
		out.Next = cursorOut(out.Grains[n-1])
	}
	out.Grains = out.Grains[:n]
	return out
}

// localGrains is the page of this process.
func (s *server) localGrains(ctx context.Context, r *pb.GrainsRequest) *pb.Answer {
	after, err := cursorIn(r.GetAfter())
	if err != nil {
		return failed(s.self(), pb.Reason_REASON_INVALID, status.Convert(err).Message())
	}
	if r.GetBusiest() {
		return &pb.Answer{What: &pb.Answer_Grains{Grains: s.localBusiest(r)}}
	}
	self := string(s.cluster.MemberID())
	found, active, err := s.lister.first(ctx, s.cluster.Inspect().Activations(), filter{r.GetKind(), r.GetPrefix()}, self, after, pageOf(r)+1)
	if err != nil {
		return failed(s.self(), pb.Reason_REASON_SILENT, "it lists its grains for others at the moment")
	}
	out := &pb.GrainsResponse{Active: active}
	for _, a := range found {
		out.Grains = append(out.Grains, &pb.Grain{
			Kind: a.Kind, Identity: a.Identity, Member: &pb.MemberRef{Id: self}, Token: a.Token.String(), Handled: a.Handled,
		})
	}
	most := uint32(maxPageBytes)
	if b := r.GetMaxBytes(); b > 0 && b < most {
		most = b
	}
	if n := fitting(out.Grains, pageOf(r), int(most)); n < len(out.Grains) {
		out.Next, out.Grains = cursorOut(out.Grains[n-1]), out.Grains[:n]
	}
	return &pb.Answer{What: &pb.Answer_Grains{Grains: out}}
}

func (s *server) localBusiest(r *pb.GrainsRequest) *pb.GrainsResponse {
	survey := s.cluster.Inspect().Survey()
	out := &pb.GrainsResponse{Active: s.cluster.Inspect().Active()}
	for _, b := range survey.Busiest {
		if r.GetKind() != "" && b.Kind != r.Kind || !strings.HasPrefix(b.Identity, r.GetPrefix()) || len(out.Grains) == busiestOf(r) {
			continue
		}
		g := &pb.Grain{Kind: b.Kind, Identity: b.Identity, Token: b.Token.String(), Handled: b.Handled}
		if survey.Over > 0 {
			g.Rate = float64(b.Lately) / survey.Over.Seconds()
		}
		out.Grains = append(out.Grains, g)
	}
	return out
}

func pageOf(r *pb.GrainsRequest) int {
	if r.GetLimit() == 0 {
		return DefaultPage
	}
	return int(min(r.Limit, MaxPage))
}

func busiestOf(r *pb.GrainsRequest) int {
	if r.GetLimit() == 0 {
		return defaultBusiest
	}
	return int(min(r.Limit, cluster.MaxBusiest))
}

// fitting is how many grains a page has, at least one if there is one.
func fitting(grains []*pb.Grain, most, bytes int) int {
	for i, g := range grains {
		bytes -= len(g.Kind) + len(g.Identity) + 100 // a token, a member and what protobuf adds
		if i == most || i > 0 && bytes < 0 {
			return i
		}
	}
	return len(grains)
}

func compareGrains(a, b *pb.Grain) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Identity, b.Identity),
		strings.Compare(a.GetMember().GetId(), b.GetMember().GetId()))
}

func cursorOut(g *pb.Grain) string {
	data, err := proto.Marshal(&pb.Activation{Kind: g.Kind, Identity: g.Identity, Member: g.GetMember().GetId()})
	if err != nil {
		return "" // what is listed was valid UTF-8 when it was activated
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func cursorIn(cursor string) (*pb.Grain, error) {
	if cursor == "" {
		return nil, nil
	}
	var a pb.Activation
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = proto.Unmarshal(data, &a)
	}
	if err != nil || len(cursor) > maxCursor {
		return nil, status.Error(codes.InvalidArgument, "admin: after is no cursor: give the next of a page, unchanged")
	}
	return &pb.Grain{Kind: a.Kind, Identity: a.Identity, Member: &pb.MemberRef{Id: a.Member}}, nil
}
