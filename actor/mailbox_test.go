package actor_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

// held spawns a doer with the given mailbox that is busy until release is called.
func held(s *actor.ActorSystem, r *recorder, m actor.Mailbox) (pid *actor.PID, release func()) {
	pid = s.Root.Spawn(doer(r, actor.WithMailbox(m)))
	gate := make(chan struct{})
	s.Root.Send(pid, do(func(actor.Context) { <-gate }))
	synctest.Wait()
	return pid, sync.OnceFunc(func() { close(gate) })
}

func TestBoundedMailboxWhenFull(t *testing.T) {
	for _, tt := range []struct {
		overflow actor.Overflow
		handled  []string
		dead     string
	}{
		{actor.OverflowReject, []string{"Started", "1", "2"}, "3"},
		{actor.OverflowDropOldest, []string{"Started", "2", "3"}, "1"},
		{actor.OverflowDropNewest, []string{"Started", "1", "3"}, "2"},
	} {
		bubble(t, func(t *testing.T, s *actor.ActorSystem) {
			r, dead := &recorder{}, deadLetters(s)
			pid, release := held(s, r, actor.Bounded(2, tt.overflow))
			for _, m := range []string{"1", "2", "3"} {
				s.Root.Send(pid, m)
			}
			dead.want(t, fmt.Sprintf("dead letter %s: mailbox full", tt.dead))
			release()
			r.want(t, tt.handled...)
		})
	}
}

// The "bounded" inbox grows without limit.
func TestFaultBoundedMailboxGrows(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		const n = 100_000
		dead, handled := 0, 0
		actor.SubscribeTo(s.EventStream, func(*actor.DeadLetterEvent) { dead++ })
		gate := make(chan struct{})
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(int); ok {
				<-gate
				handled++
			}
		}, actor.WithMailbox(actor.Bounded(100, actor.OverflowDropOldest))))
		for i := range n {
			s.Root.Send(pid, i)
		}
		synctest.Wait()
		close(gate)
		synctest.Wait()
		if handled > 101 || handled+dead != n {
			t.Errorf("%d handled, %d dead of %d", handled, dead, n)
		}
	})
}

// Who waits for an answer is told at once that there is no room.
func TestFullMailboxAnswersRequests(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		pid, release := held(s, &recorder{}, actor.Bounded(1, actor.OverflowReject))
		defer release()
		s.Root.Send(pid, "1")
		start := time.Now()
		err := s.Root.RequestFuture(pid, "2", time.Minute).Wait()
		var dead *actor.DeadLetterError
		if !errors.As(err, &dead) || dead.Reason != actor.DeadLetterMailboxFull {
			t.Error("the request ends with", err)
		}
		if time.Since(start) != 0 {
			t.Error("after", time.Since(start))
		}
	})
}

// System messages and the end of the actor are not in the way of a full mailbox.
func TestFullMailboxTakesPoison(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, deadLetters(s)
		pid, release := held(s, r, actor.Bounded(1, actor.OverflowDropOldest))
		s.Root.Send(pid, "1")
		gone := s.Root.PoisonFuture(pid)
		s.Root.Send(pid, "2") // takes the place of 1, not of the pill
		dead.want(t, "dead letter 1: mailbox full")
		release()
		if err := gone.Wait(); err != nil {
			t.Error(err)
		}
		r.want(t, "Started", "Stopping", "Stopped")
		dead.want(t, "dead letter 2: stopped")
	})
}

func TestOverflowWaitHoldsTheRootUp(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, deadLetters(s)
		pid, release := held(s, r, actor.Bounded(1, actor.OverflowWait))
		s.Root.Send(pid, "1")
		sent := make(chan struct{})
		go func() {
			s.Root.Send(pid, "2")
			close(sent)
		}()
		synctest.Wait()
		select {
		case <-sent:
			t.Error("Send returned while the mailbox was full")
		default:
		}
		release()
		<-sent
		r.want(t, "Started", "1", "2")
		dead.want(t)
	})
}

func TestOverflowWaitEndsWithTheActor(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		pid, release := held(s, &recorder{}, actor.Bounded(1, actor.OverflowWait))
		s.Root.Send(pid, "1")
		s.Root.Stop(pid)
		var senders sync.WaitGroup
		for range 3 {
			senders.Go(func() { s.Root.Send(pid, "2") })
		}
		synctest.Wait()
		release()
		senders.Wait()
		dead.want(t, "dead letter 1: stopped", "dead letter 2: stopped", "dead letter 2: stopped", "dead letter 2: stopped")
	})
}

