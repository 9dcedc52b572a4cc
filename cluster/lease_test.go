package cluster_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
)

const gatedKind = "Gated"

// gated is an actor whose turns the test holds: it says in began that a turn has
// begun and ends it when the test says so.
type gated struct{ story *story }

// story is what the gated actors of a test do and have done.
type story struct {
	began chan string
	goOn  chan struct{}
	tell  *actor.PID // is told of each turn, by a plain message

	mu   sync.Mutex // guards last
	last []string   // Stopping and Stopped, as the actors get them
}

func newStory() *story { return &story{began: make(chan string, 100), goOn: make(chan struct{})} }

func (s *story) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = append(s.last, what)
}

func (g *gated) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *wrapperspb.StringValue:
		if g.story.tell != nil {
			ctx.Send(g.story.tell, wrapperspb.String("told of "+m.Value))
		}
		g.story.began <- m.Value
		if m.Value == "held" {
			<-g.story.goOn
		}
		ctx.Respond(wrapperspb.String(m.Value + " done"))
	case *actor.Stopping:
		g.story.note("stopping")
	case *actor.Stopped:
		g.story.note("stopped")
	}
}

// leased starts a member with a lease that the test holds.
func (w *world) leased(lease *clustertest.Lease, opts ...cluster.Option) *cluster.Cluster {
	w.t.Helper()
	system := actor.NewActorSystem(actor.WithLogger(quiet()))
	c := cluster.New(system, cluster.Configure("test", w.registry.LeasedProvider(lease), remote.Configure("127.0.0.1", 0), opts...))
	if err := c.StartContext(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.ends(c)
	return c
}

func gatedKindOf(s *story, opts ...cluster.KindOption) *cluster.Kind {
	return cluster.NewKind(gatedKind, actor.PropsFromProducer(func() actor.Actor { return &gated{s} }), opts...)
}

func callGated(c *cluster.Cluster, word string, opts ...cluster.GrainCallOption) (string, error) {
	reply, err := c.Call("one", gatedKind, wrapperspb.String(word), opts...)
	if err != nil {
		return "", err
	}
	return reply.(*wrapperspb.StringValue).Value, nil
}

// A turn that is running when the lease ends has its reply and messages kept
// back; its caller learns at once that the outcome is unknown.
func TestReplyOfATurnThatOutlivesTheLeaseIsWithheld(t *testing.T) {
	w, s, lease := newWorld(t), newStory(), clustertest.NewLease()
	member := w.leased(lease, gatedKindOf(s))
	client := w.client()
	if got, err := callGated(client, "first"); err != nil || got != "first done" {
		t.Fatalf("first: %q, %v", got, err)
	}
	<-s.began
	answered := make(chan error, 1)
	go func() {
		_, err := callGated(client, "held", cluster.WithTimeout(time.Minute))
		answered <- err
	}()
	<-s.began
	old := member.MemberID()
	lease.Set(driver.LeaseFenced)
	close(s.goOn)
	if err := <-answered; !errors.Is(err, cluster.ErrUnknownOutcome) {
		t.Errorf("the call ended with %v; want ErrUnknownOutcome", err)
	}
	until(t, member, func() bool { return member.MemberID() != old && member.MemberID() != "" })
	if got, err := callGated(client, "second"); err != nil || got != "second done" {
		t.Errorf("after the member has joined again: %q, %v", got, err)
	}
	counters := member.Counters()
	if counters.Withheld != 1 || counters.Fenced != 1 {
		t.Errorf("%+v; want one reply withheld and one lease ended", counters)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.last) != 1 || s.last[0] != "stopped" {
		t.Errorf("the fenced actor got %q; want Stopped alone: storing something in Stopping would be a turn", s.last)
	}
}

// No turn begins after the lease has ended: the messages that waited are dead
// letters, and calls go to the next activation, unnoticed by the caller.
func TestNoTurnBeginsAfterTheLease(t *testing.T) {
	w, s, lease := newWorld(t), newStory(), clustertest.NewLease()
	first := w.leased(lease, gatedKindOf(s))
	client := w.client()
	go func() { _, _ = callGated(client, "held") }()
	<-s.began
	answers := make(chan error, 10)
	for range cap(answers) {
		go func() {
			got, err := callGated(client, "waits", cluster.WithTimeout(time.Minute))
			if err == nil && got != "waits done" {
				err = errors.New(got)
			}
			answers <- err
		}()
	}
	w.leased(clustertest.NewLease(), gatedKindOf(s))
	lease.Set(driver.LeaseFenced)
	close(s.goOn)
	for range cap(answers) {
		if err := <-answers; err != nil {
			t.Errorf("a call that waited: %v", err)
		}
	}
	if c := first.Counters(); c.Fenced != 1 {
		t.Errorf("%+v; want one lease ended", c)
	}
}

// A member whose lease is draining keeps what it hosts and takes nothing new of
// its leased kinds; kinds that are best effort do not care.
func TestDrainingMemberTakesNothingNew(t *testing.T) {
	w, s, lease := newWorld(t), newStory(), clustertest.NewLease()
	draining := w.leased(lease, gatedKindOf(s), cluster.NewKind(counterKind, w.kindProps(), cluster.WithBestEffort()))
	if _, err := draining.Call("here", gatedKind, wrapperspb.String("x")); err != nil {
		t.Fatal(err)
	}
	lease.Set(driver.LeaseDraining)
	if _, err := draining.Call("here", gatedKind, wrapperspb.String("y")); err != nil {
		t.Errorf("a grain that is there does not go on: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := draining.CallContext(ctx, "new", gatedKind, wrapperspb.String("x")); err == nil {
		t.Error("a new activation of a leased kind was taken")
	}
	add(t, draining, "new", 1)
	lease.Set(driver.LeaseValid)
	if _, err := draining.Call("new", gatedKind, wrapperspb.String("x")); err != nil {
		t.Errorf("after the lease was renewed: %v", err)
	}
}

func TestFencedGrainDoesNotCallOthers(t *testing.T) {
	w, lease := newWorld(t), clustertest.NewLease()
	begun, goOn, called := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	client := w.client()
	echo := client.ActorSystem().Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*wrapperspb.StringValue); ok {
			ctx.Respond(ctx.Message())
		}
	}))
	kind := cluster.NewKind("Caller", actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*wrapperspb.StringValue); !ok {
			return
		}
		close(begun)
		<-goOn
		_, err := ctx.RequestFuture(echo, wrapperspb.String("x"), time.Minute).Result()
		called <- err
	}))
	w.leased(lease, kind)
	go func() { _, _ = client.Call("a", "Caller", wrapperspb.String("go")) }()
	<-begun
	lease.Set(driver.LeaseFenced)
	close(goOn)
	if err := <-called; err == nil {
		t.Error("a request got out after the lease had ended")
	}
}
