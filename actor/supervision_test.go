package actor_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

// fragile is an actor that panics with what is asked of it and tells which
// instance it is.
type fragile struct {
	id int
	r  *recorder
}

type fall struct{ with any }

func (f *fragile) Receive(ctx actor.Context) {
	if m, ok := ctx.Message().(fall); ok {
		panic(m.with)
	}
	f.r.add(fmt.Sprintf("%d %s", f.id, describe(ctx.Message())))
}

func fragileProps(r *recorder, opts ...actor.PropsOption) *actor.Props {
	n := 0
	return actor.PropsFromProducer(func() actor.Actor {
		n++
		return &fragile{id: n, r: r}
	}, opts...)
}

func decide(d actor.Directive) actor.SupervisorStrategy {
	return actor.NewOneForOneStrategy(3, time.Second, func(any) actor.Directive { return d })
}

func TestRestartKeepsTheMailbox(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, events := &recorder{}, &recorder{}
		actor.SubscribeTo(s.EventStream, func(e *actor.SupervisorEvent) { events.add(e) })
		pid := s.Root.Spawn(fragileProps(r))
		s.Root.Send(pid, "a")
		s.Root.Send(pid, fall{"boom"})
		s.Root.Send(pid, "b")
		r.want(t, "1 Started", "1 a", "1 Restarting", "2 Started", "2 b")
		events.want(t, "restart "+pid.Id+": boom")
	})
}

func TestDirectives(t *testing.T) {
	for _, tt := range []struct {
		directive actor.Directive
		want      []string
	}{
		{actor.ResumeDirective, []string{"1 Started", "1 after"}},
		{actor.RestartDirective, []string{"1 Started", "1 Restarting", "2 Started", "2 after"}},
		{actor.StopDirective, []string{"1 Started", "1 Stopping", "1 Stopped"}},
	} {
		t.Run(tt.directive.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, s *actor.ActorSystem) {
				asRoot := &recorder{}
				pid := s.Root.Spawn(fragileProps(asRoot, actor.WithGuardian(decide(tt.directive))))
				s.Root.Send(pid, fall{"boom"})
				s.Root.Send(pid, "after")
				asRoot.want(t, tt.want...)

				asChild := &recorder{}
				parent := s.Root.Spawn(doer(&recorder{}, actor.WithSupervisor(decide(tt.directive))))
				s.Root.Send(parent, do(func(ctx actor.Context) {
					child := ctx.Spawn(fragileProps(asChild))
					ctx.Send(child, fall{"boom"})
					ctx.Send(child, "after")
				}))
				asChild.want(t, tt.want...)
			})
		})
	}
}

func TestEscalateFailsTheParent(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		parents, children := &recorder{}, &recorder{}
		n := 0
		props := actor.PropsFromProducer(func() actor.Actor {
			n++
			id := n
			return actor.ReceiveFunc(func(ctx actor.Context) {
				parents.add(fmt.Sprintf("%d %s", id, describe(ctx.Message())))
				if _, ok := ctx.Message().(*actor.Started); ok {
					ctx.SpawnPrefix(fragileProps(children), "child")
				}
				if ctx.Message() == "fall" {
					ctx.Send(ctx.Children()[0], fall{"boom"})
				}
			})
		}, actor.WithSupervisor(decide(actor.EscalateDirective)))
		pid := s.Root.Spawn(props)
		s.Root.Send(pid, "fall")
		parents.want(t, "1 Started", "1 fall", "1 Restarting", "2 Started")
		children.want(t, "1 Started", "1 Stopping", "1 Stopped", "1 Started")
	})
}

func TestEscalatedAndResumedParentTakesItsChildAlong(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(doer(&recorder{},
			actor.WithSupervisor(decide(actor.EscalateDirective)),
			actor.WithGuardian(decide(actor.ResumeDirective))))
		s.Root.Send(pid, do(func(ctx actor.Context) {
			child := ctx.Spawn(fragileProps(r))
			ctx.Send(child, fall{"boom"})
			ctx.Send(child, "after")
		}))
		r.want(t, "1 Started", "1 after")
	})
}

