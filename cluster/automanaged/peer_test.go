package automanaged

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "github.com/granary-go/granary/cluster/automanaged/internal/membershippb"
	"github.com/granary-go/granary/internal/view"
)

func wireEntry(name string) *pb.Entry {
	return &pb.Entry{
		Id: name, Address: name + ":1", PingAddress: name + ":2", Labels: map[string]string{"l": "v"},
		Kinds: []*pb.Kind{{Name: "K", Guarantee: 1, Strategy: "S"}, {Name: "L"}}, MinVersion: 1, MaxVersion: 2, State: pb.State_STATE_LEAVING,
	}
}

func wireGreeting() *pb.Greeting {
	return &pb.Greeting{
		Cluster: "test", Sender: wireEntry("x"), Phase: pb.Phase_PHASE_JOINED, Incarnation: "i", Epoch: 7 << 16,
		View: &pb.View{Incarnation: "i", Epoch: 7 << 16, Previous: 3, Members: []*pb.Entry{wireEntry("x"), wireEntry("y")}},
	}
}

// nonsense are greetings that break a rule, by what is wrong with them.
func nonsense() map[string]*pb.Greeting {
	all := map[string]*pb.Greeting{"nothing": nil, "empty": {}}
	add := func(what string, change func(*pb.Greeting)) {
		g := wireGreeting()
		change(g)
		all[what] = g
	}
	add("no sender", func(g *pb.Greeting) { g.Sender = nil })
	add("no id", func(g *pb.Greeting) { g.Sender.Id = "" })
	add("long id", func(g *pb.Greeting) { g.Sender.Id = strings.Repeat("x", view.MaxText+1) })
	add("no port", func(g *pb.Greeting) { g.Sender.PingAddress = "x" })
	add("port 0", func(g *pb.Greeting) { g.Sender.PingAddress = "x:0" })
	add("no cluster", func(g *pb.Greeting) { g.Cluster = "" })
	add("phase", func(g *pb.Greeting) { g.Phase = 9 })
	add("negative phase", func(g *pb.Greeting) { g.Phase = -1 })
	add("state", func(g *pb.Greeting) { g.Sender.State = 256 })
	add("guarantee", func(g *pb.Greeting) { g.Sender.Kinds[0].Guarantee = 256 })
	add("long strategy", func(g *pb.Greeting) { g.Sender.Kinds[0].Strategy = strings.Repeat("x", view.MaxText+1) })
	add("nil kind", func(g *pb.Greeting) { g.Sender.Kinds[0] = nil })
	add("kinds unsorted", func(g *pb.Greeting) { g.Sender.Kinds[0].Name = "M" })
	add("many kinds", func(g *pb.Greeting) {
		for i := range view.MaxKinds {
			g.Sender.Kinds = append(g.Sender.Kinds, &pb.Kind{Name: fmt.Sprintf("N%05d", i)})
		}
	})
	add("many labels", func(g *pb.Greeting) {
		for i := range view.MaxLabels {
			g.Sender.Labels[fmt.Sprint(i)] = ""
		}
	})
	add("long label", func(g *pb.Greeting) { g.Sender.Labels["x"] = strings.Repeat("x", view.MaxText+1) })
	add("highest epoch", func(g *pb.Greeting) { g.Epoch, g.View.Epoch = 1<<64-1, 1<<64-1 })
	add("other view", func(g *pb.Greeting) { g.View.Epoch++ })
	add("other incarnation", func(g *pb.Greeting) { g.View.Incarnation = "j" })
	add("no incarnation", func(g *pb.Greeting) { g.Incarnation, g.View.Incarnation = "", "" })
	add("previous", func(g *pb.Greeting) { g.View.Previous = g.Epoch })
	add("nil member", func(g *pb.Greeting) { g.View.Members[0] = nil })
	add("doubled member", func(g *pb.Greeting) { g.View.Members[1] = g.View.Members[0] })
	add("shared address", func(g *pb.Greeting) { g.View.Members[1].Address = "x:1" })
	add("shared ping address", func(g *pb.Greeting) { g.View.Members[1].PingAddress = "x:2" })
	add("huge view", func(g *pb.Greeting) {
		for i := range view.MaxMembers {
			g.View.Members = append(g.View.Members, wireEntry(fmt.Sprint("m", i)))
		}
	})
	return all
}

func TestNonsenseIsNotTaken(t *testing.T) {
	if _, err := greetingFromWire(wireGreeting()); err != nil {
		t.Fatalf("a good one is refused: %v", err)
	}
	for what, g := range nonsense() {
		if got, err := greetingFromWire(g); err == nil {
			t.Errorf("%s: taken as %+v", what, got)
		}
	}
}

func FuzzGreeting(f *testing.F) {
	for _, g := range nonsense() {
		if data, err := proto.Marshal(g); err == nil {
			f.Add(data)
		}
	}
	good, err := proto.Marshal(wireGreeting())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		w := new(pb.Greeting)
		if proto.Unmarshal(data, w) != nil {
			return
		}
		g, err := greetingFromWire(w)
		if err != nil {
			return
		}
		again, err := greetingFromWire(greetingToWire(g))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(g) && !reflect.DeepEqual(again, g) {
			t.Errorf("%+v became %+v, %v", g, again, err)
		}
		m := view.New(view.Config{Cluster: "test", Self: g.Sender, Interval: 1e9, Quick: 1e8, Missed: 3})
		g.Sender.Member.ID += "'"
		g.Sender.Ping = "z:9"
		m.Step(0, view.Received{Greeting: g})
	})
}

