package browser

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/granary-go/granary/dashboard"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// crowd is the admin service of a cluster of a hundred members with a million grains, of which one is fenced, one leaves,
// one does not answer, and some slots are on their way.
type crowd struct {
	pb.AdminClient

	turn atomic.Int64
}

const (
	crowded = 100
	million = 1_000_000
)

func (c *crowd) ref(i int) *pb.MemberRef {
	return &pb.MemberRef{Id: fmt.Sprintf("%016X", 0x5eed*(i+1)), Address: fmt.Sprintf("10.0.%d.%d:8090", i/10, i%10)}
}

func (c *crowd) Members(context.Context, *pb.MembersRequest, ...grpc.CallOption) (*pb.MembersResponse, error) {
	turn := c.turn.Add(1)
	out := &pb.MembersResponse{Cluster: "orders", Epoch: 4711, AnsweredBy: c.ref(0)}
	for i := range crowded {
		m := &pb.Member{Id: c.ref(i).Id, Address: c.ref(i).Address, State: pb.State_STATE_ACTIVE, Slots: 41, Labels: map[string]string{"zone": string(rune('a' + i%3))}}
		m.Status = &pb.Status{
			Ready: true, Lease: pb.Lease_LEASE_VALID, AtUnixNanos: time.Now().UnixNano(), StartedUnixNanos: time.Now().Add(-time.Duration(i+1) * time.Hour).UnixNano(),
			Active: int64(million/crowded + 37*(i%9)), Handled: uint64(turn) * uint64(800+i*3), HeapBytes: uint64(i+100) << 20, Version: "v0.9.0",
		}
		switch i {
		case 17:
			m.Status.Ready, m.Status.Lease, m.Status.Unready = false, pb.Lease_LEASE_DRAINING, []string{"its lease was not renewed: can the membership provider be reached?"}
		case 42:
			m.State = pb.State_STATE_LEAVING
		case 99:
			m.Status = nil
			out.Failures = append(out.Failures, &pb.Failure{Member: c.ref(i), Why: "no answer in time", Reason: pb.Reason_REASON_SILENT})
		}
		out.Members = append(out.Members, m)
	}
	return out, nil
}

func (c *crowd) Kinds(context.Context, *pb.KindsRequest, ...grpc.CallOption) (*pb.KindsResponse, error) {
	out := new(pb.KindsResponse)
	for n, name := range []string{"Cart", "Order", "Shipment", "User"} {
		k := &pb.KindInfo{Kind: &pb.Kind{Name: name, Guarantee: pb.Guarantee(n%3 + 1)}, Active: million / 4, Activated: 9 * million}
		for i := range crowded {
			k.Members = append(k.Members, &pb.KindOnMember{Member: c.ref(i), Answered: true, Active: int64(million/4/crowded + i), Handled: uint64(c.turn.Load()) * 300})
		}
		out.Kinds = append(out.Kinds, k)
	}
	return out, nil
}

func (c *crowd) Slots(context.Context, *pb.SlotsRequest, ...grpc.CallOption) (*pb.SlotsResponse, error) {
	out := &pb.SlotsResponse{OwnerOfSlot: make([]uint32, 4096)}
	for i := range crowded {
		o := &pb.SlotOwner{Member: c.ref(i), Slots: 41, Answered: true}
		if i%10 == 3 {
			o.Acquiring = []uint32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
		}
		out.Owners = append(out.Owners, o)
	}
	return out, nil
}

func (c *crowd) Grains(_ context.Context, r *pb.GrainsRequest, _ ...grpc.CallOption) (*pb.GrainsResponse, error) {
	out := &pb.GrainsResponse{Active: million, Next: "more"}
	for i := range r.GetLimit() {
		out.Grains = append(out.Grains, &pb.Grain{Kind: r.GetKind(), Identity: fmt.Sprintf("%s%s%06d", r.GetPrefix(), r.GetAfter(), i), Member: c.ref(int(i)), Handled: uint64(i)})
	}
	return out, nil
}

func (c *crowd) Watch(ctx context.Context, _ *pb.WatchRequest, _ ...grpc.CallOption) (grpc.ServerStreamingClient[pb.WatchResponse], error) {
	return &chatter{ctx: ctx, crowd: c}, nil
}

// chatter tells more dead letters than a page reads: a thousand at a time, ten times a second.
type chatter struct {
	grpc.ClientStream

	ctx   context.Context
	crowd *crowd
	n     int
}

func (c *chatter) Recv() (*pb.WatchResponse, error) {
	if c.n++; c.n%1000 == 0 {
		timer := time.NewTimer(100 * time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.ctx.Done():
		}
	}
	return &pb.WatchResponse{Event: &pb.Event{AtUnixNanos: time.Now().UnixNano(), Member: c.crowd.ref(c.n % crowded), What: &pb.Event_DeadLetter{
		DeadLetter: &pb.DeadLetter{Target: fmt.Sprintf("Cart/%d", c.n), MessageType: "shop.Add", Reason: "the actor has stopped", Count: 3},
	}}}, c.ctx.Err()
}

// With a hundred members, a million grains and more events than it can read the page stays small and answers.
func TestCrowd(t *testing.T) {
	installed(t)
	board := dashboard.New(&crowd{}, dashboard.WithInterval(200*time.Millisecond))
	server := httptest.NewServer(board)
	defer server.Close()
	defer board.Close()
	p := open(t, server.URL)
	p.await("all members", `document.querySelectorAll('#members tbody tr').length === 100`)
	p.await("their troubles", `document.querySelector('#health-text').textContent === '1 member gives no answer'`)
	p.await("who does not answer", `document.querySelector('#problems').textContent.includes('10.0.9.9:8090: no answer in time')`)
	p.await("slots on their way", `document.querySelectorAll('#ring .moving').length === 10 && document.querySelector('#ring text').textContent === '120'`)
	p.await("rates", `/^[\d,]+$/.test(document.querySelector('#members tbody .rate').textContent)`)
	_ = gives[bool](p, `(document.querySelector('#members thead th:nth-child(2) button').click(), true)`)
	_ = gives[bool](p, `(document.querySelector('#members thead th:nth-child(4) button').click(), true)`)
	p.await("the order", `document.querySelector('#members thead th:nth-child(4)').getAttribute('aria-sort') === 'descending' && document.querySelector('#members tbody td:nth-child(4)').textContent === '10,296'`)
	_ = gives[bool](p, `(document.querySelector('#filter').value = 'zone=b', document.querySelector('#filter').dispatchEvent(new Event('input')), true)`)
	p.await("some members", `document.querySelectorAll('#members tbody tr').length === 33`)
	_ = gives[bool](p, `(document.querySelector('#filter').value = '', document.querySelector('#filter').dispatchEvent(new Event('input')), document.querySelector('#find-list').click(), true)`)
	p.await("a page of grains", `document.querySelectorAll('#found tbody tr').length === 50 && document.querySelector('#find-said').textContent.includes('1,000,000')`)
	_ = gives[bool](p, `(document.querySelector('#found .buttons button').click(), true)`)
	p.await("the next page", `document.querySelector('#found button.link').textContent === 'more000000'`)
	p.await("events that are left out", `document.querySelector('#events').textContent.includes('this page reads too slowly') || document.querySelectorAll('#dead tbody tr').length === 100`)
	p.shoot("crowd")
	if n := gives[int](p, `document.querySelectorAll('*').length`); n > 12_000 {
		t.Errorf("the page has %d elements", n)
	}
}
