package remote

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

// peerOf returns what p knows of the process at address.
func (p *process) peerOf(address string) PeerInfo {
	all := p.remote.Peers()
	i := slices.IndexFunc(all, func(info PeerInfo) bool { return info.Address == address })
	if i < 0 {
		return PeerInfo{}
	}
	return all[i]
}

func TestEverythingIsAcknowledged(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		pid, in := b.sink("sink")
		for i := range 3 * owedMessages {
			a.system.Root.Send(pid, text("%d", i))
		}
		in.wait(t, 3*owedMessages)
		time.Sleep(owedFor)
		synctest.Wait()
		if p := a.peerOf("b:1"); p.UnacknowledgedMessages != 0 || p.UnacknowledgedBytes != 0 || p.QueuedMessages != 0 || p.QueuedBytes != 0 {
			t.Errorf("after everything has arrived: %+v", p)
		}
	})
}

// rawReceiver is a peer by hand that acknowledges when it is told to.
func rawReceiver(t *testing.T, n *memNetwork, h *remotepb.Hello) *rawPeer {
	p := n.rawPeer(t, "b:1")
	h.Capabilities = capabilities
	p.greet(h)
	return p
}

func (p *rawPeer) acknowledge(n uint64) {
	p.t.Helper()
	p.send(&remotepb.Frame{Kind: &remotepb.Frame_Acknowledgement{Acknowledgement: &remotepb.Acknowledgement{Messages: n}}})
}

func TestAcknowledgementOfWhatWasNeverSent(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, b *process) {
		p := rawReceiver(t, n, goodHello("b:1"))
		b.system.Root.Send(actor.NewPID("raw:1", "x"), text("one"))
		p.received()
		p.acknowledge(1)
		p.acknowledge(0)
		p.acknowledge(2)
		p.wantEnd(codes.Unavailable, errAcknowledged.Error())
	})
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		p := rawReceiver(t, n, goodHello("b:1"))
		batch := echoBatch(text("x"))
		batch.Acknowledged = 9
		p.batch(batch)
		p.wantEnd(codes.Unavailable, errAcknowledged.Error())
	})
}

// A peer that reads and acknowledges nothing gets so much and no more; what is
// queued behind it is bounded, too, and everything is accounted for in the end.
func TestPeerThatNeverAcknowledges(t *testing.T) {
	for _, goesOn := range []bool{false, true} {
		t.Run(fmt.Sprint(goesOn), func(t *testing.T) { neverAcknowledges(t, goesOn) })
	}
}

func neverAcknowledges(t *testing.T, goesOn bool) {
	t.Helper()
	attacked(t, func(t *testing.T, n *memNetwork, b *process) {
		p := rawReceiver(t, n, goodHello("b:1"))
		const most = 2 * batchMessages // may be under way, and as many queued
		pid, sent := actor.NewPID("raw:1", "x"), 2*most+1000
		for i := range sent {
			b.system.Root.Send(pid, text("%d", i))
		}
		got := 0
		for b.peerOf("raw:1").UnacknowledgedMessages > got {
			got += len(p.received().Envelopes)
			synctest.Wait()
		}
		info := b.peerOf("raw:1")
		if got > most || info.UnacknowledgedMessages != got {
			t.Errorf("the peer has %d messages, %d count as unacknowledged; at most %d should be", got, info.UnacknowledgedMessages, most)
		}
		if full := len(b.dead.list()); full+info.QueuedMessages+got != sent || full == 0 {
			t.Errorf("%d are dead letters, %d queued, %d written, of %d", full, info.QueuedMessages, got, sent)
		}
		// What the peer sends meanwhile is acknowledged: two that wait for each other would wait for ever.
		silent := echoBatch(text("x"))
		silent.Envelopes[0].Sender = 0
		p.batch(silent)
		if f, err := p.stream.Recv(); err != nil || f.GetAcknowledgement().GetMessages() != 1 {
			t.Errorf("%v, %v; want an acknowledgement", f, err)
		}
		if goesOn {
			p.acknowledge(uint64(got))
			if more := len(p.received().Envelopes); more == 0 {
				t.Error("nothing more after the acknowledgement")
			}
			synctest.Wait()
		} else {
			got = 0
		}
		n.cut("b:1")
		time.Sleep(doubtFor + time.Second)
		synctest.Wait()
		dead := 0
		for _, e := range b.dead.list() {
			if e.PID != nil && e.PID.Equal(pid) {
				dead++
			}
		}
		if dead+got != sent {
			t.Errorf("%d are dead letters, %d were acknowledged, of %d", dead, got, sent)
		}
	}, WithQueueLimits(2*batchMessages, DefaultQueueBytes))
}

