package actor_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/granary-go/granary/actor"
)

// tagging is sender middleware that records what passes, and what it is told.
func tagging(r *recorder, tag string) actor.SenderMiddleware {
	return func(next actor.SenderFunc) actor.SenderFunc {
		return func(ctx actor.SenderContext, target *actor.PID, env *actor.MessageEnvelope) {
			r.add(fmt.Sprintf("%s: %v to %s", tag, env.Message, target.Id))
			next(ctx, target, env)
		}
	}
}

func TestSenderMiddlewareSeesAllThatIsSent(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		_, err := s.Root.SpawnNamed(doer(&recorder{}), "other")
		if err != nil {
			t.Fatal(err)
		}
		other := s.NewLocalPID("other")
		pid := s.Root.Spawn(doer(&recorder{}, actor.WithSenderMiddleware(tagging(r, "outer"), tagging(r, "inner"))))
		s.Root.RequestWithCustomSender(pid, do(func(ctx actor.Context) {
			ctx.Send(other, 1)
			ctx.Request(other, 2)
			ctx.RequestWithCustomSender(other, 3, other)
			ctx.RequestFuture(other, 4, 0)
			ctx.Respond(5)
		}), other)
		r.want(t, "outer: 1 to other", "inner: 1 to other", "outer: 2 to other", "inner: 2 to other",
			"outer: 3 to other", "inner: 3 to other", "outer: 4 to other", "inner: 4 to other",
			"outer: 5 to other", "inner: 5 to other")
	})
}

func TestSenderMiddlewareChangesWhatIsSent(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		other := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(int); ok {
				r.add(fmt.Sprint(ctx.Message(), " from ", ctx.Sender().Id, " ", ctx.MessageHeader()))
			}
		}))
		pid := s.Root.Spawn(doer(&recorder{}, actor.WithSenderMiddleware(func(next actor.SenderFunc) actor.SenderFunc {
			return func(ctx actor.SenderContext, _ *actor.PID, env *actor.MessageEnvelope) {
				if env.Message == 2 {
					return
				}
				env.Header = actor.MessageHeader{"k": "v"}
				next(ctx, other, env)
			}
		})))
		s.Root.Send(pid, do(func(ctx actor.Context) {
			for i := range 4 {
				ctx.Request(ctx.Self(), i)
			}
		}))
		r.want(t, "0 from "+pid.Id+" map[k:v]", "1 from "+pid.Id+" map[k:v]", "3 from "+pid.Id+" map[k:v]")
	})
}

func TestRootContextWithMiddlewareAndHeaders(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, got := &recorder{}, &recorder{}
		pid, err := s.Root.SpawnNamed(actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(int); ok {
				got.add(fmt.Sprint(ctx.Message(), ctx.MessageHeader()))
				ctx.Respond("answer")
			}
		}), "x")
		if err != nil {
			t.Fatal(err)
		}
		header := map[string]string{"k": "v"}
		root := s.Root.WithSenderMiddleware(tagging(r, "a")).WithHeaders(header).WithSenderMiddleware(tagging(r, "b"), nil)
		header["k"] = "changed since"
		root.Send(pid, 1)
		root.Send(pid, &actor.MessageEnvelope{Message: 2, Header: actor.MessageHeader{"own": "1"}})
		if answer, err := root.RequestFuture(pid, 3, 0).Result(); answer != "answer" || err != nil {
			t.Error(answer, err)
		}
		s.Root.Send(pid, 4) // the system's own is as it was
		got.want(t, "1 map[k:v]", "2 map[own:1]", "3 map[k:v]", "4 map[]")
		r.want(t, "a: 1 to x", "b: 1 to x", "a: 2 to x", "b: 2 to x", "a: 3 to x", "b: 3 to x")
	})
}

func TestMiddlewareOfARootThatPanics(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		pid := s.Root.Spawn(recording(&recorder{}))
		root := s.Root.WithSenderMiddleware(func(actor.SenderFunc) actor.SenderFunc {
			return func(actor.SenderContext, *actor.PID, *actor.MessageEnvelope) { panic("boom") }
		})
		root.Send(pid, "a")
		if err := root.RequestFuture(pid, "b", 0).Wait(); !errors.Is(err, actor.ErrDeadLetter) {
			t.Error(err)
		}
		dead.want(t, "dead letter a: middleware panicked", "dead letter b: middleware panicked")
	})
}

