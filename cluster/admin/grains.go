package admin

import (
	"cmp"
	"container/heap"
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
	// defaultBusiest and maxBusiest are how many of the busiest grains are told.
	defaultBusiest = 20
	maxBusiest     = 50
	// maxGathered bounds what members send for one page, all together, in bytes.
	maxGathered = 16 << 20
	leastPage   = 64 << 10
)

// Grains implements the service. Each member sends the page that it would give
// alone, and the page is the part of them that is complete.
func (s *server) Grains(ctx context.Context, r *pb.GrainsRequest) (*pb.GrainsResponse, error) {
	ctx, done, err := s.begin(ctx, Request{Operation: Grains, Kind: r.GetKind(), Member: r.GetMember()})
	if err != nil {
		return nil, err
	}
	defer done()
	view, err := s.view()
	if err != nil {
		return nil, err
	}
	if _, err := cursorIn(r.GetAfter()); err != nil {
		return nil, err
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
	out := &pb.GrainsResponse{Failures: failures(answers)}
	var last *pb.Grain // up to which all members have told what they have
	for i, a := range answers {
		page := a.GetGrains()
		for _, g := range page.GetGrains() {
			g.Member = refTo(members[i])
		}
		if n := len(page.GetGrains()); page.GetNext() != "" && n > 0 && (last == nil || compareGrains(page.Grains[n-1], last) < 0) {
			last = page.Grains[n-1]
		}
		out.Grains = append(out.Grains, page.GetGrains()...)
		out.Active += page.GetActive()
	}
	if r.GetBusiest() {
		slices.SortStableFunc(out.Grains, func(a, b *pb.Grain) int { return cmp.Compare(b.Rate, a.Rate) })
		out.Grains = out.Grains[:min(len(out.Grains), busiestOf(r))]
		return out, nil
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
	return out, nil
}

// localGrains is the page of this process.
func (s *server) localGrains(r *pb.GrainsRequest) *pb.Answer {
	after, err := cursorIn(r.GetAfter())
	if err != nil {
		return failed(s.self(), pb.Reason_REASON_INVALID, status.Convert(err).Message())
	}
	if r.GetBusiest() {
		return &pb.Answer{What: &pb.Answer_Grains{Grains: s.localBusiest(r)}}
	}
	self, inspect := &pb.MemberRef{Id: string(s.cluster.MemberID())}, s.cluster.Inspect()
	first := firstGrains{most: pageOf(r) + 1}
	out := new(pb.GrainsResponse)
	for a := range inspect.Activations() {
		if r.GetKind() != "" && a.Kind != r.Kind || !strings.HasPrefix(a.Identity, r.GetPrefix()) {
			continue
		}
		out.Active++
		if first.takes(a) && isBehind(a, self.Id, after) {
			first.add(a)
		}
	}
	for _, a := range first.all {
		out.Grains = append(out.Grains, &pb.Grain{Kind: a.Kind, Identity: a.Identity, Member: self, Token: a.Token.String(), Handled: a.Handled})
	}
	slices.SortFunc(out.Grains, compareGrains)
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
	return int(min(r.Limit, maxBusiest))
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

// isBehind reports whether an activation of a member comes behind a cursor.
func isBehind(a cluster.Activation, member string, cursor *pb.Grain) bool {
	return cursor == nil || cmp.Or(strings.Compare(a.Kind, cursor.Kind), strings.Compare(a.Identity, cursor.Identity),
		strings.Compare(member, cursor.GetMember().GetId())) > 0
}

// firstGrains keeps those that come first, in the order of pages: the last of them is
// at the top of a heap.
type firstGrains struct {
	all  []cluster.Activation
	most int
}

func (f *firstGrains) takes(a cluster.Activation) bool {
	return len(f.all) < f.most || compareActivations(a, f.all[0]) < 0
}

func (f *firstGrains) add(a cluster.Activation) {
	if len(f.all) < f.most {
		heap.Push(f, a)
		return
	}
	f.all[0] = a
	heap.Fix(f, 0)
}

func compareActivations(a, b cluster.Activation) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Identity, b.Identity))
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (f *firstGrains) Len() int           { return len(f.all) }
func (f *firstGrains) Less(i, j int) bool { return compareActivations(f.all[i], f.all[j]) > 0 }
func (f *firstGrains) Swap(i, j int)      { f.all[i], f.all[j] = f.all[j], f.all[i] }

// Push implements heap.Interface.
func (f *firstGrains) Push(x any) {
	if a, ok := x.(cluster.Activation); ok {
		f.all = append(f.all, a)
	}
}

// Pop implements heap.Interface.
func (f *firstGrains) Pop() any {
	last := f.all[len(f.all)-1]
	f.all = f.all[:len(f.all)-1]
	return last
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
