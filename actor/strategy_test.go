package actor_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

// family spawns a parent with the given strategy and two children that record
// with their names.
func family(t *testing.T, s *actor.ActorSystem, r *recorder, strategy actor.SupervisorStrategy) (a, b *actor.PID) {
	t.Helper()
	child := func(name string) *actor.Props {
		return actor.PropsFromFunc(func(ctx actor.Context) {
			if m, ok := ctx.Message().(fall); ok {
				panic(m.with)
			}
			r.add(name + " " + describe(ctx.Message()))
		})
	}
	parent := s.Root.Spawn(doer(&recorder{}, actor.WithSupervisor(strategy)))
	s.Root.Send(parent, do(func(ctx actor.Context) {
		a, _ = ctx.SpawnNamed(child("a"), "a")
		b, _ = ctx.SpawnNamed(child("b"), "b")
	}))
	synctest.Wait()
	r.take()
	return a, b
}

// heard fails t unless exactly this was recorded, in any order.
func (r *recorder) heard(t *testing.T, want ...string) {
	t.Helper()
	count := make(map[string]int)
	got := r.take()
	for _, s := range got {
		count[s]++
	}
	for _, s := range want {
		count[s]--
	}
	for _, n := range count {
		if n != 0 {
			t.Fatalf("recorded %q, want %q in some order", got, want)
		}
	}
}

func TestAllForOne(t *testing.T) {
	for _, tt := range []struct {
		directive actor.Directive
		want      []string
		events    int
	}{
		{actor.RestartDirective, []string{"a Restarting", "a Started", "b Restarting", "b Started"}, 2},
		{actor.StopDirective, []string{"a Stopping", "a Stopped", "b Stopping", "b Stopped"}, 2},
		{actor.ResumeDirective, nil, 1},
	} {
		bubble(t, func(t *testing.T, s *actor.ActorSystem) {
			r, events := &recorder{}, &recorder{}
			a, _ := family(t, s, r, actor.NewAllForOneStrategy(3, time.Second, func(any) actor.Directive { return tt.directive }))
			actor.SubscribeTo(s.EventStream, func(e *actor.SupervisorEvent) { events.add(e) })
			s.Root.Send(a, fall{"boom"})
			r.heard(t, tt.want...)
			if got := events.take(); len(got) != tt.events || got[0][:len(tt.directive.String())] != tt.directive.String() {
				t.Errorf("%v: events %q", tt.directive, got)
			}
		})
	}
}

func TestAllForOneStopsAllAfterTooManyFailures(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		a, b := family(t, s, r, actor.NewAllForOneStrategy(1, time.Minute, nil))
		s.Root.Send(a, fall{"boom"})
		s.Root.Send(b, "waits")
		synctest.Wait()
		s.Root.Send(b, fall{"boom"}) // the first of b's
		synctest.Wait()
		r.take()
		s.Root.Send(a, fall{"boom"}) // the second of a's
		r.heard(t, "a Stopping", "a Stopped", "b Stopping", "b Stopped")
	})
}

func TestRestartingStrategy(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, events := &recorder{}, &recorder{}
		a, _ := family(t, s, r, actor.NewRestartingStrategy())
		actor.SubscribeTo(s.EventStream, func(e *actor.SupervisorEvent) { events.add(e) })
		for range 100 {
			s.Root.Send(a, fall{"boom"})
		}
		s.Root.Send(a, "on")
		got := r.take()
		if len(got) != 201 || got[200] != "a on" {
			t.Errorf("recorded %d, the last %q", len(got), got[len(got)-1])
		}
		if n := len(events.take()); n != 100 {
			t.Errorf("%d events", n)
		}
	})
}

// The back-off that calls itself exponential grows by the same amount each time.
func TestFaultExponentialBackoffIsLinear(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		const initial, window = 100 * time.Millisecond, 10 * time.Second
		var failed time.Time
		var waits []time.Duration
		strategy := actor.NewExponentialBackoffStrategy(window, initial)
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			switch ctx.Message().(type) {
			case *actor.Started:
				if !failed.IsZero() {
					waits = append(waits, time.Since(failed))
				}
			case fall:
				failed = time.Now()
				panic("boom")
			}
		}, actor.WithGuardian(strategy)))
		for range 10 {
			s.Root.Send(pid, fall{})
		}
		pass(5 * time.Minute)
		s.Root.Send(pid, fall{}) // after a long time without a failure it begins anew
		pass(time.Minute)
		if len(waits) != 11 {
			t.Fatalf("restarted %d times: %v", len(waits), waits)
		}
		for i, got := range waits {
			want := initial << i
			if i == 10 {
				want = initial
			}
			if low, high := min(want, window), min(want+want/10, window); got < low || got > high {
				t.Errorf("restart %d after %v, not %v to %v", i+1, got, low, high)
			}
		}
	})
}