func TestSpawnMiddleware(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, failed := &recorder{}, &recorder{}
		actor.SubscribeTo(s.EventStream, func(e *actor.SpawnFailedEvent) { failed.add(e.Err) })
		var outcome func(next actor.SpawnFunc, id string, props *actor.Props, parent actor.SpawnerContext) (*actor.PID, error)
		props := doer(r, actor.WithSpawnMiddleware(func(next actor.SpawnFunc) actor.SpawnFunc {
			return func(_ *actor.ActorSystem, id string, props *actor.Props, parent actor.SpawnerContext) (*actor.PID, error) {
				return outcome(next, id, props, parent)
			}
		}))
		pid, err := s.Root.SpawnNamed(props, "p")
		if err != nil {
			t.Fatal(err)
		}
		spawn := func(do1 func(ctx actor.Context)) { s.Root.Send(pid, do(do1)) }
		named := func(ctx actor.Context) {
			child, err := ctx.SpawnNamed(recording(r), "c")
			r.add(fmt.Sprint(child.Id, " ", err, " ", len(ctx.Children())))
		}
		r.want(t, "Started")

		outcome = func(next actor.SpawnFunc, id string, _ *actor.Props, parent actor.SpawnerContext) (*actor.PID, error) {
			return next(parent.ActorSystem(), id, doer(&recorder{}), parent)
		}
		spawn(named)
		r.want(t, "p/c <nil> 1")

		refused := errors.New("refused")
		outcome = func(actor.SpawnFunc, string, *actor.Props, actor.SpawnerContext) (*actor.PID, error) {
			return nil, refused
		}
		spawn(named)
		r.want(t, "p/c refused 1")
		spawn(func(ctx actor.Context) { ctx.Spawn(recording(r)) })
		failed.want(t, "refused")

		outcome = func(actor.SpawnFunc, string, *actor.Props, actor.SpawnerContext) (*actor.PID, error) { return nil, nil }
		spawn(named)
		r.want(t, "p/c "+actor.ErrNoPID.Error()+" 1")

		outcome = func(actor.SpawnFunc, string, *actor.Props, actor.SpawnerContext) (*actor.PID, error) { panic("boom") }
		spawn(named)
		r.want(t, "p/c "+actor.ErrMiddlewarePanicked.Error()+": boom 1")

		outcome = func(actor.SpawnFunc, string, *actor.Props, actor.SpawnerContext) (*actor.PID, error) {
			return nil, actor.ErrNameExists
		}
		spawn(func(ctx actor.Context) { r.add(ctx.Spawn(recording(r)) != nil) }) // ends, though no name is free
		r.want(t, "true")
		failed.want(t, actor.ErrNameExists.Error())
	})
}

func TestRootContextWithSpawnMiddleware(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		root := s.Root.WithSpawnMiddleware(func(next actor.SpawnFunc) actor.SpawnFunc {
			return func(system *actor.ActorSystem, id string, props *actor.Props, parent actor.SpawnerContext) (*actor.PID, error) {
				r.add("spawns " + id)
				return next(system, id, props, parent)
			}
		})
		pid, err := root.SpawnNamed(recording(r), "x")
		if err != nil || pid.Id != "x" {
			t.Fatal(pid, err)
		}
		r.want(t, "spawns x", "Started")
		_, _ = s.Root.SpawnNamed(recording(r), "y")
		r.want(t, "Started")
	})
}

// loud is a context that changes what is sent by it.
type loud struct{ actor.Context }

func (l *loud) Send(pid *actor.PID, message any) { l.Context.Send(pid, fmt.Sprint(message, "!")) }

func decorator(r *recorder, name string) actor.ContextDecorator {
	return func(next actor.ContextDecoratorFunc) actor.ContextDecoratorFunc {
		return func(ctx actor.Context) actor.Context {
			r.add("decorates " + name)
			return &loud{next(ctx)}
		}
	}
}

func TestContextDecorator(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, got := &recorder{}, &recorder{}
		other := s.Root.Spawn(recording(got))
		middleware := 0
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case string:
				ctx.Send(other, m)
			case fall:
				panic(m)
			}
		}, actor.WithContextDecorator(decorator(r, "outer"), decorator(r, "inner")),
			actor.WithReceiverMiddleware(func(next actor.ReceiverFunc) actor.ReceiverFunc {
				return func(ctx actor.Context, env *actor.MessageEnvelope) {
					if _, ok := ctx.(*loud); ok {
						middleware++
					}
					next(ctx, env)
				}
			})))
		s.Root.Send(pid, "hey")
		got.want(t, "Started", "hey!!")
		r.want(t, "decorates outer", "decorates inner")
		s.Root.Send(pid, fall{})
		s.Root.Send(pid, "ho")
		got.want(t, "ho!!")
		r.want(t, "decorates outer", "decorates inner") // once for the new instance
		if middleware != 6 {
			t.Errorf("the middleware saw the decorated context %d times", middleware)
		}
	})
}

