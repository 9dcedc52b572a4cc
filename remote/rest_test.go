package remote

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

const idleFor = time.Minute

// connections returns how many there are, at both ends.
func connections(a, b *process) string {
	synctest.Wait()
	return fmt.Sprint(a.remote.Stats().Connections, b.remote.Stats().Connections)
}

func TestIdleConnectionEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		echo := b.echo("echo")
		a.mustAsk(echo, "connects")
		for range 5 {
			time.Sleep(idleFor / 2)
			a.mustAsk(echo, "is not idle")
		}
		if got := connections(a, b); got != "1 1" {
			t.Errorf("%s connections while messages are sent", got)
		}
		time.Sleep(2 * idleFor)
		if got := connections(a, b); got != "0 0" {
			t.Errorf("%s connections after the idle timeout", got)
		}
		if !a.logs.has(errIdle.Error()) || !b.logs.has(errIdle.Error()) {
			t.Error("the logs do not say why")
		}
		a.mustAsk(echo, "connects again")
		b.mustAsk(a.echo("back"), "and back")
		if dead := len(a.dead.list()) + len(b.dead.list()); dead > 0 {
			t.Errorf("%d dead letters", dead)
		}
	}, WithIdleTimeout(idleFor))
}

func TestConnectionThatIsNeededIsNotIdle(t *testing.T) {
	tests := map[string]func(t *testing.T, a, b *process) (done func()){
		"watch": func(_ *testing.T, a, b *process) func() {
			pid := b.echo("watched")
			_, told := a.watcher("watcher", pid)
			return func() {
				b.system.Root.Stop(pid)
				<-told
			}
		},
		"watch of theirs": func(_ *testing.T, a, b *process) func() {
			pid := a.echo("watched")
			_, told := b.watcher("watcher", pid)
			return func() {
				a.system.Root.Stop(pid)
				<-told
			}
		},
		"request":           pendingRequest,
		"request of theirs": func(t *testing.T, a, b *process) func() { return pendingRequest(t, b, a) },
	}
	for name, need := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
				a.mustAsk(b.echo("echo"), "connects")
				done := need(t, a, b)
				time.Sleep(5 * idleFor)
				if got := connections(a, b); got != "1 1" {
					t.Errorf("%s connections while one is needed", got)
				}
				done()
				time.Sleep(3 * idleFor)
				if got := connections(a, b); got != "0 0" {
					t.Errorf("%s connections when it is not needed any more", got)
				}
			}, WithIdleTimeout(idleFor))
		})
	}
}

// pendingRequest asks something that is answered when the function is called.
func pendingRequest(t *testing.T, asker, other *process) func() {
	waits := make(chan struct{})
	pid := other.spawn("slow", func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.StringValue); ok {
			<-waits
			ctx.Respond(m)
		}
	})
	future := asker.system.Root.RequestFuture(pid, text("slow"), time.Hour)
	return func() {
		close(waits)
		if _, err := future.Result(); err != nil {
			t.Error(err)
		}
	}
}

// Both sides send at the very moment of the proposal: everything arrives, over the next connection.
func TestMessagesAtTheMomentOfRest(t *testing.T) {
	for offset := -3 * time.Millisecond; offset <= 3*time.Millisecond; offset += time.Millisecond {
		t.Run(offset.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
				there, inB := b.sink("sink")
				back, inA := a.sink("sink")
				a.mustAsk(b.echo("echo"), "connects")
				time.Sleep(2*idleFor - time.Second)
				synctest.Wait()
				time.Sleep(time.Second + offset)
				for i := range 300 {
					a.system.Root.Send(there, text("%d", i))
					b.system.Root.Send(back, text("%d", i))
				}
				inA.wait(t, 300)
				inB.wait(t, 300)
				if dead := append(a.dead.list(), b.dead.list()...); len(dead) > 0 {
					t.Errorf("%d dead letters: %s", len(dead), dead[0].Reason)
				}
			}, WithIdleTimeout(idleFor))
		})
	}
}

