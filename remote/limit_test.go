package remote

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

func TestWatchBeyondTheLimit(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		pid := b.echo("watched")
		_, first := a.watcher("first", pid)
		_, second := a.watcher("second", pid)
		_, third := a.watcher("third", pid)
		wantTerminated(t, third, pid, actor.TerminatedReasonAddressTerminated)
		wantNotTold(t, first)
		b.system.Root.Stop(pid)
		wantTerminated(t, first, pid, actor.TerminatedReasonStopped)
		wantTerminated(t, second, pid, actor.TerminatedReasonStopped)
	}, WithMaxWatches(2))
}

// watchesOf returns a batch of a raw peer's that asks for n watches of id.
func watchesOf(id string, n int) *remotepb.Batch {
	batch := &remotepb.Batch{Targets: []string{id}}
	for i := range n {
		watcher := &remotepb.PID{Address: "raw:1", Id: fmt.Sprint(i)}
		batch.Envelopes = append(batch.Envelopes, &remotepb.Envelope{Control: &remotepb.Control{
			Kind: &remotepb.Control_Watch{Watch: &remotepb.Watch{Watcher: watcher}},
		}})
	}
	return batch
}

func TestPeerThatWatchesBeyondTheLimit(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, _ *process) {
		p := n.rawPeer(t, "b:1")
		p.connect("b:1")
		p.batch(watchesOf("echo", 2))
		p.batch(watchesOf("echo", 2)) // the same ones
		p.batch(echoBatch(text("the stream goes on")))
		p.wantEcho("the stream goes on")
		p.batch(watchesOf("echo", 3))
		p.wantEnd(codes.Unavailable, "WithMaxWatches")
	}, WithMaxWatches(2))
}

// Each watch of nobody has an answer, and this peer takes none.
func TestPeerThatWatchesAndDoesNotRead(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, b *process) {
		p := n.rawPeer(t, "b:1")
		p.connect("b:1")
		for range 100 {
			p.batch(watchesOf("nobody", 200))
			synctest.Wait()
			if b.remote.Stats().Connections == 0 {
				break
			}
		}
		p.wantEnd(codes.Unavailable, errFlooded.Error())
	}, WithMaxWatches(200))
}

// One batch with many senders must not make the process dial as many addresses.
func TestPeersBeyondTheLimit(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		n.hole("x:1", true)
		n.hole("y:1", true)
		a.system.Root.Send(actor.NewPID("x:1", "x"), text("x"))
		a.system.Root.Send(actor.NewPID("y:1", "x"), text("x"))
		a.wantDeadLetter(b.echo("echo"), text("x"), tooManyPeers)
		_, told := a.watcher("watcher", b.at("echo"))
		wantTerminated(t, told, b.at("echo"), actor.TerminatedReasonAddressTerminated)
		// Those who connect by themselves are taken, up to a point.
		a.echo("echo")
		for i := range 3 {
			p, h := n.rawPeer(t, "a:1"), goodHello("a:1")
			h.Address = fmt.Sprintf("raw:%d", i+1)
			if i < 2 {
				p.greet(h)
				continue
			}
			p.hello(h)
			p.wantEnd(codes.ResourceExhausted, "WithPeerLimits")
		}
	}, WithPeerLimits(2, 9))
}

func TestPeersAreForgotten(t *testing.T) {
	inBubble(t, func(_ *testing.T, n *memNetwork, a, b *process) {
		n.hole("x:1", true)
		a.system.Root.Send(actor.NewPID("x:1", "x"), text("x"))
		a.wantDeadLetter(b.echo("echo"), text("x"), tooManyPeers)
		time.Sleep(DefaultDialTimeout + DefaultBackoffMax + restFor + time.Second)
		a.mustAsk(b.at("echo"), "there is room again")
	}, WithPeerLimits(1, 1))
}

func TestAttemptBeyondTheLimitWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		n.hole("x:1", true)
		start := time.Now()
		a.system.Root.Send(actor.NewPID("x:1", "x"), text("x"))
		time.Sleep(time.Second)
		a.mustAsk(b.echo("echo"), "in its turn")
		if took := time.Since(start); took != DefaultDialTimeout {
			t.Errorf("it took %v; the first attempt takes %v", took, DefaultDialTimeout)
		}
	}, WithPeerLimits(9, 1))
}
