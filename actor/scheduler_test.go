package actor_test

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

func TestSchedulerOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(recording(r))
		timers := actor.NewTimerScheduler(s.Root)
		timers.SendOnce(time.Second, pid, "later")
		timers.SendOnce(0, pid, "at once")
		timers.SendOnce(-time.Hour, pid, "at once")
		never := timers.SendOnce(math.MaxInt64, pid, "in 292 years")
		cancelled := timers.SendOnce(time.Second, pid, "cancelled")
		cancelled()
		cancelled()
		r.want(t, "Started", "at once", "at once")
		pass(time.Second - 1)
		r.want(t)
		pass(1)
		r.want(t, "later")
		pass(time.Hour)
		r.want(t)
		never()
	})
}

func TestSchedulerRepeatedly(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(recording(r))
		cancel, err := actor.NewTimerScheduler(s.Root).SendRepeatedly(time.Second, 10*time.Second, pid, "tick")
		if err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		r.want(t, "Started", "tick")
		pass(10*time.Second - 1)
		r.want(t)
		pass(1)
		r.want(t, "tick")
		pass(30 * time.Second)
		r.want(t, "tick", "tick", "tick")
		cancel()
		pass(time.Hour)
		r.want(t)
	})
}

func TestSchedulerRequests(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(string); ok {
				ctx.Respond("answer")
			}
		}))
		asker := s.Root.Spawn(recording(r))
		timers := actor.NewTimerScheduler(s.Root)
		timers.RequestOnce(time.Second, pid, "a", asker)
		cancel, err := timers.RequestRepeatedly(2*time.Second, time.Second, pid, "b", asker)
		if err != nil {
			t.Fatal(err)
		}
		pass(3*time.Second + 1)
		cancel()
		r.want(t, "Started", "answer", "answer", "answer")
	})
}

// A repeated message does not become a dead letter for ever.
func TestSchedulerEndsWithTheActor(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		pid := s.Root.Spawn(recording(&recorder{}))
		timers := actor.NewTimerScheduler(s.Root)
		if _, err := timers.SendRepeatedly(time.Second, time.Second, pid, "tick"); err != nil {
			t.Fatal(err)
		}
		pass(time.Second + 1)
		if err := s.Root.StopFuture(pid).Wait(); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		dead.want(t, "dead letter tick: stopped")
		if _, err := s.Root.SpawnNamed(recording(&recorder{}), "again"); err != nil {
			t.Fatal(err)
		}
		if _, err := timers.SendRepeatedly(0, time.Second, nil, "to nobody"); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		dead.want(t, "dead letter to nobody: no target")
	})
}

func TestSchedulerEndsWithTheSystem(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		timers := actor.NewTimerScheduler(s.Root)
		pid := s.Root.Spawn(recording(&recorder{}))
		timers.SendOnce(time.Minute, pid, "once")
		if _, err := timers.SendRepeatedly(time.Minute, time.Second, pid, "tick"); err != nil {
			t.Fatal(err)
		}
		s.Shutdown()
		pass(time.Hour)
		dead.want(t)
	})
}

func TestSchedulerWithoutAnInterval(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(recording(r))
		for _, d := range []time.Duration{0, -1, math.MinInt64} {
			cancel, err := actor.NewTimerScheduler(s.Root).SendRepeatedly(0, d, pid, "tick")
			if !errors.Is(err, actor.ErrInterval) {
				t.Errorf("%d: %v", d, err)
			}
			cancel()
		}
		pass(time.Second)
		r.want(t, "Started")
	})
}

// What is missed while a message is held up on its way is left out, and the rhythm
// is kept.
func TestSchedulerWhoseSenderIsHeldUp(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		start := time.Now()
		held := s.Root.WithSenderMiddleware(func(next actor.SenderFunc) actor.SenderFunc {
			return func(ctx actor.SenderContext, target *actor.PID, env *actor.MessageEnvelope) {
				if time.Since(start) == 10*time.Second {
					pass(25 * time.Second)
				}
				next(ctx, target, env)
			}
		})
		var at []time.Duration
		other := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if ctx.Message() == "tick" {
				at = append(at, time.Since(start)/time.Second)
			}
		}))
		cancel, err := actor.NewTimerScheduler(held).SendRepeatedly(10*time.Second, 10*time.Second, other, "tick")
		if err != nil {
			t.Fatal(err)
		}
		pass(51 * time.Second)
		cancel()
		synctest.Wait()
		if want := "[35ns 40ns 50ns]"; sprint(at) != want {
			t.Errorf("ticks at %v, want %s", at, want)
		}
	})
}

func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []int32
		ask := actor.NewThrottle(3, time.Second, func(n int32) { told = append(told, n) })
		take := func(n int, want ...actor.Valve) {
			t.Helper()
			var got []actor.Valve
			for range n {
				got = append(got, ask())
			}
			if sprint(got) != sprint(want) {
				t.Errorf("got %v, want %v", got, want)
			}
		}
		take(5, actor.Open, actor.Open, actor.Closing, actor.Closed, actor.Closed)
		pass(time.Second)
		synctest.Wait()
		take(2, actor.Open, actor.Open)
		pass(time.Second)
		take(3, actor.Open, actor.Open, actor.Closing)
		pass(time.Hour)
		take(4, actor.Open, actor.Open, actor.Closing, actor.Closed)
		pass(time.Hour)
		synctest.Wait()
		if want := []int32{2, 1}; sprint(told) != sprint(want) {
			t.Errorf("told %v, want %v", told, want)
		}
	})
}

func TestThrottleAtItsBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if v := actor.NewThrottle(0, time.Second, nil)(); v != actor.Closed {
			t.Error("0 events:", v)
		}
		if v := actor.NewThrottle(-5, time.Second, nil)(); v != actor.Closed {
			t.Error("-5 events:", v)
		}
		all := actor.NewThrottle(1, 0, nil)
		for range 10 {
			if v := all(); v != actor.Open {
				t.Error("no period:", v)
			}
		}
	})
}