// call opens a connection to a process of a site.
func (s *site) call(address string) pb.MembershipClient {
	s.t.Helper()
	c, err := s.provider("stranger").config.connect(address, func() {})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return pb.NewMembershipClient(c)
}

func TestMalformedGreetingsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330")
		a := s.member("a").open()
		before := a.holds(a)
		c := s.call("a:6330")
		for what, g := range nonsense() {
			if _, err := c.Ping(t.Context(), &pb.PingRequest{Greeting: g}); status.Code(err) != codes.InvalidArgument {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := c.Ping(t.Context(), nil); status.Code(err) != codes.InvalidArgument {
			t.Errorf("no request: %v", err)
		}
		stream, err := c.Watch(t.Context(), new(pb.WatchRequest))
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.FailedPrecondition {
			t.Errorf("watching no cluster: %v", err)
		}
		time.Sleep(5 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if v, err := a.session.Watch(ctx, before.Epoch); err == nil {
			t.Errorf("the view has become %v", v)
		}
	})
}

func TestWatchersAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330")
		a := s.member("a").open()
		a.holds(a)
		ctx, cancel := context.WithCancel(t.Context())
		request := &pb.WatchRequest{Cluster: "test", HeartbeatMs: 60_000}
		var refused error
		// A connection carries a hundred streams, or as many as the server says.
		for range maxWatchers + 1 {
			stream, err := s.call("a:6330").Watch(ctx, request)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = stream.Recv(); err != nil {
				refused = err
			}
		}
		if status.Code(refused) != codes.ResourceExhausted || !strings.Contains(refused.Error(), "1024 clients") {
			t.Errorf("one too many: %v", refused)
		}
		cancel()
		synctest.Wait()
		stream, err := s.call("a:6330").Watch(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := stream.Recv(); err != nil || len(m.View.Members) != 1 {
			t.Errorf("after others went: %v, %v", m, err)
		}
	})
}

// liar answers pings and watches with whatever it likes.
type liar struct {
	pb.UnimplementedMembershipServer
	answers []*pb.PingResponse
	next    int // pings of one process come one at a time
}

func (l *liar) Ping(context.Context, *pb.PingRequest) (*pb.PingResponse, error) {
	l.next++
	return l.answers[l.next%len(l.answers)], nil
}

func (l *liar) Watch(_ *pb.WatchRequest, stream grpc.ServerStreamingServer[pb.WatchResponse]) error {
	for range 100 { // it is alive, but has nothing to say
		if err := stream.Send(new(pb.WatchResponse)); err != nil {
			return err
		}
		time.Sleep(time.Second)
	}
	for _, g := range nonsense() {
		if err := stream.Send(&pb.WatchResponse{View: g.GetView()}); err != nil {
			return err
		}
	}
	return nil
}

func TestLyingHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "liar:6330", "a:6330")
		l := &liar{answers: []*pb.PingResponse{nil, {}, {Refusal: strings.Repeat("\xe2\x82\xac", 1000)}}}
		for _, g := range nonsense() {
			l.answers = append(l.answers, &pb.PingResponse{Greeting: g})
		}
		listener, err := s.network.listen(t.Context(), "liar:6330")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer()
		pb.RegisterMembershipServer(server, l)
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(server.Stop)
		a, c := s.member("a").open(), s.client("c").open()
		v := a.holds(a)
		c.holds(a)
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, p := range []*process{a, c} {
			if now, err := p.session.Watch(ctx, v.Epoch); err == nil {
				t.Errorf("the view has become %v", now)
			}
		}
	})
}

// refuser answers pings as a member of another cluster does, which leaves its
// connections open.
type refuser struct {
	pb.UnimplementedMembershipServer
}

func (refuser) Ping(context.Context, *pb.PingRequest) (*pb.PingResponse, error) {
	return nil, status.Error(codes.FailedPrecondition, "another cluster")
}

func TestConnectionsToForgottenAddressesAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330")
		a := s.member("a").open()
		a.holds(a)
		server := grpc.NewServer()
		pb.RegisterMembershipServer(server, refuser{})
		t.Cleanup(server.Stop)
		c := s.call("a:6330")
		for i := range 400 {
			g := wireGreeting()
			g.Sender, g.Phase, g.Incarnation, g.Epoch, g.View = wireEntry(fmt.Sprintf("s%03d", i)), pb.Phase_PHASE_NEWCOMER, "", 0, nil
			listener, err := s.network.listen(t.Context(), g.Sender.PingAddress)
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = server.Serve(listener) }()
			if _, err := c.Ping(t.Context(), &pb.PingRequest{Greeting: g}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		l := a.session.(*member).links
		l.mu.Lock()
		defer l.mu.Unlock()
		if n := len(l.open); n < 100 || n > 128+1 {
			t.Errorf("%d connections are open", n)
		}
	})
}
