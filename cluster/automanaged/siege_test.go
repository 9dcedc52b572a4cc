package automanaged

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/actor"
	pb "github.com/granary-go/granary/cluster/automanaged/internal/membershippb"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/servertest"
	"github.com/granary-go/granary/internal/view"
	"github.com/granary-go/granary/remote"
)

// guardedBy gives a member the bounds of a remote.
func guardedBy(p *process, opts ...remote.ConfigOption) *remote.Remote {
	r := remote.NewRemote(actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler))), remote.Configure("127.0.0.1", 0, opts...))
	p.request.Guard = r.Guard()
	return r
}

// elsewhere dials from another host of the loopback.
func elsewhere(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}).DialContext(ctx, "tcp", address)
}

// A flood at the ping port of a member, in connections and in requests that never come: it
// answers the other member and newcomers, and is bounded.
func TestPingPortUnderAttack(t *testing.T) {
	noLeaks(t)
	const ofHost, more, incoming = 4, 100, 4
	ports := []int{servertest.Port(t), servertest.Port(t)}
	hosts := []string{fmt.Sprintf("127.0.0.1:%d", ports[0]), fmt.Sprintf("127.0.0.1:%d", ports[1])}
	var all []*process
	for _, port := range ports {
		all = append(all, newProcess(t, NewWithConfig(5*time.Second, port, hosts...), "127.0.0.1", fmt.Sprintf("127.0.0.1:%d", servertest.Port(t))))
	}
	a, b := all[0], all[1]
	guard := guardedBy(a, remote.WithStrangerLimits(2*ofHost, ofHost), remote.WithRequestLimits(64, 4*incoming), remote.WithRequestTimeouts(3*time.Second, time.Minute))
	a.open()
	a.holds(a)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)

	var conns []net.Conn
	for range regular + ofHost + more {
		c, err := elsewhere(t.Context(), hosts[0])
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	// The last one is turned away, while those before are held.
	last := conns[len(conns)-1]
	_ = last.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadAll(last); err != nil && isTimeout(err) {
		t.Error("a connection too many is kept")
	}
	// The accepting side may be slower than the flood.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for guard.Stats().Refused < more {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%d were turned away, want %d", guard.Stats().Refused, more)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if most := before.HeapAlloc + 192<<20; after.HeapAlloc > most {
		t.Errorf("the heap grew from %d to %d", before.HeapAlloc, after.HeapAlloc)
	}
	b.open() // from the other host
	allHold(t, a, b)
	_ = conns[0].SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadAll(conns[0]); err != nil && isTimeout(err) {
		t.Error("a connection that says nothing is kept")
	}
	for _, c := range conns {
		_ = c.Close()
	}
	requestsThatNeverCome(t, hosts[0])
	allHold(t, a, b)
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// requestsThatNeverCome are all cancelled, also more than there is room for, and one that comes is answered meanwhile.
func requestsThatNeverCome(t *testing.T, address string) {
	t.Helper()
	const ofConn = 64 // as WithRequestLimits says
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for range regular/ofConn + 1 {
		client := pingClient(t, address)
		for i := range ofConn {
			method := []string{pb.Membership_Ping_FullMethodName, pb.Membership_Watch_FullMethodName}[i%2]
			s, err := client.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				if err := s.RecvMsg(&pb.PingResponse{}); err == nil || ctx.Err() != nil {
					t.Errorf("a request that never came: %v", err)
				}
			})
		}
	}
	g := wireGreeting()
	g.Cluster = "other"
	if _, err := pb.NewMembershipClient(pingClient(t, address)).Ping(ctx, &pb.PingRequest{Greeting: g}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a ping of another cluster: %v; want that it is answered", err)
	}
	all.Wait()
}

func pingClient(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	client, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(elsewhere))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// guarded is a member by itself, with the bounds of a remote, and where it is pinged.
func guarded(t *testing.T, opts ...remote.ConfigOption) string {
	t.Helper()
	noLeaks(t)
	address := servertest.Port(t)
	p := newProcess(t, NewWithConfig(time.Second, address, fmt.Sprintf("127.0.0.1:%d", address)), "127.0.0.1", fmt.Sprintf("127.0.0.1:%d", servertest.Port(t)))
	guardedBy(p, opts...)
	p.open()
	p.holds(p)
	return fmt.Sprintf("127.0.0.1:%d", address)
}

// Behind a pause of a member the pings of the largest view come in together: none is cancelled for another.
func TestPingsThatComeInTogether(t *testing.T) {
	client := pingClient(t, guarded(t))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var streams []grpc.ClientStream
	for range view.MaxMembers - 1 { // as many as go over a connection
		s, err := client.NewStream(ctx, &grpc.StreamDesc{}, pb.Membership_Ping_FullMethodName)
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, s)
	}
	g := wireGreeting()
	g.Cluster = "other"
	for i, s := range streams {
		err := s.SendMsg(&pb.PingRequest{Greeting: g})
		if err == nil {
			err = s.CloseSend()
		}
		if err == nil {
			err = s.RecvMsg(new(pb.PingResponse))
		}
		if status.Code(err) != codes.FailedPrecondition {
			t.Errorf("ping %d: %v; want that it is answered", i, err)
		}
	}
}

// So that many requests can come in at a time, each of them is small.
func TestLargePings(t *testing.T) {
	client := pb.NewMembershipClient(pingClient(t, guarded(t)))
	for size, want := range map[int]codes.Code{maxRequest / 2: codes.InvalidArgument, maxRequest: codes.ResourceExhausted} {
		g := wireGreeting()
		g.Cluster = strings.Repeat("x", size)
		if _, err := client.Ping(t.Context(), &pb.PingRequest{Greeting: g}); status.Code(err) != want {
			t.Errorf("a ping of %d bytes: %v; want %v", size, err, want)
		}
	}
}

// A view that is too large for a request reaches all members, and they leave; a member that is itself too large is told so.
func TestLargeViews(t *testing.T) {
	all := loopback(t, 4)
	for _, p := range all {
		p.provider.config.refresh = 2 * time.Second // to check such views takes its time
		p.request.Member.Kinds = nil
		for i := range 1000 {
			p.request.Member.Kinds = append(p.request.Member.Kinds, driver.Kind{Name: fmt.Sprintf("%0100d", i)})
		}
		guardedBy(p)
		p.open()
	}
	allHold(t, all...)
	v, _ := all[0].session.(*member).machine.View()
	if n := proto.Size(viewToWire(v)); n <= maxRequest {
		t.Fatalf("the view has %d bytes", n)
	}
	first := slices.IndexFunc(all, func(p *process) bool { return p.id() == v.Entries[0].Member.ID })
	all[first].leave()
	rest := slices.Delete(slices.Clone(all), first, first+1)
	allHold(t, rest...)
	rest[0].crash()
	allHold(t, rest[1:]...)

	for i := range all[first].request.Member.Kinds {
		all[first].request.Member.Kinds[i].Strategy = strings.Repeat("s", 300)
	}
	if err := all[first].tryOpen(); err == nil || !strings.Contains(err.Error(), "give them shorter names") {
		t.Errorf("a member that is described at too great a length: %v", err)
	}
}