// Actors that fill each other's mailbox do not wait for each other.
func TestOverflowWaitNeverHoldsActorsUp(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		pid, release := held(s, &recorder{}, actor.Bounded(1, actor.OverflowWait))
		defer release()
		other := s.Root.Spawn(doer(&recorder{}))
		s.Root.Send(other, do(func(ctx actor.Context) {
			ctx.Send(pid, "1")
			ctx.Send(pid, "2")
			ctx.Request(pid, "3")
		}))
		dead.want(t, "dead letter 2: mailbox full", "dead letter 3: mailbox full")
	})
}

func TestBoundedMailboxAgainstTheOrder(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		const n = 1000
		var got []int
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if i, ok := ctx.Message().(int); ok {
				got = append(got, i)
			}
		}, actor.WithMailbox(actor.Bounded(7, actor.OverflowWait))))
		for i := range n {
			s.Root.Send(pid, i)
		}
		if err := s.Root.PoisonFuture(pid).Wait(); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if i >= len(got) || got[i] != i {
				t.Fatalf("%d messages, the %dth is not its number", len(got), i)
			}
		}
	})
}

func TestBoundedMailboxBySeveralSenders(t *testing.T) {
	s := actor.NewActorSystem(actor.WithLogger(discard))
	defer s.Shutdown()
	const senders, each = 8, 5000
	handled := make(chan int, 1)
	n := 0
	pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case int:
			n++
		case *actor.Stopped:
			handled <- n
		}
	}, actor.WithMailbox(actor.Bounded(3, actor.OverflowWait))))
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for i := range each {
				s.Root.Send(pid, i)
			}
		})
	}
	wg.Wait()
	s.Root.Poison(pid)
	if got := <-handled; got != senders*each {
		t.Errorf("%d of %d messages were handled", got, senders*each)
	}
}

type urgency struct {
	level int
	name  string
}

func (u urgency) Priority() int  { return u.level }
func (u urgency) String() string { return u.name }

func TestPriorityMailbox(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid, release := held(s, r, actor.UnboundedPriority())
		s.Root.Poison(pid)
		s.Root.Send(pid, urgency{-1, "later 1"})
		s.Root.Send(pid, "plain 1")
		s.Root.Send(pid, urgency{5, "urgent 1"})
		s.Root.Send(pid, urgency{9, "first"})
		s.Root.Send(pid, "plain 2")
		s.Root.Send(pid, urgency{-1, "later 2"})
		s.Root.Send(pid, urgency{5, "urgent 2"})
		release()
		r.want(t, "Started", "first", "urgent 1", "urgent 2", "plain 1", "plain 2", "later 1", "later 2", "Stopping", "Stopped")
	})
}

// What waits in any mailbox when the actor stops is a dead letter.
func TestStoppedMailboxesMakeDeadLetters(t *testing.T) {
	for name, m := range map[string]actor.Mailbox{
		"unbounded": actor.Unbounded(),
		"bounded":   actor.Bounded(10, actor.OverflowReject),
		"priority":  actor.UnboundedPriority(),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *actor.ActorSystem) {
				dead := deadLetters(s)
				pid, release := held(s, &recorder{}, m)
				s.Root.Send(pid, "1")
				s.Root.Send(pid, "2")
				s.Root.Stop(pid)
				release()
				dead.want(t, "dead letter 1: stopped", "dead letter 2: stopped")
			})
		})
	}
}

func TestInvalidMailboxesAndDispatchers(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		for name, opt := range map[string]actor.PropsOption{
			"no capacity":       actor.WithMailbox(actor.Bounded(0, actor.OverflowReject)),
			"too large":         actor.WithMailbox(actor.Bounded(1<<24+1, actor.OverflowReject)),
			"no overflow":       actor.WithMailbox(actor.Bounded(1, 17)),
			"no dispatcher":     actor.WithDispatcher(-1),
			"negative stash":    actor.WithStashCapacity(-1),
			"no receiver":       actor.WithReceiverMiddleware(nil),
			"no outermost":      actor.WithOutermostMiddleware(nil),
			"no sender":         actor.WithSenderMiddleware(nil),
			"no spawner":        actor.WithSpawnMiddleware(nil),
			"no decorator":      actor.WithContextDecorator(nil),
			"one of several":    actor.WithSenderMiddleware(func(next actor.SenderFunc) actor.SenderFunc { return next }, nil),
			"in the middle of ": func(p *actor.Props) { actor.WithStashCapacity(-2)(p) },
		} {
			props := recording(&recorder{}, opt)
			if !errors.Is(props.Err(), actor.ErrInvalidProps) {
				t.Error(name, "is valid:", props.Err())
			}
			if _, err := s.Root.SpawnNamed(props, "x"); !errors.Is(err, actor.ErrInvalidProps) {
				t.Error(name, "was spawned:", err)
			}
		}
		if err := recording(&recorder{}, nil).Err(); err != nil {
			t.Error("a nil option:", err)
		}
	})
}