func TestContextDecoratorThatFails(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		for want, d := range map[error]actor.ContextDecoratorFunc{
			actor.ErrNoContext:          func(actor.Context) actor.Context { return nil },
			actor.ErrMiddlewarePanicked: func(actor.Context) actor.Context { panic("boom") },
		} {
			_, err := s.Root.SpawnNamed(recording(&recorder{}, actor.WithContextDecorator(
				func(actor.ContextDecoratorFunc) actor.ContextDecoratorFunc { return d })), "x")
			if !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
	})
}

func TestDefaultsOfASystem(t *testing.T) {
	r, received, handled := &recorder{}, &recorder{}, &recorder{}
	receiver := func(name string) actor.ReceiverMiddleware {
		return func(next actor.ReceiverFunc) actor.ReceiverFunc {
			return func(ctx actor.Context, env *actor.MessageEnvelope) {
				if _, ok := env.Message.(int); ok {
					received.add(name)
				}
				next(ctx, env)
			}
		}
	}
	props := doer(handled, actor.WithReceiverMiddleware(receiver("own")), actor.WithSenderMiddleware(tagging(r, "own")))
	defaults := actor.WithDefaults(
		actor.WithReceiverMiddleware(receiver("system")),
		actor.WithSenderMiddleware(tagging(r, "system")),
		actor.WithStashCapacity(0),
		actor.WithGuardian(actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective })))
	bubble(t, func(t *testing.T, plain *actor.ActorSystem) {
		s := actor.NewActorSystem(actor.WithLogger(discard), defaults, actor.WithDefaults(actor.WithReceiverMiddleware(receiver("more"))))
		defer s.Shutdown()
		stash := do(func(ctx actor.Context) { handled.add(ctx.Stash()) })
		for range 2 { // the second time from the cache
			pid, err := s.Root.SpawnNamed(props, "x")
			if err != nil {
				t.Fatal(err)
			}
			s.Root.Send(pid, 1)
			received.want(t, "system", "more", "own")
			s.Root.Send(pid, do(func(ctx actor.Context) { ctx.Send(ctx.Self(), 2) }))
			received.want(t, "system", "more", "own")
			if got := r.take(); len(got) != 4 || got[0] != "system: 1 to x" || got[2] != "system: 2 to x" || got[3] != "own: 2 to x" {
				t.Errorf("sent %q", got)
			}
			s.Root.Send(pid, stash)
			handled.want(t, "Started", "1", "2", actor.ErrStashFull.Error())
			s.Root.Send(pid, do(func(actor.Context) { panic("boom") }))
			handled.want(t, "Stopping", "Stopped")
			r.take()
		}
		// The same props in a system with other defaults, and in one without.
		other := actor.NewActorSystem(actor.WithLogger(discard), actor.WithDefaults(actor.WithReceiverMiddleware(receiver("other"))))
		defer other.Shutdown()
		other.Root.Send(other.Root.Spawn(props), 1)
		received.want(t, "other", "own")
		handled.want(t, "Started", "1")
		pid := plain.Root.Spawn(props)
		plain.Root.Send(pid, 1)
		received.want(t, "own")
		plain.Root.Send(pid, stash)
		handled.want(t, "Started", "1", "<nil>")
	})
}

func TestInvalidDefaultsRefuseEveryActor(t *testing.T) {
	bubble(t, func(t *testing.T, _ *actor.ActorSystem) {
		s := actor.NewActorSystem(actor.WithLogger(discard), actor.WithDefaults(actor.WithStashCapacity(-1)))
		defer s.Shutdown()
		if _, err := s.Root.SpawnNamed(recording(&recorder{}), "x"); !errors.Is(err, actor.ErrInvalidProps) {
			t.Error(err)
		}
	})
}