// What a peer says when it is back decides what was lost.
func TestPeerSaysWhatArrived(t *testing.T) {
	tests := []struct {
		name     string
		arrived  *remotepb.Arrived // incarnation 1 stands for the process's own
		lost     []string
		reason   string
		restarts bool
	}{
		{"some", &remotepb.Arrived{Incarnation: 1, Messages: 2}, []string{"2", "3"}, "before the message arrived", false},
		{"all", &remotepb.Arrived{Incarnation: 1, Messages: 4}, nil, "", false},
		{"nonsense", &remotepb.Arrived{Incarnation: 1, Messages: 5}, []string{"0", "1", "2", "3"}, "unknown", false},
		{"another process", &remotepb.Arrived{Incarnation: 4711, Messages: 2}, []string{"0", "1", "2", "3"}, "unknown", false},
		{"nothing", nil, []string{"0", "1", "2", "3"}, "unknown", false},
		{"restarted", nil, []string{"0", "1", "2", "3"}, "unknown", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			attacked(t, func(t *testing.T, n *memNetwork, b *process) {
				p := rawReceiver(t, n, goodHello("b:1"))
				for i := range 4 {
					b.system.Root.Send(actor.NewPID("raw:1", "x"), text("%d", i))
				}
				for got := 0; got < 4; {
					got += len(p.received().Envelopes)
				}
				n.cut("b:1")
				synctest.Wait()
				if dead := b.dead.list(); len(dead) > 0 {
					t.Errorf("a dead letter before the peer has said anything: %+v", dead[0])
				}
				h := goodHello("b:1")
				h.Attempt = 2
				if test.restarts {
					h.Incarnation, h.Attempt = 6, 1
				}
				if h.Arrived = test.arrived; h.Arrived != nil && h.Arrived.Incarnation == 1 {
					h.Arrived.Incarnation = b.remote.incarnation
				}
				rawReceiver(t, n, h)
				synctest.Wait()
				wantLost(t, b, test.lost, test.reason)
			})
		})
	}
}

func wantLost(t *testing.T, p *process, want []string, reason string) {
	t.Helper()
	var lost []string
	for _, e := range p.dead.list() {
		lost = append(lost, e.Message.(interface{ GetValue() string }).GetValue())
		if !strings.Contains(e.Reason, reason) {
			t.Errorf("dead letter: %s; want %s", e.Reason, reason)
		}
	}
	if !slices.Equal(lost, want) {
		t.Errorf("lost %v, want %v", lost, want)
	}
}

// Whether messages arrived at a peer that does not come back is not known for ever.
func TestPeerThatDoesNotComeBack(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		pid, _ := b.sink("sink")
		a.mustAsk(b.echo("echo"), "connects")
		synctest.Wait()
		time.Sleep(owedFor)
		synctest.Wait()
		n.silence("b:1")
		a.system.Root.Send(pid, text("0"))
		synctest.Wait()
		b.stop()
		start := time.Now()
		a.dead.wait(t, 1)
		wantLost(t, a, []string{"0"}, "unknown")
		if took := time.Since(start); took > doubtFor+DefaultBackoffMax {
			t.Errorf("it took %v", took)
		}
		time.Sleep(DefaultBackoffMax + restFor + time.Second)
		if a.peerOf("b:1").Address != "" {
			t.Error("the peer is not forgotten")
		}
	})
}

// A shutdown does not wait for it.
func TestShutdownWithDoubts(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		pid, _ := b.sink("sink")
		a.mustAsk(b.echo("echo"), "connects")
		time.Sleep(owedFor)
		synctest.Wait()
		n.hole("b:1", true)
		n.silence("b:1")
		a.system.Root.Send(pid, text("0"))
		synctest.Wait()
		a.remote.Disconnect("b:1")
		synctest.Wait()
		start := time.Now()
		a.stop()
		if took := time.Since(start); took > 0 {
			t.Errorf("the shutdown took %v", took)
		}
		wantLost(t, a, []string{"0"}, "unknown")
	})
}

// A request that was told of the break is not told again, but it is counted.
func TestRequestInDoubt(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, b *process) {
		p := rawReceiver(t, n, goodHello("b:1"))
		future := b.system.Root.RequestFuture(actor.NewPID("raw:1", "x"), text("0"), time.Hour)
		p.received()
		n.cut("b:1")
		if _, err := future.Result(); err == nil || !strings.Contains(err.Error(), ErrConnectionLost.Error()) {
			t.Errorf("the request: %v", err)
		}
		h := goodHello("b:1")
		h.Attempt, h.Arrived = 2, &remotepb.Arrived{Incarnation: b.remote.incarnation}
		rawReceiver(t, n, h)
		synctest.Wait()
		wantLost(t, b, []string{"0"}, "before the message arrived")
	})
}