func TestTooManyFailuresStopTheActor(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, deadLetters(s)
		pid := s.Root.Spawn(fragileProps(r))
		for range 11 {
			s.Root.Send(pid, fall{"boom"})
		}
		s.Root.Send(pid, "late")
		got := r.take()
		if last := got[len(got)-1]; last != "11 Stopped" {
			t.Fatalf("last recorded %q, want the 11th instance stopped", last)
		}
		if got := dead.take(); len(got) != 1 {
			t.Fatalf("dead letters %q", got)
		}
	})
}

func TestFailuresFarApartNeverStopTheActor(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(fragileProps(r))
		for range 50 {
			s.Root.Send(pid, fall{"boom"})
			<-time.After(1100 * time.Millisecond)
		}
		s.Root.Send(pid, "alive")
		got := r.take()
		if last := got[len(got)-1]; last != "51 alive" {
			t.Fatalf("last recorded %q", last)
		}
	})
}

func TestPanicInStartedIsAFailure(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		n := 0
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*actor.Started); ok {
				if n++; n < 3 {
					panic("not yet")
				}
			}
			ctx.Respond(n)
		}))
		if got, err := s.Root.RequestFuture(pid, "n", 0).Result(); got != 3 {
			t.Fatal(got, err)
		}
	})
}

func TestPanicInRestartingIsIgnored(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Restarting:
				panic("again")
			case fall:
				panic(m.with)
			case string:
				ctx.Respond(m)
			}
		}))
		s.Root.Send(pid, fall{errors.New("first")})
		if got, err := s.Root.RequestFuture(pid, "alive", 0).Result(); got != "alive" {
			t.Fatal(got, err)
		}
	})
}

func TestPanicWithAnything(t *testing.T) {
	var nilMap map[string]int
	for _, with := range []any{nil, 42, "text", errors.New("error"), struct{ X []int }{}, nilMap, func() {}} {
		bubble(t, func(t *testing.T, s *actor.ActorSystem) {
			r := &recorder{}
			pid := s.Root.Spawn(fragileProps(r))
			s.Root.Send(pid, fall{with})
			s.Root.Send(pid, "alive")
			r.want(t, "1 Started", "1 Restarting", "2 Started", "2 alive")
		})
	}
}

func TestPanicInMiddlewareIsAFailure(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		guard := func(next actor.ReceiverFunc) actor.ReceiverFunc {
			return func(ctx actor.Context, env *actor.MessageEnvelope) {
				if env.Message == "bad" {
					panic("middleware")
				}
				next(ctx, env)
			}
		}
		pid := s.Root.Spawn(fragileProps(r, actor.WithReceiverMiddleware(guard)))
		s.Root.Send(pid, "bad")
		s.Root.Send(pid, "good")
		r.want(t, "1 Started", "1 Restarting", "2 Started", "2 good")
	})
}

func TestProducerThatFailsOnRestart(t *testing.T) {
	for _, failing := range []func() actor.Actor{
		func() actor.Actor { return nil },
		func() actor.Actor { panic("producer") },
	} {
		for _, d := range []actor.Directive{actor.RestartDirective, actor.ResumeDirective} {
			bubble(t, func(t *testing.T, s *actor.ActorSystem) {
				r, dead, n := &recorder{}, deadLetters(s), 0
				strategy := actor.NewOneForOneStrategy(5, time.Minute, func(reason any) actor.Directive {
					if reason == "boom" {
						return actor.RestartDirective
					}
					return d
				})
				pid := s.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
					if n++; n > 1 {
						return failing()
					}
					return &fragile{id: n, r: r}
				}, actor.WithGuardian(strategy)))
				s.Root.Send(pid, fall{"boom"})
				s.Root.Send(pid, "waiting")
				r.want(t, "1 Started", "1 Restarting")
				if got := dead.take(); len(got) != 1 {
					t.Fatalf("dead letters %q", got)
				}
				if _, ok := s.ProcessRegistry.Get(pid); ok {
					t.Fatal("still registered")
				}
			})
		}
	}
}

type panickingStrategy struct{}

func (panickingStrategy) HandleFailure(*actor.ActorSystem, actor.Supervisor, *actor.PID, *actor.RestartStatistics, any, any) {
	panic("strategy")
}