func TestExponentialBackoffAtItsBounds(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		for _, tt := range []struct{ window, initial, want time.Duration }{
			{0, 0, 100 * time.Millisecond},
			{-time.Second, time.Second, time.Second},
			{1 << 62, 1 << 62, 1 << 62},
		} {
			r := &recorder{}
			pid := s.Root.Spawn(fragileProps(r, actor.WithGuardian(actor.NewExponentialBackoffStrategy(tt.window, tt.initial))))
			s.Root.Send(pid, fall{})
			pass(tt.want - 1)
			r.want(t, "1 Started")
			pass(tt.want/10 + 2)
			r.want(t, "1 Restarting", "2 Started")
		}
	})
}

// An actor that waits for its restart can be stopped.
func TestStopDuringABackoff(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(fragileProps(r, actor.WithGuardian(actor.NewExponentialBackoffStrategy(time.Hour, time.Minute))))
		s.Root.Send(pid, fall{})
		synctest.Wait()
		start := time.Now()
		if err := s.Root.StopFuture(pid).Wait(); err != nil || time.Since(start) != 0 {
			t.Error(err, time.Since(start))
		}
		r.want(t, "1 Started", "1 Stopping", "1 Stopped")
		pass(time.Hour)
		r.want(t)
	})
}

func TestEveryDecisionIsAnEvent(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		events := &recorder{}
		actor.SubscribeTo(s.EventStream, func(e *actor.SupervisorEvent) { events.add(e) })
		own := strategyFunc(func(by actor.Supervisor, child *actor.PID, reason, _ any) {
			switch reason {
			case "resume":
				by.ResumeChildren(child)
			case "restart":
				by.RestartChildren(by.Children()...)
			case "panic":
				panic("in the strategy")
			default:
				by.EscalateFailure(reason, nil)
			}
		})
		a, b := family(t, s, &recorder{}, own)
		s.Root.Send(a, fall{"resume"})
		events.want(t, fmt.Sprintf("resume %s: resume", a.Id))
		s.Root.Send(a, fall{"restart"})
		events.heard(t, fmt.Sprintf("restart %s: restart", a.Id), fmt.Sprintf("restart %s: restart", b.Id))
		s.Root.Send(b, fall{"panic"})
		events.want(t, fmt.Sprintf("stop %s: panic", b.Id))
		s.Root.Send(a, fall{"up"})
		got := events.take()
		if len(got) < 2 || got[0] != fmt.Sprintf("escalate %s: up", a.Id) {
			t.Errorf("events %q", got)
		}
	})
}

// A child that fails whenever it starts does not begin anew with short waits when
// these have become as long as the window.
func TestExponentialBackoffStaysLong(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		const window = time.Second
		var starts []time.Time
		s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*actor.Started); ok {
				starts = append(starts, time.Now())
				pass(time.Millisecond)
				panic("boom")
			}
		}, actor.WithGuardian(actor.NewExponentialBackoffStrategy(window, 100*time.Millisecond))))
		pass(time.Minute)
		s.Shutdown()
		for i := 5; i < len(starts); i++ {
			if wait := starts[i].Sub(starts[i-1]); wait < window {
				t.Fatalf("start %d came %v after the one before", i, wait)
			}
		}
		if len(starts) < 50 {
			t.Errorf("%d starts", len(starts))
		}
	})
}

// A restart that comes late does not reach somebody else who has the name by then.
func TestLateRestartOfAnotherActor(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, events := &recorder{}, &recorder{}
		old, err := s.Root.SpawnNamed(fragileProps(&recorder{}, actor.WithGuardian(
			actor.NewExponentialBackoffStrategy(time.Hour, time.Minute))), "x")
		if err != nil {
			t.Fatal(err)
		}
		s.Root.Send(old, fall{"boom"})
		synctest.Wait()
		if err := s.Root.StopFuture(old).Wait(); err != nil {
			t.Fatal(err)
		}
		actor.SubscribeTo(s.EventStream, func(e *actor.SupervisorEvent) { events.add(e) })
		if _, err := s.Root.SpawnNamed(recording(r), "x"); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		r.want(t, "Started")
		events.want(t)
	})
}

// afterwards is a strategy that does something more behind each decision.
type afterwards struct {
	actor.SupervisorStrategy

	do func()
}

func (a afterwards) HandleFailure(system *actor.ActorSystem, by actor.Supervisor, child *actor.PID, rs *actor.RestartStatistics, reason, message any) {
	a.SupervisorStrategy.HandleFailure(system, by, child, rs, reason, message)
	a.do()
}