// Numbers go on where they were, also after the peer was forgotten in between.
func TestNumbersGoOn(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, b *process) {
		p := n.rawPeer(t, "b:1")
		first := func(h *remotepb.Hello) uint64 {
			h.Capabilities = capabilities
			p.hello(h)
			f, err := p.stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			return f.GetHelloReply().First
		}
		if got := first(goodHello("b:1")); got != 0 {
			t.Errorf("the first message has the number %d", got)
		}
		for i := range 3 {
			b.system.Root.Send(actor.NewPID("raw:1", "x"), text("%d", i))
		}
		synctest.Wait()
		n.cut("b:1")
		b.dead.wait(t, 3)
		time.Sleep(doubtFor)
		synctest.Wait()
		if b.peerOf("raw:1").Address != "" {
			t.Fatal("the peer is not forgotten")
		}
		p = n.rawPeer(t, "b:1")
		h := goodHello("b:1")
		h.Attempt = 99
		if got := first(h); got != 3 {
			t.Errorf("after three messages the next has the number %d", got)
		}
	})
}

func TestArrivedIsSaidToThePeer(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		h := goodHello("b:1")
		h.First = 40
		p := rawReceiver(t, n, h)
		for i := range 3 {
			p.batch(echoBatch(text("%d", i)))
			p.wantEcho(fmt.Sprint(i))
		}
		n.cut("b:1")
		synctest.Wait()
		p, h = n.rawPeer(t, "b:1"), goodHello("b:1")
		h.Attempt = 2
		p.hello(h)
		f, err := p.stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if a := f.GetHelloReply().GetArrived(); a.GetIncarnation() != 5 || a.GetMessages() != 43 {
			t.Errorf("says that %v arrived, want 43 of the incarnation 5", a)
		}
	})
}

// A peer that does not hear that it was connected asks once more, and the connection over which nothing came does not answer
// for those before it.
func TestArrivedOutlivesAConnectionThatThePeerNeverHad(t *testing.T) {
	for _, test := range []struct {
		name            string
		before          bool // there was a connection over which messages came
		messages, since uint64
	}{{"after another", true, 43, 40}, {"the first", false, 90, 90}} {
		t.Run(test.name, func(t *testing.T) {
			attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
				attempt := uint64(1)
				connect := func(first uint64) *rawPeer {
					h := goodHello("b:1")
					h.First, h.Attempt = first, attempt
					attempt++
					return rawReceiver(t, n, h)
				}
				if test.before {
					p := connect(40)
					for i := range 3 {
						p.batch(echoBatch(text("%d", i)))
						p.wantEcho(fmt.Sprint(i))
					}
					n.cut("b:1")
					synctest.Wait()
				}
				connect(90) // 43 to 89 were written, and the peer does not hear that this one was taken
				n.cut("b:1")
				synctest.Wait()
				p, h := n.rawPeer(t, "b:1"), goodHello("b:1")
				h.First, h.Attempt = 90, attempt
				p.hello(h)
				f, err := p.stream.Recv()
				if err != nil {
					t.Fatal(err)
				}
				if a := f.GetHelloReply().GetArrived(); a.GetIncarnation() != 5 || a.GetMessages() != test.messages || a.GetSince() != test.since {
					t.Errorf("says that %v arrived, want %d, known since %d", a, test.messages, test.since)
				}
			})
		})
	}
}

// Nobody sends anything after a connection that broke at once: the peer is asked nevertheless, after the pause.
func TestPeerIsAskedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		pid, _ := b.sink("sink")
		a.mustAsk(b.echo("echo"), "connects")
		n.silence("b:1")
		a.system.Root.Send(pid, text("0"))
		synctest.Wait()
		n.cut("b:1")
		start := time.Now()
		a.dead.wait(t, 1)
		wantLost(t, a, []string{"0"}, "before the message arrived")
		if took := time.Since(start); took > 2*DefaultBackoffMax {
			t.Errorf("it took %v", took)
		}
	})
	// After one that lasted there is no pause.
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		pid, _ := b.sink("sink")
		a.mustAsk(b.echo("echo"), "connects")
		time.Sleep(2 * DefaultBackoffMax)
		n.silence("b:1")
		a.system.Root.Send(pid, text("0"))
		synctest.Wait()
		n.cut("b:1")
		start := time.Now()
		a.dead.wait(t, 1)
		wantLost(t, a, []string{"0"}, "before the message arrived")
		if took := time.Since(start); took > 0 {
			t.Errorf("it took %v", took)
		}
	})
}

