package remote

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

// watcher spawns an actor that watches pid; what it is told arrives on the channel.
func (p *process) watcher(name string, pid *actor.PID) (*actor.PID, chan *actor.Terminated) {
	told := make(chan *actor.Terminated, 10)
	started := make(chan struct{})
	self := p.spawn(name, func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started:
			ctx.Watch(pid)
			close(started)
		case *actor.Terminated:
			told <- m
		}
	})
	<-started
	return self, told
}

func wantTerminated(t *testing.T, told chan *actor.Terminated, who *actor.PID, why actor.TerminatedReason) {
	t.Helper()
	select {
	case m := <-told:
		if !m.Who.Equal(who) || m.Why != why {
			t.Errorf("told that %s is gone (%s), want %s (%s)", m.Who, m.Why, who, why)
		}
	case <-time.After(time.Minute):
		t.Errorf("not told that %s is gone", who)
	}
}

func wantNotTold(t *testing.T, told chan *actor.Terminated) {
	t.Helper()
	synctest.Wait()
	select {
	case m := <-told:
		t.Errorf("told that %s is gone (%s)", m.Who, m.Why)
	default:
	}
}

func TestWatchOfAnActorThatStops(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		pid := b.echo("watched")
		_, told := a.watcher("watcher", pid)
		a.mustAsk(pid, "alive")
		b.system.Root.Stop(pid)
		wantTerminated(t, told, pid, actor.TerminatedReasonStopped)
		wantNotTold(t, told)
	})
}

func TestWatchOfNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		_, told := a.watcher("watcher", b.at("nobody"))
		wantTerminated(t, told, b.at("nobody"), actor.TerminatedReasonNotFound)
	})
}

func TestWatchWhenTheConnectionIsLost(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		pid := b.echo("watched")
		_, told := a.watcher("watcher", pid)
		_, toldB := b.watcher("watcher", a.echo("watched"))
		a.mustAsk(pid, "alive")
		synctest.Wait()
		n.cut("")
		wantTerminated(t, told, pid, actor.TerminatedReasonAddressTerminated)
		wantTerminated(t, toldB, a.at("watched"), actor.TerminatedReasonAddressTerminated)
		// The watch is over: the actor's end later on is nobody's business.
		time.Sleep(time.Second)
		a.mustAsk(pid, "connected again")
		b.system.Root.Stop(pid)
		wantNotTold(t, told)
	})
}

func TestWatchWhenTheProcessDies(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		pid := b.echo("watched")
		_, told := a.watcher("watcher", pid)
		a.mustAsk(pid, "alive")
		b.stop()
		wantTerminated(t, told, pid, actor.TerminatedReasonAddressTerminated)
	})
}

func TestWatchOfAnUnreachableProcess(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, _ *process) {
		pid := actor.NewPID("nowhere:1", "watched")
		_, told := a.watcher("first", pid)
		wantTerminated(t, told, pid, actor.TerminatedReasonAddressTerminated)
		_, told = a.watcher("during the pause", pid)
		wantTerminated(t, told, pid, actor.TerminatedReasonAddressTerminated)
		if len(a.dead.list()) > 0 {
			t.Errorf("a watch became a dead letter: %+v", a.dead.list()[0])
		}
	})
}

func TestUnwatch(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		pid := b.echo("watched")
		told := make(chan *actor.Terminated, 10)
		watcher := a.spawn("watcher", func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				ctx.Watch(pid)
				ctx.Unwatch(pid)
			case *actor.Terminated:
				told <- m
			}
		})
		a.mustAsk(pid, "alive")
		b.system.Root.Stop(pid)
		wantNotTold(t, told)
		n.cut("")
		wantNotTold(t, told)
		_ = watcher
	})
}

// A watch by an actor of a process that died is forgotten: its end is not told to
// an address that nobody has.
func TestWatchOfADeadWatcher(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		pid := b.echo("watched")
		a.watcher("watcher", pid)
		a.mustAsk(pid, "alive")
		a.stop()
		synctest.Wait()
		time.Sleep(time.Minute)
		b.system.Root.Stop(pid)
		synctest.Wait()
		if b.logs.has("cannot reach") {
			t.Error("dialled the process of the dead watcher")
		}
	})
}

// systemInbox is a process that collects the system messages it is sent.
type systemInbox chan any

func (systemInbox) SendUserMessage(*actor.PID, actor.MessageEnvelope) {}
func (in systemInbox) SendSystemMessage(_ *actor.PID, message any)    { in <- message }

// A peer may say that an actor of its own is gone, but only who watches it is told.
func TestTerminatedThatNobodyWaitsFor(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, _, b *process) {
		in := make(systemInbox, 10)
		b.system.ProcessRegistry.Add(in, "in")
		p := n.rawPeer(t, "b:1")
		p.connect("b:1")
		gone := &remotepb.Control{Kind: &remotepb.Control_Terminated{Terminated: &remotepb.Terminated{
			Who: &remotepb.PID{Address: "raw:1", Id: "watched"},
		}}}
		told := &remotepb.Batch{Targets: []string{"in"}, Envelopes: []*remotepb.Envelope{{Control: gone}}}
		p.batch(told)
		synctest.Wait()
		if len(in) > 0 {
			t.Errorf("delivered %+v", <-in)
		}
		watched, _ := b.system.ProcessRegistry.Get(actor.NewPID("raw:1", "watched"))
		watched.SendSystemMessage(actor.NewPID("raw:1", "watched"), &actor.Watch{Watcher: b.at("in")})
		p.received()
		p.batch(told)
		p.batch(told)
		synctest.Wait()
		if len(in) != 1 {
			t.Errorf("told %d times, want once", len(in))
		}
	})
}

// Nobody is dialled only to be told of an end that it does not wait for.
func TestTerminatedForAnAddressWithoutConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		watcher, _ := a.system.ProcessRegistry.Get(b.at("watcher"))
		watcher.SendSystemMessage(b.at("watcher"), &actor.Terminated{Who: a.at("x")})
		synctest.Wait()
		if got := a.remote.attempts.Load(); got > 0 {
			t.Errorf("dialled %d times", got)
		}
	})
}