func TestStrategyThatPanicsStopsTheChildOnly(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		parent, child := &recorder{}, &recorder{}
		pid := s.Root.Spawn(doer(parent, actor.WithSupervisor(panickingStrategy{})))
		s.Root.Send(pid, do(func(ctx actor.Context) {
			c, _ := ctx.SpawnNamed(fragileProps(child), "c")
			ctx.Send(c, fall{"boom"})
		}))
		child.want(t, "1 Started", "1 Stopping", "1 Stopped")
		parent.want(t, "Started", "terminated "+pid.Id+"/c: stopped")
	})
}

// lastWords records Stopping and Stopped.
func lastWords(r *recorder) *actor.Props {
	return actor.PropsFromFunc(func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case *actor.Stopping, *actor.Stopped:
			r.add(ctx.Message())
		}
	})
}

func TestRestartStopsTheChildrenFirst(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case fall:
				panic(m.with)
			case *actor.Started:
				// The name is free again: the old child is gone.
				if _, err := ctx.SpawnNamed(lastWords(r), "child"); err != nil {
					r.add(err.Error())
				}
				r.add("parent Started")
			case *actor.Terminated:
				r.add("the new instance hears of the old one's child")
			}
		}))
		r.want(t, "parent Started")
		s.Root.Send(pid, fall{"boom"})
		r.want(t, "Stopping", "Stopped", "parent Started")
	})
}

func TestStopWhileSuspendedOrRestarting(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, deadLetters(s)
		gate := make(chan struct{})
		pid := s.Root.Spawn(doer(r))
		s.Root.Send(pid, do(func(ctx actor.Context) {
			ctx.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
				if _, ok := ctx.Message().(*actor.Stopping); ok {
					<-gate
				}
			}))
			panic("boom")
		}))
		s.Root.Send(pid, "waiting")
		r.want(t, "Started", "Restarting")
		gone := s.Root.StopFuture(pid)
		dead.want(t, "dead letter waiting: stopped")
		close(gate)
		if err := gone.Wait(); err != nil {
			t.Fatal(err)
		}
		r.want(t)
	})
}

func TestSuspendedActorIsNotWokenByUserMessages(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		gate := make(chan struct{})
		parent := s.Root.Spawn(doer(&recorder{}))
		var child *actor.PID
		s.Root.Send(parent, do(func(ctx actor.Context) {
			child = ctx.Spawn(fragileProps(r))
			ctx.Send(child, fall{"boom"})
			<-gate // the parent cannot decide yet
		}))
		r.want(t, "1 Started")
		s.Root.Send(child, "waiting")
		r.want(t)
		close(gate)
		r.want(t, "1 Restarting", "2 Started", "2 waiting")
	})
}

// A parent that stops its children anyway decides nothing about them.
func TestNoDecisionWhileTheParentStops(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		decisions, gate := &recorder{}, make(chan struct{})
		strategy := strategyFunc(func(_ actor.Supervisor, child *actor.PID, _, _ any) { decisions.add(child) })
		parent := s.Root.Spawn(doer(&recorder{}, actor.WithSupervisor(strategy)))
		s.Root.Send(parent, do(func(ctx actor.Context) {
			ctx.Send(ctx.Spawn(doer(&recorder{})), do(func(actor.Context) {
				<-gate
				panic("too late")
			}))
		}))
		synctest.Wait()
		gone := s.Root.StopFuture(parent)
		synctest.Wait()
		close(gate)
		if err := gone.Wait(); err != nil {
			t.Fatal(err)
		}
		decisions.want(t)
	})
}

func TestFailureIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logBuffer{}
		s := actor.NewActorSystem(actor.WithLogger(log.logger()))
		defer s.Shutdown()
		pid, _ := s.Root.SpawnNamed(fragileProps(&recorder{}), "fragile")
		s.Root.Send(pid, fall{"boom"})
		synctest.Wait()
		s.Shutdown()
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "boom") || !strings.Contains(got, "nonhost/fragile") {
			t.Fatalf("logged:\n%s", got)
		}
	})
}
