package remote

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
)

func TestUnreachableProcess(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, _ *process) {
		nobody := actor.NewPID("c:1", "echo")
		start := time.Now()
		a.wantDeadLetter(nobody, text("dials"), "cannot reach c:1")
		a.wantDeadLetter(nobody, text("during the pause"), "connection refused")
		if took := time.Since(start); took > 0 {
			t.Errorf("two dead letters took %v", took)
		}
		c := startProcess(t, n.on("c", 1))
		c.echo("echo")
		time.Sleep(DefaultBackoffMin)
		a.mustAsk(nobody, "it has come up")
	})
}

func TestPauseGrowsWhileUnreachable(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, _ *process) {
		for range 5000 {
			a.system.Root.Send(actor.NewPID("c:1", "x"), text("x"))
			time.Sleep(time.Millisecond)
		}
		if got := a.remote.attempts.Load(); got < 8 || got > 25 {
			t.Errorf("%d attempts in 5 seconds, want about 7 up to the longest pause and 4 to 8 after it", got)
		}
		if got := a.logs.count("cannot reach a peer"); got != 1 {
			t.Errorf("logged %d lines about it, want 1", got)
		}
	})
}

func TestUnreachableAddressesAreForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, _ *process) {
		// One after the other: of dead letters that come at once not each has an event.
		for i := range 300 {
			a.system.Root.Send(actor.NewPID(fmt.Sprintf("nobody%d:1", i), "x"), text("x"))
			a.dead.wait(t, i+1)
		}
		a.wantDeadLetter(actor.NewPID("no address at all", "x"), text("x"), "cannot reach")
		time.Sleep(DefaultBackoffMax + restFor)
		synctest.Wait()
		for ep := range a.remote.endpoints.All() {
			t.Fatalf("still has an endpoint for %s", ep.address)
		}
	})
}

func TestNonsenseAddress(t *testing.T) {
	inBubble(t, func(_ *testing.T, _ *memNetwork, a, _ *process) {
		for _, address := range []string{"x", "x:0", "x:99999", ":1", "a b:1", "0.0.0.0:1", "x:1/y", "é\x00:1", strings.Repeat("x", 600) + ":1"} {
			a.wantDeadLetter(actor.NewPID(address, "x"), text("x"), "cannot reach")
		}
	})
}

func TestBlackHole(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		n.hole("b:1", true)
		start := time.Now()
		a.wantDeadLetter(b.echo("echo"), text("x"), "could not connect within 3s (WithDialTimeout)")
		if took := time.Since(start); took != DefaultDialTimeout {
			t.Errorf("it took %v, want the dial timeout", took)
		}
		n.hole("b:1", false)
		time.Sleep(time.Second)
		a.mustAsk(b.at("echo"), "it can be reached again")
	})
}

// Only one of two processes can reach the other, and both try.
func TestOneWayNetwork(t *testing.T) {
	for _, hidden := range []string{"a:1", "b:1"} {
		t.Run(hidden, func(t *testing.T) {
			inBubble(t, func(_ *testing.T, n *memNetwork, a, b *process) {
				n.hole(hidden, true)
				a.echo("echo")
				b.echo("echo")
				var both sync.WaitGroup
				both.Go(func() { a.mustAsk(b.at("echo"), "there") })
				both.Go(func() { b.mustAsk(a.at("echo"), "back") })
				both.Wait()
			})
		})
	}
}

func TestDialledByAnotherName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		a := startProcess(t, n.on("a", 1))
		b := startProcess(t, n.on("b", 1, WithAdvertisedHost("public:9")))
		b.echo("echo")
		if got := b.remote.Address(); got != "public:9" {
			t.Errorf("advertises %s", got)
		}
		a.wantDeadLetter(actor.NewPID("b:1", "echo"), text("x"), `the process here is public:9, not "b:1"`)
	})
}

