package pingpong_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/examples/pingpong/messages"
	"github.com/granary-go/granary/remote"
)

// echo is a grain in the plain style: it embeds what keeps the identity, and
// answers calls and plain messages alike.
type echo struct {
	cluster.Grain
	ends chan<- string
}

var _ messages.Ponger = (*echo)(nil)

func (e *echo) Terminate() { e.ends <- e.ID() }

func (e *echo) ReceiveDefault(ctx actor.Context) {
	if m, ok := ctx.Message().(*messages.PingRequest); ok && ctx.Sender() != nil {
		ctx.Respond(&messages.PingReply{Count: m.Count})
	}
}

func (e *echo) Ping(req *messages.PingRequest, ctx cluster.GrainContext) (*messages.PingReply, error) {
	if ctx.Self() == nil || ctx.Identity() != e.ID() {
		return nil, fmt.Errorf("self %v, identity %q, id %q", ctx.Self(), ctx.Identity(), e.ID())
	}
	return &messages.PingReply{Count: req.Count}, nil
}

// relay is an actor that sends, asks and is told, in each of the ways that a
// Context has.
type relay struct {
	cluster *cluster.Cluster
	replies chan<- uint64
}

func (r *relay) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.PingRequest:
		pid := r.cluster.Get("plain", "Ponger")
		ctx.Send(pid, m)    // nobody is answered
		ctx.Request(pid, m) // the answer comes as a message
		if reply, err := ctx.RequestFuture(pid, m, 10*time.Second).Result(); err == nil {
			r.replies <- reply.(*messages.PingReply).Count
		}
	case *messages.PingReply:
		r.replies <- m.Count
	}
}

// TestSurface uses every identifier that the API is fixed by, once, in a member
// and a client that find each other by pings.
func TestSurface(t *testing.T) {
	ports, ends := freePorts(t, 2), make(chan string, 16)
	hosts := fmt.Sprintf("localhost:%d", ports[0])

	messages.PongerFactory(func() messages.Ponger { return &echo{ends: ends} })
	t.Cleanup(func() { messages.PongerFactory(nil) })
	kind := cluster.NewKind("Ponger", actor.PropsFromProducer(func() actor.Actor {
		return &messages.PongerActor{Timeout: 2 * time.Second}
	}))
	member := cluster.New(actor.NewActorSystem(), cluster.Configure("surface",
		automanaged.NewWithConfig(200*time.Millisecond, ports[0], hosts), remote.Configure("127.0.0.1", 0), kind))
	if err := member.Start(); err != nil {
		t.Fatal(err)
	}

	system := actor.NewActorSystem()
	client := cluster.New(system, cluster.Configure("surface",
		automanaged.NewWithConfig(200*time.Millisecond, ports[1], hosts), remote.Configure("127.0.0.1", 0)))
	if err := client.StartClient(); err != nil {
		t.Fatal(err)
	}

	grain := messages.GetPongerGrainClient(client, "called")
	option := cluster.NewGrainCallOptions(client).WithRetry(3).WithTimeout(20 * time.Second)
	for n := uint64(1); n <= 3; n++ {
		reply, err := grain.Ping(&messages.PingRequest{Count: n}, option)
		if err != nil || reply.Count != n {
			t.Fatalf("ping %d: %v, %v", n, reply, err)
		}
	}

	replies := make(chan uint64, 2)
	pid := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
		return &relay{cluster: client, replies: replies}
	}))
	system.Root.Send(pid, &messages.PingRequest{Count: 7})
	for range cap(replies) {
		if got := <-replies; got != 7 {
			t.Errorf("a plain message was answered with %d", got)
		}
	}
	plain := client.Get("plain", "Ponger")
	system.Root.Request(plain, &messages.PingRequest{Count: 8})
	if reply, err := system.Root.RequestFuture(plain, &messages.PingRequest{Count: 9}, 10*time.Second).Result(); err != nil {
		t.Errorf("RequestFuture: %v", err)
	} else if got := reply.(*messages.PingReply).Count; got != 9 {
		t.Errorf("RequestFuture was answered with %d", got)
	}
	reply, err := client.Call("plain", "Ponger", &messages.PingRequest{Count: 10}, option)
	if m, ok := reply.(*messages.PingReply); err != nil || !ok || m.Count != 10 {
		t.Errorf("Call: %v, %v", reply, err)
	}

	// Both grains are idle now and stop; a call activates one again.
	for range 2 {
		if id := <-ends; id != "called" && id != "plain" {
			t.Errorf("%q was terminated", id)
		}
	}
	if _, err := grain.Ping(&messages.PingRequest{Count: 11}, option); err != nil {
		t.Errorf("after the grain was idle: %v", err)
	}
	for what, c := range map[string]*cluster.Cluster{"client": client, "member": member} {
		if err := c.Shutdown(true); err != nil {
			t.Errorf("shutdown of the %s: %v", what, err)
		}
	}
	if automanaged.New() == nil {
		t.Error("automanaged.New gave nothing")
	}
}
