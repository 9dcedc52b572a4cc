package actor_test

import (
	"bytes"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

// goroutine returns the number of the calling goroutine.
func goroutine() int {
	buf := make([]byte, 64)
	fields := bytes.Fields(buf[:runtime.Stack(buf, false)])
	n, _ := strconv.Atoi(string(fields[1]))
	return n
}

func TestDedicatedDispatcher(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		seen := make(map[int]int)
		pid := s.Root.Spawn(actor.PropsFromFunc(func(actor.Context) { seen[goroutine()]++ },
			actor.WithDispatcher(actor.DispatcherDedicated)))
		other := s.Root.Spawn(doer(&recorder{}))
		for range 20 {
			s.Root.Send(pid, "by the root")
			s.Root.Send(other, do(func(ctx actor.Context) { ctx.Send(pid, "by an actor") }))
			pass(time.Second) // lets all others rest
		}
		if err := s.Root.PoisonFuture(pid).Wait(); err != nil {
			t.Fatal(err)
		}
		if len(seen) != 1 {
			t.Errorf("the actor ran in %d goroutines: %v", len(seen), seen)
		}
	})
}

// A dedicated goroutine that is ended by its handler has a successor, and none is
// left after the actor: else the bubble would not end.
func TestDedicatedDispatcherAfterGoexit(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(doer(r, actor.WithDispatcher(actor.DispatcherDedicated)))
		s.Root.Send(pid, do(func(actor.Context) { runtime.Goexit() }))
		s.Root.Send(pid, "on")
		r.want(t, "Started", "Restarting", "Started", "on")
		s.Root.Send(pid, do(func(ctx actor.Context) { ctx.Stop(ctx.Self()) }))
		r.want(t, "Stopping", "Stopped")
	})
}

// Messages that meet a dedicated actor at its end are dead letters, none is lost.
func TestDedicatedDispatcherAtTheEnd(t *testing.T) {
	s := actor.NewActorSystem(actor.WithLogger(discard))
	defer s.Shutdown()
	const rounds, senders, each = 200, 4, 20
	var mu sync.Mutex
	handled, dead := 0, 0
	actor.SubscribeTo(s.EventStream, func(*actor.DeadLetterEvent) {
		mu.Lock()
		defer mu.Unlock()
		dead++
	})
	props := actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(int); ok {
			mu.Lock()
			defer mu.Unlock()
			handled++
		}
	}, actor.WithDispatcher(actor.DispatcherDedicated))
	for range rounds {
		pid := s.Root.Spawn(props)
		var wg sync.WaitGroup
		for range senders {
			wg.Go(func() {
				for i := range each {
					s.Root.Send(pid, i)
				}
			})
		}
		gone := s.Root.StopFuture(pid)
		wg.Wait()
		if err := gone.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	tick := time.NewTicker(time.Millisecond) // for those that come after the end
	defer tick.Stop()
	for range 5000 {
		mu.Lock()
		all := handled + dead
		mu.Unlock()
		if all == rounds*senders*each {
			return
		}
		<-tick.C
	}
	t.Errorf("%d handled and %d dead of %d messages", handled, dead, rounds*senders*each)
}

func TestDedicatedDispatcherOfASpawnThatFails(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		pid := s.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return nil },
			actor.WithDispatcher(actor.DispatcherDedicated)))
		dead := deadLetters(s)
		s.Root.Send(pid, "1")
		dead.want(t, "dead letter 1: no actor")
	})
}

func TestSynchronousDispatcher(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		here := goroutine()
		r := &recorder{}
		sync := actor.WithDispatcher(actor.DispatcherSynchronous)
		second := s.Root.Spawn(doer(r, sync))
		first := s.Root.Spawn(doer(r, sync))
		s.Root.Send(first, do(func(ctx actor.Context) {
			if goroutine() != here {
				t.Error("ran in another goroutine")
			}
			r.add("begins")
			ctx.Send(ctx.Self(), "to itself")
			ctx.Send(second, "to the second")
			r.add("ends")
		}))
		r.mu.Lock() // and no synctest.Wait: all has happened
		got := r.got
		r.mu.Unlock()
		if want := []string{"Started", "Started", "begins", "to the second", "ends", "to itself"}; sprint(got) != sprint(want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if answer, err := s.Root.RequestFuture(s.Root.Spawn(doer(r, sync)), do(func(ctx actor.Context) { ctx.Respond("x") }), 0).Result(); answer != "x" || err != nil {
			t.Error(answer, err)
		}
		synctest.Wait()
	})
}

func TestSystemMessagesComeFirstInEveryMailbox(t *testing.T) {
	for name, m := range map[string]actor.Mailbox{
		"bounded":  actor.Bounded(10, actor.OverflowReject),
		"priority": actor.UnboundedPriority(),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *actor.ActorSystem) {
				r := &recorder{}
				watched := s.Root.Spawn(recording(&recorder{}))
				gate := make(chan struct{})
				pid := s.Root.Spawn(doer(r, actor.WithMailbox(m)))
				s.Root.Send(pid, do(func(ctx actor.Context) {
					ctx.Watch(watched)
					<-gate
				}))
				s.Root.Send(pid, "sent before")
				synctest.Wait()
				if err := s.Root.StopFuture(watched).Wait(); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				close(gate)
				r.want(t, "Started", "terminated "+watched.Id+": stopped", "sent before")
			})
		})
	}
}
