package remote

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/wire/remotepb"
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
		"request":           func(t *testing.T, a, b *process) func() { return pendingRequest(t, a, b) },
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
				a.mustAsk(b.echo("echo"), "connects")
				time.Sleep(time.Second)
				synctest.Wait()
				ep := a.remote.endpoint("b:1")
				if !ep.mayRest(ep.link.current) {
					t.Fatal("it may not rest")
				}
				for i := range 3 {
					a.system.Root.Send(pid, text("%d", i))
				}
				synctest.Wait()
				if got := in.list(); len(got) > 0 {
					t.Errorf("%v arrived at rest", got)
				}
				if agrees {
					c := b.remote.endpoint("a:1").link.current
					if err := c.rested(); err == nil {
						t.Fatal("the peer does not agree")
					} else {
						c.fail(err)
					}
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
		a.mustAsk(b.echo("echo"), "connects")
		time.Sleep(time.Second)
		synctest.Wait()
		ep := a.remote.endpoint("b:1")
		if !ep.mayRest(ep.link.current) {
			t.Fatal("it may not rest")
		}
		a.system.Root.Send(pid, text("0"))
		a.stop()
		if len(in.list())+len(a.dead.list()) != 1 {
			t.Errorf("%d arrived, %d dead letters; want one of the two", len(in.list()), len(a.dead.list()))
		}
	})
}

func TestPeerThatNeverRests(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, b *process) {
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