// An acknowledgement may overtake the transport's word that a batch was written, and the transport may then say that it
// was not: a peer that acknowledges what it does not read harms nobody but itself.
func TestAcknowledgementOfABatchThatIsNotWritten(t *testing.T) {
	const messages = 5000
	for name, acknowledged := range map[string]func(unacknowledged int) []int{
		"all":  func(n int) []int { return []int{n} },
		"part": func(n int) []int { return []int{n - 50} },
		"each": func(int) []int {
			var all []int
			for i := range messages {
				all = append(all, i)
			}
			return all
		},
	} {
		t.Run(name, func(t *testing.T) {
			attacked(t, func(t *testing.T, n *memNetwork, b *process) {
				p := rawReceiver(t, n, goodHello("b:1"))
				pid, big := actor.NewPID("raw:1", "x"), strings.Repeat("x", 1000)
				for range messages {
					b.system.Root.Send(pid, text("%s", big))
				}
				synctest.Wait()
				info, last := b.peerOf("raw:1"), 0
				if info.Sent == uint64(info.UnacknowledgedMessages) {
					t.Fatal("no batch waits to be written")
				}
				for _, i := range acknowledged(info.UnacknowledgedMessages) {
					f := &remotepb.Frame{Kind: &remotepb.Frame_Acknowledgement{Acknowledgement: &remotepb.Acknowledgement{Messages: uint64(i)}}}
					if p.stream.Send(f) != nil {
						break // it went too far
					}
					synctest.Wait()
					if b.remote.Stats().Connections > 0 {
						last = i
					}
				}
				n.cut("b:1")
				time.Sleep(doubtFor + time.Second)
				synctest.Wait()
				if dead := len(b.dead.list()); dead+last != messages {
					t.Errorf("%d dead letters, %d acknowledged, of %d", dead, last, messages)
				}
			})
		})
	}
}

// asker spawns an actor that sends every string on to pid, and hands on what it is told of those that did not run.
func (p *process) asker(pid *actor.PID) (*actor.PID, <-chan *actor.DeadLetterResponse) {
	told := make(chan *actor.DeadLetterResponse, 1)
	return p.spawn("asker", func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *wrapperspb.StringValue:
			ctx.Request(pid, m)
		case *actor.DeadLetterResponse:
			told <- m
		}
	}), told
}

// Who sent a message of which nobody knows whether it ran is not told that it did not.
func TestUnknownIsNotToldAsCertain(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		pid, in := b.sink("sink")
		a.mustAsk(b.echo("echo"), "connects")
		asker, told := a.asker(pid)
		time.Sleep(time.Second)
		synctest.Wait()
		other := actor.NewFuture(a.system, 0)
		a.system.Root.Send(asker, text("ran"))
		in.wait(t, 1)
		a.system.Root.RequestWithCustomSender(pid, text("ran, too"), other.PID())
		in.wait(t, 2)
		b.stop()
		if _, err := other.Result(); !errors.Is(err, ErrConnectionLost) {
			t.Errorf("the future: %v", err)
		}
		a.dead.wait(t, 2)
		wantLost(t, a, []string{"ran", "ran, too"}, "unknown")
		synctest.Wait()
		select {
		case m := <-told:
			t.Errorf("the actor was told that it certainly did not run: %s", m.Reason)
		default:
		}
	})
}

// What certainly did not arrive is told to the actor that sent it.
func TestLostIsToldToTheSender(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		pid, in := b.sink("sink")
		a.mustAsk(b.echo("echo"), "connects")
		asker, told := a.asker(pid)
		time.Sleep(time.Second)
		n.silence("b:1")
		a.system.Root.Send(asker, text("lost"))
		synctest.Wait()
		n.cut("b:1")
		if m := <-told; !m.Target.Equal(pid) || !strings.Contains(m.Reason, "before the message arrived") || len(in.list()) > 0 {
			t.Errorf("%+v; arrived: %v", m, in.list())
		}
	})
}

// The pauses between attempts do not keep a peer from being asked.
func TestPeerIsAskedDespiteLongPauses(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		pid, in := b.sink("sink")
		a.mustAsk(b.echo("echo"), "connects")
		time.Sleep(time.Second)
		synctest.Wait()
		a.system.Root.Send(pid, text("0"))
		in.wait(t, 1)
		n.cut("b:1") // before the acknowledgement
		time.Sleep(time.Minute)
		synctest.Wait()
		wantLost(t, a, nil, "")
	}, WithBackoff(15*time.Second, 15*time.Second))
}