// What is sent after the proposal waits for the answer, whatever it is.
func TestMessagesWhileAtRest(t *testing.T) {
	for _, agrees := range []bool{true, false} {
		t.Run(fmt.Sprint(agrees), func(t *testing.T) {
			inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
				pid, in := b.sink("sink")
				ep := atRest(t, a, b)
				for i := range 3 {
					a.system.Root.Send(pid, text("%d", i))
				}
				synctest.Wait()
				if got := in.list(); len(got) > 0 {
					t.Errorf("%v arrived at rest", got)
				}
				if agrees {
					agree(t, b)
				} else {
					ep.wakeUp()
				}
				in.wait(t, 3)
				if dead := append(a.dead.list(), b.dead.list()...); len(dead) > 0 {
					t.Errorf("%d dead letters: %s", len(dead), dead[0].Reason)
				}
			})
		})
	}
}

// A shutdown at rest leaves nothing behind in silence.
func TestShutdownAtRest(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		pid, in := b.sink("sink")
		atRest(t, a, b)
		a.system.Root.Send(pid, text("0"))
		a.stop()
		if len(in.list())+len(a.dead.list()) != 1 {
			t.Errorf("%d arrived, %d dead letters; want one of the two", len(in.list()), len(a.dead.list()))
		}
	})
}

// What the writer takes between the agreement to rest and the end of the connection, as it may when the process begins to leave
// just then, is not forgotten.
func TestTakenAfterTheAgreementToRest(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		a.mustAsk(b.echo("echo"), "connects")
		time.Sleep(2 * owedFor) // everything is acknowledged
		synctest.Wait()
		ep := b.remote.endpoint(a.remote.Address())
		ep.mu.Lock()
		c := ep.link.current
		ep.flight.add([]flying{flyingTo("written", 1)})
		c.writer.unsent = append(c.writer.unsent, flyingTo("unsent", 1))
		ep.mu.Unlock()
		c.fail(errIdle)
		synctest.Wait()
		var ids []string
		for _, letter := range b.dead.list() {
			ids = append(ids, letter.PID.Id)
		}
		if slices.Sort(ids); !slices.Equal(ids, []string{"unsent", "written"}) {
			t.Errorf("dead letters: %q", ids)
		}
	}, WithIdleTimeout(idleFor))
}

func TestPeerThatNeverRests(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		p := n.rawPeer(t, "b:1")
		p.connect("b:1") // names no capability
		p.send(&remotepb.Frame{Kind: &remotepb.Frame_Rest{Rest: &remotepb.Rest{}}})
		f, err := p.stream.Recv()
		if err != nil || f.GetRest() == nil {
			t.Errorf("%v, %v; want that it stays", f, err)
		}
		p.batch(echoBatch(text("still there")))
		p.wantEcho("still there")
	})
}

// What is under way needs the connection.
func TestNoRestBeforeEverythingArrived(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, b *process) {
		p := rawReceiver(t, n, goodHello("b:1"))
		synctest.Wait()
		ep := b.remote.endpoint("raw:1")
		b.system.Root.Send(actor.NewPID("raw:1", "x"), text("0"))
		p.received()
		if ep.mayRest(ep.link.current) {
			t.Error("it may rest while a message is not acknowledged")
		}
		p.acknowledge(1)
		synctest.Wait()
		if !ep.mayRest(ep.link.current) {
			t.Error("it may not rest when everything has arrived")
		}
	})
}

// atRest is a connection that the side that dialled has proposed to end.
func atRest(t *testing.T, a, b *process) *endpoint {
	t.Helper()
	if _, is := b.system.ProcessRegistry.GetLocal("echo"); !is {
		b.echo("echo")
	}
	a.mustAsk(b.at("echo"), "connects")
	time.Sleep(time.Second)
	synctest.Wait()
	ep := a.remote.endpoint("b:1")
	if !ep.mayRest(ep.link.current) {
		t.Fatal("it may not rest")
	}
	return ep
}

