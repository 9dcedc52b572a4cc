package actor_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

func TestContextInformation(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		self := &account{}
		pid, _ := s.Root.SpawnNamed(actor.PropsFromProducer(func() actor.Actor { return self },
			actor.WithReceiverMiddleware(func(next actor.ReceiverFunc) actor.ReceiverFunc {
				return func(ctx actor.Context, env *actor.MessageEnvelope) {
					if f, ok := env.Message.(do); ok {
						f(ctx)
						return
					}
					next(ctx, env)
				}
			})), "parent")
		done := make(chan struct{})
		s.Root.Send(pid, do(func(ctx actor.Context) {
			defer close(done)
			if ctx.ActorSystem() != s || s.Root.ActorSystem() != s {
				t.Error("another system")
			}
			if !ctx.Self().Equal(pid) || ctx.Parent() != nil || ctx.Actor() != actor.Actor(self) {
				t.Error(ctx.Self(), ctx.Parent(), ctx.Actor())
			}
			if len(ctx.Children()) != 0 || ctx.ReceiveTimeout() != 0 || ctx.Sender() != nil || len(ctx.MessageHeader()) != 0 {
				t.Error("a new actor has", ctx.Children(), ctx.ReceiveTimeout(), ctx.Sender(), ctx.MessageHeader())
			}
		}))
		<-done
	})
}

func TestContextSends(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		target, _ := s.Root.SpawnNamed(actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(string); ok {
				r.add(ctx.Message())
				r.add(ctx.Sender())
			}
		}), "target")
		pid, _ := s.Root.SpawnNamed(doer(&recorder{}), "pid")
		third := s.NewLocalPID("third")
		s.Root.Send(pid, do(func(ctx actor.Context) {
			ctx.Send(target, "send")
			ctx.Request(target, "request")
			ctx.RequestWithCustomSender(target, "custom", third)
			ctx.Poison(target)
		}))
		r.want(t, "send", "<nil>", "request", "nonhost/pid", "custom", "nonhost/third")
		if _, ok := s.ProcessRegistry.Get(target); ok {
			t.Error("the poisoned actor is there")
		}

		second, _ := s.Root.SpawnNamed(doer(r), "second")
		s.Root.Request(second, "from the root")
		s.Root.Send(pid, do(func(ctx actor.Context) { r.add(ctx.PoisonFuture(second).Wait()) }))
		r.want(t, "Started", "from the root", "Stopping", "Stopped", "<nil>")
	})
}

func TestContextLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logBuffer{}
		s := actor.NewActorSystem(actor.WithLogger(log.logger()))
		defer s.Shutdown()
		pid, _ := s.Root.SpawnNamed(doer(&recorder{}), "name")
		s.Root.Send(pid, do(func(ctx actor.Context) { ctx.Logger().Info("hello") }))
		synctest.Wait()
		if got := log.String(); !strings.Contains(got, "msg=hello actor=nonhost/name") {
			t.Errorf("logged: %s", got)
		}
		s.Shutdown()
	})
	if s := actor.NewActorSystem(actor.WithLogger(nil)); s.Logger() != slog.Default() {
		t.Error("a system without a logger does not log to the default")
	}
}

// strategyFunc is a custom strategy.
type strategyFunc func(supervisor actor.Supervisor, child *actor.PID, reason, message any)

func (f strategyFunc) HandleFailure(_ *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, message any) {
	f(supervisor, child, reason, message)
}

// A strategy may treat children that did not fail, too.
func TestCustomStrategyTreatsAllChildren(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		all := strategyFunc(func(supervisor actor.Supervisor, child *actor.PID, reason, message any) {
			r.add(child.Id + " " + describe(reason) + " " + describe(message))
			supervisor.RestartChildren(supervisor.Children()...)
		})
		one, two := &recorder{}, &recorder{}
		parent, _ := s.Root.SpawnNamed(doer(&recorder{}, actor.WithSupervisor(all)), "p")
		s.Root.Send(parent, do(func(ctx actor.Context) {
			c, _ := ctx.SpawnNamed(fragileProps(one), "one")
			_, _ = ctx.SpawnNamed(fragileProps(two), "two")
			ctx.Send(c, fall{"boom"})
		}))
		r.want(t, "p/one boom {boom}")
		one.want(t, "1 Started", "1 Restarting", "2 Started")
		two.want(t, "1 Started", "1 Restarting", "2 Started")
	})
}

func TestGuardianOfARootActor(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, kin := &recorder{}, &recorder{}
		escalate := strategyFunc(func(supervisor actor.Supervisor, _ *actor.PID, reason, message any) {
			kin.add(len(supervisor.Children()))
			supervisor.EscalateFailure(reason, message)
		})
		pid := s.Root.Spawn(fragileProps(r, actor.WithGuardian(escalate)))
		s.Root.Send(pid, fall{"boom"})
		r.want(t, "1 Started", "1 Stopping", "1 Stopped")
		kin.want(t, "1")
	})
}

func TestShutdownLogsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logBuffer{}
		s := actor.NewActorSystem(actor.WithLogger(log.logger()))
		defer s.Shutdown()
		gate := make(chan struct{})
		pid, _ := s.Root.SpawnNamed(doer(&recorder{}), "stuck")
		s.Root.Send(pid, do(func(actor.Context) { <-gate }))
		synctest.Wait()
		start := time.Now()
		s.Shutdown()
		if took := time.Since(start); took != actor.ShutdownTimeout {
			t.Errorf("took %v", took)
		}
		if got := log.String(); !strings.Contains(got, "stuck") {
			t.Errorf("logged: %s", got)
		}
		close(gate)
		synctest.Wait()
	})
}

func TestDirectiveString(t *testing.T) {
	if got := actor.Directive(99).String(); got != "unknown directive" {
		t.Error(got)
	}
	if got := actor.EscalateDirective.String(); got != "escalate" {
		t.Error(got)
	}
}
