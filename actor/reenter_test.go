package actor_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

// asker asks somebody else for each string, and answers when it has the answer.
func asker(r *recorder, whom func() *actor.Future, opts ...actor.PropsOption) *actor.Props {
	return actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case string:
			r.add("asks for " + m)
			ctx.ReenterAfter(whom(), func(result any, err error) {
				r.add(sprint(ctx.Message()) + ": " + sprint(result) + " " + sprint(err))
				ctx.Respond(result)
			})
		case fall:
			panic(m.with)
		default:
			r.add(m)
		}
	}, opts...)
}

func TestReenterAfter(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		var futures []*actor.Future
		pid := s.Root.Spawn(asker(r, func() *actor.Future {
			futures = append(futures, actor.NewFuture(s, 0))
			return futures[len(futures)-1]
		}))
		a := s.Root.RequestFuture(pid, "a", 0)
		b := s.Root.RequestFuture(pid, "b", 0)
		s.Root.Send(pid, 1)
		r.want(t, "Started", "asks for a", "asks for b", "1")
		s.Root.Send(futures[1].PID(), "second")
		if answer, err := b.Result(); answer != "second" || err != nil {
			t.Error(answer, err)
		}
		s.Root.Send(futures[0].PID(), "first")
		if answer, err := a.Result(); answer != "first" || err != nil {
			t.Error(answer, err)
		}
		r.want(t, "b: second <nil>", "a: first <nil>")
	})
}

// A future that is complete already does not run its continuation at once, but as
// the next message.
func TestReenterAfterTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(doer(r))
		s.Root.Send(pid, do(func(ctx actor.Context) {
			f := actor.NewFuture(s, 0)
			f.Cancel()
			ctx.ReenterAfter(f, func(_ any, err error) { r.add(err) })
			r.add("goes on")
		}))
		r.want(t, "Started", "goes on", actor.ErrCanceled.Error())
	})
}

// Continuations are messages: middleware and the receive timeout see them, and
// they come in their turn.
func TestContinuationsPassTheMiddleware(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		f := actor.NewFuture(s, 0)
		keep := false
		pid := s.Root.Spawn(asker(r, func() *actor.Future { return f }, actor.WithReceiverMiddleware(
			func(next actor.ReceiverFunc) actor.ReceiverFunc {
				return func(ctx actor.Context, env *actor.MessageEnvelope) {
					if k, ok := env.Message.(*actor.Continuation); ok {
						r.add("continuation of " + describe(k.Asked().Message))
						if keep {
							return
						}
					}
					next(ctx, env)
				}
			})))
		s.Root.Send(pid, "a")
		s.Root.Send(f.PID(), "x")
		r.want(t, "Started", "asks for a", "continuation of a", "a: x <nil>")
		keep = true
		s.Root.Send(pid, "b")
		r.want(t, "asks for b", "continuation of b")
	})
}

func TestContinuationOfAnInstanceThatIsGone(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, &recorder{}
		actor.SubscribeTo(s.EventStream, func(e *actor.DeadLetterEvent) {
			if _, ok := e.Message.(*actor.Continuation); ok {
				dead.add("continuation: " + e.Reason)
			}
		})
		f := actor.NewFuture(s, 0)
		pid := s.Root.Spawn(asker(r, func() *actor.Future { return f }))
		asked := s.Root.RequestFuture(pid, "a", 0)
		s.Root.Send(pid, fall{"boom"})
		synctest.Wait()
		s.Root.Send(f.PID(), "x")
		r.want(t, "Started", "asks for a", "Restarting", "Started")
		dead.want(t, "continuation: restarted")

		f = actor.NewFuture(s, 0)
		s.Root.Send(pid, "b")
		s.Root.Poison(pid)
		synctest.Wait()
		s.Root.Send(f.PID(), "x")
		r.want(t, "asks for b", "Stopping", "Stopped")
		dead.want(t, "continuation: stopped")
		select {
		case <-asked.Done(): // its message has run in part: no dead letter may answer it
			t.Error("the one who asked was answered")
		default:
		}
	})
}

func TestPanicInAContinuationIsAFailure(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(doer(r))
		s.Root.Send(pid, do(func(ctx actor.Context) {
			f := actor.NewFuture(s, time.Second)
			ctx.ReenterAfter(f, func(_ any, err error) { panic(err) })
		}))
		pass(2 * time.Second)
		s.Root.Send(pid, "on")
		r.want(t, "Started", "Restarting", "Started", "on")
	})
}

// A full mailbox has room for continuations, else the actor would wait for ever.
func TestContinuationInAFullMailbox(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		f := actor.NewFuture(s, 0)
		pid := s.Root.Spawn(doer(r, actor.WithMailbox(actor.Bounded(1, actor.OverflowReject))))
		gate := make(chan struct{})
		s.Root.Send(pid, do(func(ctx actor.Context) {
			ctx.ReenterAfter(f, func(any, error) { r.add("continued") })
			<-gate
		}))
		synctest.Wait()
		s.Root.Send(pid, "1")
		s.Root.Send(f.PID(), "x")
		close(gate)
		r.want(t, "Started", "1", "continued")
	})
}

// A message that has run in part is not stashed: when the actor stops, its sender would
// be told that it did not run.
func TestStashInAContinuation(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		for _, opt := range []actor.PropsOption{nil, actor.WithReceiverMiddleware(
			func(next actor.ReceiverFunc) actor.ReceiverFunc { return next })} {
			r := &recorder{}
			p := s.Root.Spawn(doer(r, opt))
			f := actor.NewFuture(s, 0)
			s.Root.Send(p, do(func(ctx actor.Context) {
				ctx.ReenterAfter(f, func(any, error) { r.add(errors.Is(ctx.Stash(), actor.ErrNotStashable)) })
			}))
			s.Root.Send(f.PID(), "x")
			r.want(t, "Started", "true")
		}
	})
}

// Continuations that are nobody's, and waits for nothing.
func TestContinuationsThatMakeNoSense(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		var kept any
		pid := s.Root.Spawn(doer(r, actor.WithReceiverMiddleware(func(next actor.ReceiverFunc) actor.ReceiverFunc {
			return func(ctx actor.Context, env *actor.MessageEnvelope) {
				if _, ok := env.Message.(*actor.Continuation); ok {
					kept = env.Message
				}
				next(ctx, env)
			}
		})))
		s.Root.Send(pid, &actor.Continuation{})
		s.Root.Send(pid, (*actor.Continuation)(nil))
		f := actor.NewFuture(s, 0)
		s.Root.Send(pid, do(func(ctx actor.Context) { ctx.ReenterAfter(f, func(any, error) { r.add("continued") }) }))
		f.Cancel()
		r.want(t, "Started", "continued")
		other := s.Root.Spawn(doer(r))
		s.Root.Send(other, kept)
		r.want(t, "Started")
		for _, wrong := range []do{
			func(ctx actor.Context) { ctx.ReenterAfter(nil, func(any, error) {}) },
			func(ctx actor.Context) { ctx.ReenterAfter(f, nil) },
		} {
			s.Root.Send(other, wrong)
			r.want(t, "Restarting", "Started") // it fails at once, where the mistake is
		}
	})
}