func TestOwnAddressByAnotherName(t *testing.T) {
	a := startProcess(t, Configure("127.0.0.1", 0))
	_, port, _ := strings.Cut(a.remote.Address(), ":")
	a.wantDeadLetter(actor.NewPID("localhost:"+port, "x"), text("x"), "the process here is 127.0.0.1:")
}

func TestPeerComesBack(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		old := b.echo("echo")
		a.mustAsk(old, "first life")
		for life := range 3 {
			b.stop()
			synctest.Wait()
			a.wantDeadLetter(old, text("in between"), "b:1")
			b = startProcess(t, n.on("b", 1))
			b.echo("echo")
			time.Sleep(DefaultBackoffMax)
			a.mustAsk(old, fmt.Sprint("life ", life))
		}
	})
}

// A peer that restarts and speaks first, before its death was noticed here.
func TestPeerRestartsUnnoticed(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		pid := b.echo("echo")
		_, told := a.watcher("watcher", pid)
		a.echo("echo")
		a.mustAsk(pid, "first life")
		n.silence("b:1")
		b.stop()
		b = startProcess(t, n.on("b", 1))
		b.echo("echo")
		b.mustAsk(a.at("echo"), "second life")
		wantTerminated(t, told, pid, actor.TerminatedReasonAddressTerminated)
		a.mustAsk(pid, "second life")
	})
}

// What was written and not answered is unknown; what comes later is not.
func TestRequestsWhenTheConnectionIsLost(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		got := make(chan struct{})
		mute := b.spawn("mute", func(ctx actor.Context) {
			if _, ok := ctx.Message().(*wrapperspb.StringValue); ok {
				close(got)
			}
		})
		future := a.system.Root.RequestFuture(mute, text("x"), time.Hour)
		<-got
		n.cut("b:1")
		if _, err := future.Result(); !errors.Is(err, ErrConnectionLost) || errors.Is(err, actor.ErrDeadLetter) {
			t.Errorf("got %v, want %v", err, ErrConnectionLost)
		}
	})
}

// heldCodec is a pointCodec that holds up who encodes.
type heldCodec struct {
	pointCodec
	begun, goOn chan struct{}
}

func (c heldCodec) Encode(message any) (string, []byte, bool, error) {
	c.begun <- struct{}{}
	<-c.goOn
	return c.pointCodec.Encode(message)
}

// What is on its way to the queue when the connection is lost was not written, and
// does not share the fate of what was.
func TestRequestBeforeTheQueueWhenTheConnectionIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		held := heldCodec{begun: make(chan struct{}), goOn: make(chan struct{})}
		a := startProcess(t, n.on("a", 1), WithCodec(held))
		b := startProcess(t, n.on("b", 1), WithCodec(pointCodec{}))
		pid := b.spawn("echo", func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *wrapperspb.StringValue, point:
				ctx.Respond(m)
			}
		})
		a.mustAsk(pid, "connects")
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			if reply, err := a.request(pid, point{3}); reply != (point{3}) {
				t.Errorf("got %v, %v; want the request to go by the next connection", reply, err)
			}
		}()
		<-held.begun
		n.cut("b:1")
		time.Sleep(DefaultBackoffMax)
		close(held.goOn)
		<-answered
	})
}

// A peer that takes nothing: what was not handed to the transport is a dead
// letter, and certainly did not run.
func TestQueueOfAPeerThatTakesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		echo := b.echo("echo")
		a.mustAsk(echo, "connects")
		n.silence("b:1")
		synctest.Wait()
		big := strings.Repeat("x", 1<<20)
		for range 100 {
			a.system.Root.Send(echo, text("%s", big))
		}
		full := a.dead.wait(t, 1)
		if !strings.Contains(full[0].Reason, "the queue to b:1 is full") {
			t.Errorf("dead letter: %s", full[0].Reason)
		}
		if took := len(full); took < 100-DefaultQueueBytes>>20-window>>20-2 {
			t.Errorf("only %d were refused: the queue is larger than its limit", took)
		}
		future := a.system.Root.RequestFuture(echo, text("queued"), time.Hour)
		_, err := future.Result()
		if !errors.Is(err, actor.ErrDeadLetter) || !strings.Contains(err.Error(), "was lost") {
			t.Errorf("what was never written: %v", err)
		}
		// The transport took what fits into its windows; all else is accounted for.
		all := a.dead.wait(t, 100-2*window>>20)
		if last := all[len(all)-1].Reason; !strings.Contains(last, "was lost") {
			t.Errorf("what was queued is a dead letter because: %s", last)
		}
	})
}

