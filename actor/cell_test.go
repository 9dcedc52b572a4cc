package actor

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// byHand is a dispatcher that runs nothing until it is told to.
type byHand struct{ woken []*cell }

func (d *byHand) schedule(c, _ *cell) { d.woken = append(d.woken, c) }

func (d *byHand) close() {}

func (d *byHand) run() {
	for len(d.woken) > 0 {
		c := d.woken[0]
		d.woken = d.woken[1:]
		c.run()
	}
}

func systemByHand() (*ActorSystem, *byHand) {
	s, d := NewActorSystem(WithLogger(slog.New(slog.DiscardHandler))), &byHand{}
	s.dispatcher = d
	return s, d
}

func cellOf(t *testing.T, s *ActorSystem, pid *PID) *cell {
	t.Helper()
	p, ok := s.ProcessRegistry.Get(pid)
	if !ok {
		t.Fatalf("no process at %s", pid)
	}
	c, ok := p.(*cell)
	if !ok {
		t.Fatalf("%s is a %T", pid, p)
	}
	return c
}

// What arrives between a cell's last look and its release must not be left lying.
func TestReleaseSeesWhatArrivedMeanwhile(t *testing.T) {
	for _, tt := range []struct {
		name    string
		release int32
		arrive  func(c *cell)
		again   bool
	}{
		{"nothing", idle, func(*cell) {}, false},
		{"a user message", idle, func(c *cell) { c.SendUserMessage(nil, MessageEnvelope{Message: 1}) }, true},
		{"a system message", idle, func(c *cell) { c.SendSystemMessage(nil, resumeMessage) }, true},
		{"a user message, suspended", paused, func(c *cell) { c.SendUserMessage(nil, MessageEnvelope{Message: 1}) }, false},
		{"a system message, suspended", paused, func(c *cell) { c.SendSystemMessage(nil, resumeMessage) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, d := systemByHand()
			c := cellOf(t, s, s.Root.Spawn(PropsFromFunc(func(Context) {})))
			d.run()
			d.woken = nil
			c.state.Store(running)
			tt.arrive(c)
			if len(d.woken) != 0 {
				t.Fatal("a running cell was scheduled")
			}
			if again := c.release(tt.release); again != tt.again {
				t.Fatalf("release(%d) reports %v", tt.release, again)
			}
			want := tt.release
			if tt.again {
				want = running
			}
			if got := c.state.Load(); got != want {
				t.Fatalf("state %d, want %d", got, want)
			}
		})
	}
}

func TestCellIsScheduledOnce(t *testing.T) {
	s, d := systemByHand()
	pid := s.Root.Spawn(PropsFromFunc(func(Context) {}))
	d.run()
	for range 10 {
		s.Root.Send(pid, 1)
		s.Root.Stop(pid)
	}
	if len(d.woken) != 1 {
		t.Fatalf("scheduled %d times", len(d.woken))
	}
	d.run()
}

// A message that slipped in while a suspended actor was being stopped is a dead
// letter like the others.
func TestMessageThatSlippedIntoAStoppedMailbox(t *testing.T) {
	s, d := systemByHand()
	dead := 0
	SubscribeTo(s.EventStream, func(*DeadLetterEvent) { dead++ })
	var c *cell
	pid := s.Root.Spawn(PropsFromFunc(func(ctx Context) {
		if _, ok := ctx.Message().(*Stopping); ok {
			c.user.Push(MessageEnvelope{Message: 1}) // its sender saw the door open
		}
	}))
	c = cellOf(t, s, pid)
	d.run()
	c.suspended = true
	s.Root.Stop(pid)
	d.run()
	if dead != 1 {
		t.Fatalf("%d dead letters", dead)
	}
}

// The same of an actor whose own goroutine has ended.
func TestMessageThatSlippedIntoAStoppedDedicatedActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewActorSystem(WithLogger(slog.New(slog.DiscardHandler)))
		defer s.Shutdown()
		dead := 0
		SubscribeTo(s.EventStream, func(*DeadLetterEvent) { dead++ })
		pid := s.Root.Spawn(PropsFromFunc(func(Context) {}, WithDispatcher(DispatcherDedicated)))
		c := cellOf(t, s, pid)
		if err := s.Root.StopFuture(pid).Wait(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			synctest.Wait()
			c.user.Push(MessageEnvelope{Message: 1}) // its sender saw the door open
			if !c.state.CompareAndSwap(idle, running) {
				t.Fatal("the cell is not idle")
			}
			c.schedule(nil)
		}
		synctest.Wait()
		if dead != 2 {
			t.Fatalf("%d dead letters", dead)
		}
	})
}

func TestWatcherThatStoppedIsNotRemembered(t *testing.T) {
	s, d := systemByHand()
	target := s.Root.Spawn(PropsFromFunc(func(Context) {}))
	watcher := s.Root.Spawn(PropsFromFunc(func(ctx Context) {
		if _, ok := ctx.Message().(*Started); ok {
			ctx.Watch(target)
		}
	}))
	d.run()
	watchers := &cellOf(t, s, target).extras.watchers
	if watchers.len() != 1 {
		t.Fatalf("%d watchers", watchers.len())
	}
	s.Root.Stop(watcher)
	d.run()
	if watchers.len() != 0 {
		t.Fatal("a watcher that is gone is kept")
	}
}

// A timer that is not stopped keeps the actor in memory until it fires.
func TestTimersAreStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewActorSystem(WithLogger(slog.New(slog.DiscardHandler)))
		f := NewFuture(s, time.Hour+1) // which has a timer of its own
		timer := f.timer
		f.Cancel()
		if timer.Stop() {
			t.Error("the timer of a complete future runs")
		}
		pid := s.Root.Spawn(PropsFromFunc(func(ctx Context) { ctx.SetReceiveTimeout(time.Hour) }))
		synctest.Wait()
		timer = cellOf(t, s, pid).extras.timer.timer
		s.Shutdown()
		if timer.Stop() {
			t.Error("the receive timer of a stopped actor runs")
		}
	})
}

// A timer that fired just before it was set anew sends a tick that is void.
func TestReceiveTickOfAnEarlierArming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewActorSystem(WithLogger(slog.New(slog.DiscardHandler)))
		defer s.Shutdown()
		got := make(chan any, 10)
		pid := s.Root.Spawn(PropsFromFunc(func(ctx Context) {
			got <- ctx.Message()
			if _, ok := ctx.Message().(*Started); ok {
				ctx.SetReceiveTimeout(time.Second)
			}
		}))
		synctest.Wait()
		<-time.After(time.Second / 2)
		s.Root.Send(pid, tickMessage)
		synctest.Wait()
		if first := <-got; first != startedMessage || len(got) != 0 {
			t.Fatalf("got %v and %d more", first, len(got))
		}
		<-time.After(time.Second)
		if next := <-got; next != receiveTimeoutMessage {
			t.Fatalf("got %v", next)
		}
		s.Shutdown()
	})
}
