package actor_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

func registered(s *actor.ActorSystem, f *actor.Future) bool {
	_, ok := s.ProcessRegistry.Get(f.PID())
	return ok
}

func TestFutureAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if m, ok := ctx.Message().(string); ok {
				ctx.Respond("re: " + m)
			}
		}))
		f := s.Root.RequestFuture(pid, "hello", time.Second)
		if got, err := f.Result(); got != "re: hello" || err != nil {
			t.Fatal(got, err)
		}
		if registered(s, f) {
			t.Fatal("a complete future is still registered")
		}
	})
}

// Futures of Proto.Actor Go let a second waiter hang, and race.
func TestFutureWithManyWaiters(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		f := actor.NewFuture(s, time.Minute)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				switch i % 4 {
				case 0:
					if got, err := f.Result(); got != "answer" || err != nil {
						t.Error(got, err)
					}
				case 1:
					if err := f.Wait(); err != nil {
						t.Error(err)
					}
				case 2:
					if got, err := f.ResultContext(t.Context()); got != "answer" || err != nil {
						t.Error(got, err)
					}
				default:
					<-f.Done()
				}
			})
		}
		synctest.Wait()
		s.Root.Send(f.PID(), "answer")
		wg.Wait()
		if got, err := f.Result(); got != "answer" || err != nil {
			t.Error("a waiter that came late:", got, err)
		}
	})
}

func TestFutureCompletesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := actor.NewActorSystem(actor.WithLogger(discard))
		for range 200 {
			f := actor.NewFuture(s, 0)
			var wg sync.WaitGroup
			wg.Go(func() { s.Root.Send(f.PID(), "a") })
			wg.Go(func() { s.Root.Send(f.PID(), "b") })
			wg.Go(f.Cancel)
			first, firstErr := f.Result()
			wg.Wait()
			if again, err := f.Result(); again != first || !errors.Is(err, firstErr) {
				t.Fatalf("%v, %v became %v, %v", first, firstErr, again, err)
			}
		}
	})
}

func TestFutureTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		silent := s.Root.Spawn(recording(&recorder{}))
		start := time.Now()
		f := s.Root.RequestFuture(silent, "hello", 3*time.Second)
		if _, err := f.Result(); !errors.Is(err, actor.ErrTimeout) {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Fatalf("took %v", took)
		}
		if registered(s, f) {
			t.Fatal("still registered")
		}
		s.Root.Send(f.PID(), "late")
		dead.want(t, "dead letter late: no actor")
	})
}

func TestFutureTimeoutsOfOddLength(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if ctx.Sender() != nil {
				ctx.Respond("yes")
			}
		}))
		for _, d := range []time.Duration{-1, 0, 1<<63 - 1, -1 << 63} {
			if got, err := s.Root.RequestFuture(pid, "alive?", d).Result(); got != "yes" {
				t.Errorf("timeout %v: %v, %v", d, got, err)
			}
		}
	})
}

func TestFutureResultContextLeavesTheFutureAlone(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		f := actor.NewFuture(s, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.ResultContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		s.Root.Send(f.PID(), "answer")
		if got, err := f.ResultContext(ctx); got != "answer" {
			t.Fatal("a complete future must prefer its answer:", got, err)
		}
	})
}

func TestFutureCancel(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		f := actor.NewFuture(s, time.Second)
		f.Cancel()
		f.Cancel()
		if _, err := f.Result(); !errors.Is(err, actor.ErrCanceled) {
			t.Fatal(err)
		}
		if registered(s, f) {
			t.Fatal("still registered")
		}
		// An answer whose sender looked the future up before it was canceled.
		dead := deadLetters(s)
		f.SendUserMessage(f.PID(), actor.MessageEnvelope{Message: "late"})
		dead.want(t, "dead letter late: no actor")
	})
}

func TestFuturePipeTo(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(recording(r))
		f := actor.NewFuture(s, 0)
		f.PipeTo(pid, pid)
		s.Root.Send(f.PID(), "answer")
		r.want(t, "Started", "answer", "answer")
		f.PipeTo(pid)
		r.want(t, "answer")

		failed := actor.NewFuture(s, time.Second)
		failed.PipeTo(pid)
		_ = failed.Wait()
		r.want(t, actor.ErrTimeout.Error())
	})
}

func TestFutureOfADeadLetter(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		for _, tt := range []struct {
			pid    *actor.PID
			msg    any
			reason string
		}{
			{s.NewLocalPID("nobody"), "x", actor.DeadLetterNoActor},
			{actor.NewPID("elsewhere:1", "x"), "x", actor.DeadLetterNoTransport},
			{nil, "x", actor.DeadLetterNoTarget},
			{&actor.PID{}, "x", actor.DeadLetterNoTarget},
			{s.NewLocalPID("nobody"), nil, actor.DeadLetterNilMessage},
		} {
			_, err := s.Root.RequestFuture(tt.pid, tt.msg, 0).Result()
			var dead *actor.DeadLetterError
			if !errors.As(err, &dead) || !errors.Is(err, actor.ErrDeadLetter) {
				t.Errorf("%v: %v", tt.pid, err)
			} else if dead.Reason != tt.reason || !dead.Target.Equal(tt.pid) {
				t.Errorf("%v: target %v, reason %q, want %q", tt.pid, dead.Target, dead.Reason, tt.reason)
			}
		}
	})
}