type rude struct{ name string }

func (rude) Priority() int    { panic("rude") }
func (r rude) String() string { return r.name }

// A message whose Priority panics is handled like one without, also while its actor
// stops.
func TestPriorityThatPanics(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, deadLetters(s)
		pid, release := held(s, r, actor.UnboundedPriority())
		s.Root.Send(pid, rude{"a"})
		s.Root.Send(pid, urgency{1, "first"})
		release()
		r.want(t, "Started", "first", "a")
		pid, release = held(s, r, actor.UnboundedPriority())
		s.Root.Send(pid, rude{"b"})
		gone := s.Root.StopFuture(pid)
		release()
		if err := gone.Wait(); err != nil {
			t.Error(err)
		}
		dead.want(t, "dead letter b: stopped")
	})
}

type exempted int

func (exempted) MailboxExempt() {}

// Order, counts and exemptions of a ring against a plain slice, by chance.
func TestBoundedMailboxAgainstASlice(t *testing.T) {
	for _, overflow := range []actor.Overflow{actor.OverflowReject, actor.OverflowDropOldest, actor.OverflowDropNewest} {
		bubble(t, func(t *testing.T, s *actor.ActorSystem) {
			const capacity, rounds = 5, 300
			r, dead := &recorder{}, deadLetters(s)
			random := rand.New(rand.NewPCG(uint64(overflow), 1))
			for range rounds {
				pid, release := held(s, r, actor.Bounded(capacity, overflow))
				var want, lost []string
				counted := func(m string) bool { return m[0] != 'x' }
				for i := range random.IntN(25) {
					if random.IntN(4) == 0 {
						s.Root.Send(pid, exempted(i))
						want = append(want, fmt.Sprint("x", i))
						continue
					}
					name := fmt.Sprint(i)
					s.Root.Send(pid, name)
					n := 0
					for _, m := range want {
						if counted(m) {
							n++
						}
					}
					if n < capacity {
						want = append(want, name)
						continue
					}
					switch overflow {
					case actor.OverflowReject:
						lost = append(lost, name)
						continue
					case actor.OverflowDropOldest:
						j := slices.IndexFunc(want, counted)
						lost = append(lost, want[j])
						want = slices.Delete(want, j, j+1)
					default:
						j := len(want) - 1
						for !counted(want[j]) {
							j--
						}
						lost = append(lost, want[j])
						want = slices.Delete(want, j, j+1)
					}
					want = append(want, name)
				}
				release()
				got := r.take()
				for i := range want {
					want[i] = strings.TrimPrefix(want[i], "x")
				}
				if !slices.Equal(got[1:], want) {
					t.Fatalf("%d: handled %q, want %q", overflow, got, want)
				}
				if n := len(dead.take()); n != len(lost) {
					t.Fatalf("%d: %d dead letters, want %q", overflow, n, lost)
				}
			}
		})
	}
}

// An actor sees how many messages wait behind the one that it handles.
func TestMailboxLength(t *testing.T) {
	for name, m := range map[string]actor.Mailbox{
		"unbounded": actor.Unbounded(), "bounded": actor.Bounded(100, actor.OverflowReject), "priority": actor.UnboundedPriority(),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *actor.ActorSystem) {
				pid, release := held(s, &recorder{}, m)
				var seen []int
				look := do(func(ctx actor.Context) { seen = append(seen, actor.MailboxLength(ctx)) })
				for range 9 {
					s.Root.Send(pid, look)
				}
				s.Root.Send(pid, do(func(ctx actor.Context) {
					if err := ctx.Stash(); err != nil {
						t.Error(err)
					}
				}))
				s.Root.Send(pid, do(func(ctx actor.Context) {
					ctx.UnstashAll()
					seen = append(seen, actor.MailboxLength(ctx))
				}))
				release()
				synctest.Wait()
				s.Root.Stop(pid)
				if want := []int{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}; !slices.Equal(seen, want) {
					t.Errorf("the lengths were %v; want %v", seen, want)
				}
				if n := actor.MailboxLength(s.Root); n != 0 {
					t.Errorf("a root context has a mailbox of %d", n)
				}
			})
		})
	}
}