// Two children that fail at one moment are restarted once each, with their sisters, whether these are there again before
// the second failure is looked at or not.
func TestAllForOneOfTwoFailures(t *testing.T) {
	for name, waits := range map[string]int{"all are there again": 3, "one is": 1, "as it comes": 0} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *actor.ActorSystem) {
				r := &recorder{}
				gate, started := make(chan struct{}), make(chan struct{}, 100)
				var once sync.Once
				strategy := afterwards{actor.NewAllForOneStrategy(10, time.Minute, nil), func() {
					once.Do(func() {
						for range waits {
							<-started
						}
					})
				}}
				parent := s.Root.Spawn(doer(&recorder{}, actor.WithSupervisor(strategy)))
				var children [3]*actor.PID
				s.Root.Send(parent, do(func(ctx actor.Context) {
					for i := range children {
						children[i] = ctx.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
							if m, ok := ctx.Message().(fall); ok {
								panic(m.with)
							}
							r.add(describe(ctx.Message()))
							if _, ok := ctx.Message().(*actor.Started); ok {
								started <- struct{}{}
							}
						}))
					}
					<-gate
				}))
				r.take()
				for range children {
					<-started
				}
				s.Root.Send(children[0], fall{"boom"})
				s.Root.Send(children[1], fall{"boom"})
				synctest.Wait() // both have failed, and the parent does not know
				close(gate)
				r.heard(t, "Restarting", "Restarting", "Restarting", "Started", "Started", "Started")
				s.Root.Send(children[0], fall{"boom"}) // a failure of who is there now
				r.heard(t, "Restarting", "Restarting", "Restarting", "Started", "Started", "Started")
			})
		})
	}
}

// An order to restart that finds a child at its restart is without effect, and the child's next failure is decided like any.
func TestAllForOneWhileAChildRestarts(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		gate := make(chan struct{})
		grandchild := actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*actor.Stopping); ok {
				<-gate
			}
		})
		slow := actor.PropsFromFunc(func(ctx actor.Context) {
			r.add(describe(ctx.Message()))
			switch m := ctx.Message().(type) {
			case *actor.Started:
				ctx.Spawn(grandchild)
			case fall:
				panic(m.with)
			}
		})
		var first, second *actor.PID
		parent := s.Root.Spawn(doer(&recorder{}, actor.WithSupervisor(actor.NewAllForOneStrategy(10, time.Minute, nil))))
		s.Root.Send(parent, do(func(ctx actor.Context) {
			first, second = ctx.Spawn(slow), ctx.Spawn(fragileProps(&recorder{}))
		}))
		r.take()
		s.Root.Send(first, fall{"boom"})
		r.heard(t, "{boom}", "Restarting") // and waits for its child
		s.Root.Send(second, fall{"boom"})
		r.heard(t)
		close(gate)
		r.heard(t, "Started")
		s.Root.Send(first, fall{"boom"})
		r.heard(t, "{boom}", "Restarting", "Started")
	})
}

// The failures of children that are restarted together are all counted, and a decision other than to restart is
// carried out, whoever failed first.
func TestAllForOneCountsEachFailure(t *testing.T) {
	const limit, children = 3, 20
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		var starts atomic.Int32
		loops := actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*actor.Started); ok {
				starts.Add(1)
				pass(rand.N(20 * time.Millisecond)) // another one is the first in each round
				panic("nothing works")
			}
		})
		s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*actor.Started); ok {
				for range children {
					ctx.Spawn(loops)
				}
			}
		}, actor.WithSupervisor(actor.NewAllForOneStrategy(limit, time.Minute, nil))))
		pass(time.Hour)
		if n := starts.Load(); n > 2*(limit+1)*children { // some are under way while others are counted
			t.Errorf("%d starts of %d children that may be restarted %d times", n, children, limit)
		}
	})
}

func TestAllForOneStopsAfterARestart(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		decide := func(reason any) actor.Directive {
			if reason == "fatal" {
				return actor.StopDirective
			}
			return actor.RestartDirective
		}
		parent := s.Root.Spawn(doer(&recorder{}, actor.WithSupervisor(actor.NewAllForOneStrategy(10, time.Minute, decide))))
		gate := make(chan struct{})
		var first, second *actor.PID
		s.Root.Send(parent, do(func(ctx actor.Context) {
			first, second = ctx.Spawn(fragileProps(r)), ctx.Spawn(fragileProps(r))
			<-gate
		}))
		r.take()
		s.Root.Send(first, fall{"passing"})
		synctest.Wait()
		s.Root.Send(second, fall{"fatal"})
		synctest.Wait()
		close(gate)
		r.take()
		for _, pid := range []*actor.PID{first, second} {
			if _, ok := s.ProcessRegistry.Get(pid); ok {
				t.Errorf("%s is there", pid.Id)
			}
		}
	})
}