// agree has the other side end the connection.
func agree(t *testing.T, b *process) {
	t.Helper()
	c := b.remote.endpoint("a:1").link.current
	err := c.rested()
	if err == nil {
		t.Fatal("the peer does not agree")
	}
	c.fail(err)
	synctest.Wait()
}

// The end of an idle connection is no failure, after which one would have to pause, however short it was.
func TestRestIsNoFailure(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		pid, in := b.sink("sink")
		atRest(t, a, b)
		a.system.Root.Send(pid, text("held"))
		agree(t, b)
		in.wait(t, 1)
		atRest(t, a, b)
		agree(t, b)
		a.system.Root.Send(pid, text("after it"))
		in.wait(t, 2)
		if dead := a.dead.list(); len(dead) > 0 {
			t.Errorf("a dead letter: %s", dead[0].Reason)
		}
	}, WithBackoff(time.Minute, time.Minute))
}

func TestPeerThatLeavesAtRest(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		pid, in := b.sink("sink")
		atRest(t, a, b)
		a.system.Root.Send(pid, text("held"))
		if err := b.remote.Shutdown(true); err != nil {
			t.Error(err)
		}
		if got := in.list(); len(got) != 1 {
			t.Errorf("%v arrived before the goodbye; dead letters: %v", got, a.dead.list())
		}
	})
}

// What is held back does not wait for ever.
func TestProposalThatIsNeverAnswered(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, b *process) {
		l, err := n.listen(t.Context(), "mute:1")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer()
		remotepb.RegisterRemotingServer(server, &badAcceptor{reply: &remotepb.Frame{Kind: &remotepb.Frame_HelloReply{
			HelloReply: &remotepb.HelloReply{Version: 1, Address: "mute:1", Incarnation: 3, Capabilities: capabilities},
		}}})
		go func() { _ = server.Serve(l) }()
		defer server.Stop()
		ep := b.remote.endpoint("mute:1")
		ep.happened(event{kind: eventAsk})
		time.Sleep(5 * time.Second / 2)
		synctest.Wait()
		if !ep.isResting() {
			t.Fatal("it does not rest")
		}
		b.system.Root.Send(actor.NewPID("mute:1", "x"), text("held"))
		time.Sleep(DefaultGoodbyeTimeout)
		if dead := b.dead.wait(t, 1); !strings.Contains(dead[0].Reason, errUnanswered.Error()) {
			t.Errorf("dead letter: %s", dead[0].Reason)
		}
	}, WithIdleTimeout(time.Second))
}

// A watch that begins at rest ends with a shutdown as any other.
func TestWatchAtRest(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		pid, _ := b.sink("sink")
		ep := atRest(t, a, b)
		_, told := a.watcher("watcher", pid)
		synctest.Wait()
		ep.mu.Lock()
		ep.link.leaving = true // as if a shutdown began when the peer had agreed
		ep.mu.Unlock()
		agree(t, b)
		wantTerminated(t, told, pid, actor.TerminatedReasonAddressTerminated)
	})
}

// A peer that proposes again and again is not looked at each time.
func TestProposalsAreConsideredNowAndThen(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, b *process) {
		h := goodHello("b:1")
		p := rawReceiver(t, n, h)
		propose := func() *remotepb.Frame {
			p.send(&remotepb.Frame{Kind: &remotepb.Frame_Rest{Rest: &remotepb.Rest{}}})
			f, err := p.stream.Recv()
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			return f
		}
		future := b.system.Root.RequestFuture(actor.NewPID("raw:1", "x"), text("0"), time.Hour)
		p.received()
		p.acknowledge(1)
		synctest.Wait()
		if propose().GetRest() == nil {
			t.Error("it agrees although somebody waits for an answer")
		}
		future.Cancel()
		if propose().GetRest() == nil {
			t.Error("it looks again at once")
		}
		time.Sleep(proposalsEvery)
		if propose() != nil {
			t.Error("it does not agree later")
		}
	})
}