func TestProducerWithActorSystem(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(actor.PropsFromProducerWithActorSystem(func(system *actor.ActorSystem) actor.Actor {
			if system != s {
				t.Error("another system")
			}
			return actor.ReceiveFunc(func(ctx actor.Context) { r.add(ctx.Message()) })
		}))
		s.Root.Send(pid, "a")
		r.want(t, "Started", "a")
		if _, err := s.Root.SpawnNamed(actor.PropsFromProducerWithActorSystem(nil), "x"); !errors.Is(err, actor.ErrNoProducer) {
			t.Error(err)
		}
	})
}

// A middleware that panics after it has sent a request does not make it seem that it
// did not run: whoever asks would send it again.
func TestSenderMiddlewareThatPanicsAfterTheSend(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, deadLetters(s)
		pid := s.Root.Spawn(recording(r))
		late := func(next actor.SenderFunc) actor.SenderFunc {
			return func(ctx actor.SenderContext, target *actor.PID, env *actor.MessageEnvelope) {
				next(struct{ actor.SenderContext }{ctx}, target, env)
				panic("boom")
			}
		}
		root := s.Root.WithSenderMiddleware(late)
		root.Send(pid, "a")
		err := root.RequestFuture(pid, "b", 0).Wait()
		if !errors.Is(err, actor.ErrMiddlewarePanicked) || errors.Is(err, actor.ErrDeadLetter) {
			t.Error(err)
		}
		r.want(t, "Started", "a", "b")
		dead.want(t)
		// An actor fails by it, and its future is not left behind.
		asker := s.Root.Spawn(doer(&recorder{}, actor.WithSenderMiddleware(late)))
		s.Root.Send(asker, do(func(ctx actor.Context) { ctx.RequestFuture(pid, "c", 0) }))
		r.want(t, "c")
	})
}

func TestMiddlewareThatMakesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		for name, opt := range map[string]actor.PropsOption{
			"receiver":  actor.WithReceiverMiddleware(func(actor.ReceiverFunc) actor.ReceiverFunc { return nil }),
			"outermost": actor.WithOutermostMiddleware(func(actor.ReceiverFunc) actor.ReceiverFunc { return nil }),
			"sender":    actor.WithSenderMiddleware(func(actor.SenderFunc) actor.SenderFunc { return nil }),
			"spawn":     actor.WithSpawnMiddleware(func(actor.SpawnFunc) actor.SpawnFunc { return nil }),
			"decorator": actor.WithContextDecorator(func(actor.ContextDecoratorFunc) actor.ContextDecoratorFunc { return nil }),
		} {
			if _, err := s.Root.SpawnNamed(recording(&recorder{}, opt), "x"); !errors.Is(err, actor.ErrInvalidProps) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// An actor wins over the defaults also where it asks for what is the default anyway,
// its outermost middleware is outside of theirs, and a library's actors have none.
func TestActorsAgainstTheDefaults(t *testing.T) {
	bubble(t, func(t *testing.T, _ *actor.ActorSystem) {
		r := &recorder{}
		tag := func(name string) actor.ReceiverMiddleware {
			return func(next actor.ReceiverFunc) actor.ReceiverFunc {
				return func(ctx actor.Context, env *actor.MessageEnvelope) {
					if _, ok := env.Message.(int); ok {
						r.add(name)
					}
					next(ctx, env)
				}
			}
		}
		s := actor.NewActorSystem(actor.WithLogger(discard), actor.WithDefaults(
			actor.WithMailbox(actor.Bounded(1, actor.OverflowReject)), actor.WithDispatcher(actor.DispatcherSynchronous),
			actor.WithReceiverMiddleware(tag("default"))))
		defer s.Shutdown()
		dead := deadLetters(s)
		gate := make(chan struct{})
		fill := func(opts ...actor.PropsOption) {
			pid := s.Root.Spawn(doer(&recorder{}, append(opts, actor.WithDispatcher(actor.DispatcherDefault))...))
			s.Root.Send(pid, do(func(actor.Context) { <-gate }))
			synctest.Wait()
			s.Root.Send(pid, 1)
			s.Root.Send(pid, 2)
		}
		fill()
		dead.want(t, "dead letter 2: mailbox full")
		fill(actor.WithMailbox(actor.Unbounded()), actor.WithOutermostMiddleware(tag("outermost")), actor.WithReceiverMiddleware(tag("own")))
		fill(actor.WithoutDefaults())
		dead.want(t)
		close(gate)
		r.heard(t, "default", "outermost", "default", "own", "outermost", "default", "own")
	})
}