func TestFutureOfAnotherRequestIsNoTarget(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		f := actor.NewFuture(s, 0)
		watcher := s.Root.Spawn(doer(r))
		s.Root.Send(watcher, do(func(ctx actor.Context) { ctx.Watch(f.PID()) }))
		r.want(t, "Started", "terminated "+f.PID().Id+": not found")
		s.Root.Stop(f.PID())
		if _, err := f.Result(); !errors.Is(err, actor.ErrCanceled) {
			t.Fatal(err)
		}
	})
}

func TestRespondTwice(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if ctx.Message() == "hello" {
				ctx.Respond("first")
				ctx.Respond("second")
			}
		}))
		if got, err := s.Root.RequestFuture(pid, "hello", 0).Result(); got != "first" {
			t.Fatal(got, err)
		}
		dead.want(t, "dead letter second: no actor")
	})
}

func TestAbandonRequests(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		sink := &fakeProcess{}
		s.ProcessRegistry.RegisterAddressResolver(func(*actor.PID) (actor.Process, bool) { return sink, true })
		broken := errors.New("broken")
		hit := s.Root.RequestFuture(actor.NewPID("a:1", "x"), "q", 0)
		stop := s.Root.StopFuture(actor.NewPID("a:1", "x"))
		miss := s.Root.RequestFuture(actor.NewPID("b:1", "x"), "q", 0)
		later := s.Root.RequestFuture(actor.NewPID("a:1", "x"), "q", 0)
		for _, f := range []*actor.Future{hit, stop, miss} {
			s.RequestUnderway(f.PID())
		}
		s.RequestUnderway(nil)
		s.RequestUnderway(actor.NewPID("a:1", "future$1"))
		if n := s.AbandonRequests("a:1", broken); n != 2 {
			t.Fatalf("%d requests abandoned", n)
		}
		if err := hit.Wait(); !errors.Is(err, broken) {
			t.Error(err)
		}
		if err := stop.Wait(); !errors.Is(err, broken) {
			t.Error(err)
		}
		if !registered(s, miss) || !registered(s, later) || registered(s, hit) {
			t.Error("the wrong future was abandoned")
		}
		if n := s.AbandonRequests("a:1", broken); n != 0 {
			t.Errorf("%d abandoned again", n)
		}
	})
}

type fakeProcess struct {
	recorder
}

func (p *fakeProcess) SendUserMessage(pid *actor.PID, env actor.MessageEnvelope) {
	p.add(pid.String() + " " + describe(env.Message))
}

func (p *fakeProcess) SendSystemMessage(pid *actor.PID, message any) {
	p.add(pid.String() + " " + typeOf(message))
}

func TestNilAnswerEndsTheFuture(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		pid := s.Root.Spawn(doer(&recorder{}))
		for _, answer := range []any{nil, (*actor.MessageEnvelope)(nil), &actor.MessageEnvelope{}} {
			f := s.Root.RequestFuture(pid, do(func(ctx actor.Context) { ctx.Respond(answer) }), time.Minute)
			if _, err := f.Result(); !errors.Is(err, actor.ErrNilReply) {
				t.Errorf("%T: %v", answer, err)
			}
			dead.want(t)
			s.Root.Send(f.PID(), nil)
			dead.want(t, "dead letter <nil>: nil message")
		}
	})
}

func TestPoisonOfAFutureIsNoAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		f := actor.NewFuture(s, time.Minute)
		s.Root.Poison(f.PID())
		if got, err := f.Result(); !errors.Is(err, actor.ErrCanceled) {
			t.Fatal(got, err)
		}
	})
}

func TestFutureFail(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		f, lost := actor.NewFuture(s, time.Minute), errors.New("lost")
		if !f.Fail(lost) || f.Fail(errors.New("again")) {
			t.Error("only the first completion counts")
		}
		if _, err := f.Result(); !errors.Is(err, lost) {
			t.Error(err)
		}
	})
}

// A future of somebody's end that is given up leaves no watch behind.
func TestCanceledStopFutureTakesItsWatchBack(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		there := &fakeProcess{}
		pid := actor.NewPID("a:1", "x")
		s.ProcessRegistry.RegisterAddressResolver(func(*actor.PID) (actor.Process, bool) { return there, true })
		f := s.Root.StopFuture(pid)
		f.Cancel()
		there.want(t, "a:1/x *actor.Watch", "a:1/x *actor.Stop", "a:1/x *actor.Unwatch")
		f = s.Root.PoisonFuture(pid)
		s.Root.Send(f.PID(), "no end")
		there.want(t, "a:1/x *actor.Watch", "a:1/x &{}", "a:1/x *actor.Unwatch")
		f = s.Root.StopFuture(pid)
		f.SendSystemMessage(f.PID(), &actor.Terminated{Who: pid})
		there.want(t, "a:1/x *actor.Watch", "a:1/x *actor.Stop")
	})
}

func TestResultWithin(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		f := actor.NewFuture(s, 0)
		start := time.Now()
		if _, err := f.ResultWithin(t.Context(), time.Second); !errors.Is(err, actor.ErrTimeout) || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.ResultWithin(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a context that ends: %v", err)
		}
		time.AfterFunc(time.Second, func() { s.Root.Send(f.PID(), "late") })
		if got, err := f.ResultWithin(t.Context(), time.Minute); got != "late" || err != nil {
			t.Errorf("the waits before have ended the future: %v, %v", got, err)
		}
		if got, err := f.ResultWithin(t.Context(), 0); got != "late" || err != nil {
			t.Errorf("of one that is complete: %v, %v", got, err)
		}
	})
}