func TestSilentPeerIsNoticed(t *testing.T) {
	for dialler := range 2 {
		t.Run(fmt.Sprint(dialler), func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
				pid := b.echo("echo")
				_, told := a.watcher("watcher", pid)
				target := "b:1"
				a.mustAsk(pid, "connects")
				if dialler == 1 {
					time.Sleep(owedFor) // nothing is in doubt, so a does not dial again
					synctest.Wait()
					// Now b dials, so that a is the side that was dialled.
					n.cut("b:1")
					<-told
					time.Sleep(DefaultBackoffMax)
					a.echo("echo")
					b.mustAsk(a.at("echo"), "connects")
					_, told = a.watcher("again", pid)
					target = "a:1"
				}
				a.mustAsk(pid, "connected")
				synctest.Wait()
				n.silence(target)
				start := time.Now()
				wantTerminated(t, told, pid, actor.TerminatedReasonAddressTerminated)
				most := []time.Duration{15 * time.Second, 10 * time.Second}[dialler]
				if took := time.Since(start); took > most {
					t.Errorf("noticed after %v, want at most %v", took, most)
				}
			})
		})
	}
}

func TestDisconnect(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		pid := b.echo("echo")
		_, told := a.watcher("watcher", pid)
		a.mustAsk(pid, "connected")
		n.silence("b:1")
		start := time.Now()
		a.remote.Disconnect("b:1")
		a.remote.Disconnect("nobody:1")
		wantTerminated(t, told, pid, actor.TerminatedReasonAddressTerminated)
		if took := time.Since(start); took > 0 {
			t.Errorf("it took %v", took)
		}
		time.Sleep(DefaultBackoffMax)
		a.mustAsk(pid, "connected again")
	})
}

func TestEvents(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		events := make(chan any, 10)
		actor.SubscribeTo(a.system.EventStream, func(e *EndpointConnectedEvent) { events <- e })
		actor.SubscribeTo(a.system.EventStream, func(e *EndpointTerminatedEvent) { events <- e })
		b.remote.SetMember("b's id")
		a.mustAsk(b.echo("echo"), "connects")
		if e, ok := (<-events).(*EndpointConnectedEvent); !ok || e.Address != "b:1" || e.Member != "b's id" {
			t.Errorf("connected: %+v", e)
		}
		n.cut("b:1")
		if e, ok := (<-events).(*EndpointTerminatedEvent); !ok || e.Address != "b:1" || e.Member != "b's id" || e.Cause == nil {
			t.Errorf("terminated: %+v", e)
		}
	})
}

func TestManyDialAtOnce(t *testing.T) {
	t.Run("bubble", func(t *testing.T) {
		for range 30 {
			synctest.Test(t, func(t *testing.T) {
				n := newMemNetwork()
				allAskAll(t, 5, func(i int) *Config { return n.on(fmt.Sprint("host", i), 1) })
			})
		}
	})
	t.Run("loopback", func(t *testing.T) {
		for range 5 {
			allAskAll(t, 5, func(int) *Config { return Configure("127.0.0.1", 0) })
		}
	})
}

// allAskAll starts n processes that all ask each other at once, and wants each
// pair to share one connection that lasts.
func allAskAll(t *testing.T, n int, config func(int) *Config) {
	t.Helper()
	all := make([]*process, n)
	for i := range all {
		all[i] = startProcess(t, config(i))
		all[i].echo("echo")
	}
	var asking sync.WaitGroup
	for _, i := range rand.Perm(n) {
		for _, j := range rand.Perm(n) {
			if i != j {
				asking.Go(func() {
					for k := range 3 {
						if _, err := all[i].ask(all[j].at("echo"), fmt.Sprint(k)); err != nil {
							t.Errorf("%s asks %s: %v", all[i].remote.Address(), all[j].remote.Address(), err)
						}
					}
				})
			}
		}
	}
	asking.Wait()
	for _, p := range all {
		if got := p.remote.Stats().Connections; got != n-1 {
			t.Errorf("%d connections, want %d", got, n-1)
		}
		if p.logs.has("disconnected") {
			t.Errorf("%s lost a connection", p.remote.Address())
		}
	}
	for _, p := range all {
		p.stop()
	}
}

// Connections are cut again and again while both sides send, small messages and
// large ones: every message arrives in order, or is a dead letter, and none is both.
func TestCutAgainAndAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		const messages = 20000
		there, inB := b.sink("sink")
		back, inA := a.sink("sink")
		large := strings.Repeat("x", 3*batchBytes)
		for i := range messages {
			body := ""
			if i%211 == 0 {
				body = large
			}
			a.system.Root.Send(there, text("%d %s", i, body))
			if i%2 == 0 {
				b.system.Root.Send(back, text("%d", i/2))
			}
			if i%7 == 0 {
				time.Sleep(time.Millisecond)
			}
			if i%1000 == 999 {
				n.cut("")
			}
		}
		time.Sleep(time.Minute)
		wantAccounted(t, inB.list(), a.dead.list(), messages)
		wantAccounted(t, inA.list(), b.dead.list(), messages/2)
	})
}

// wantAccounted checks that the messages 0 to sent-1 arrived in order, each once, or
// are dead letters.
func wantAccounted(t *testing.T, arrived []string, letters []*actor.DeadLetterEvent, sent int) {
	t.Helper()
	number := func(line string) int {
		var i int
		if _, err := fmt.Sscan(line, &i); err != nil {
			t.Fatal(err)
		}
		return i
	}
	last, seen := -1, make(map[int]bool)
	for _, line := range arrived {
		i := number(line)
		if i <= last {
			t.Fatalf("%d arrived after %d", i, last)
		}
		last, seen[i] = i, true
	}
	dead := make(map[int]bool)
	for _, e := range letters {
		i := number(e.Message.(*wrapperspb.StringValue).Value)
		if seen[i] {
			t.Errorf("%d arrived and is a dead letter: %s", i, e.Reason)
		}
		if dead[i] {
			t.Errorf("%d is a dead letter twice", i)
		}
		dead[i] = true
	}
	if len(seen)+len(dead) != sent || len(seen) < sent/2 || len(dead) == 0 {
		t.Errorf("of %d messages %d arrived and %d are dead letters", sent, len(seen), len(dead))
	}
}

// Who has said goodbye is not there any more: nobody needs to be warned of that, unlike of one that is lost.
func TestPeerThatHasLeftIsNoWarning(t *testing.T) {
	for _, graceful := range []bool{true, false} {
		t.Run(fmt.Sprint(graceful), func(t *testing.T) {
			inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
				pid := b.echo("echo")
				a.mustAsk(pid, "connects")
				time.Sleep(2 * DefaultBackoffMax)
				if err := b.remote.Shutdown(graceful); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				a.wantDeadLetter(pid, text("too late"), "cannot reach")
				if warned := a.logs.has("WARN remote: cannot reach a peer"); warned == graceful || !a.logs.has("cannot reach a peer") {
					t.Errorf("warned: %v", warned)
				}
			})
		})
	}
}
