package actor_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

type quiet struct{}

func (quiet) NotInfluenceReceiveTimeout() {}

// quietly is a do that does not count as activity.
type quietly do

func (quietly) NotInfluenceReceiveTimeout() {}

// timeoutActor sets a receive timeout of a second and records when it comes.
func timeoutActor(r *recorder) *actor.Props {
	start := time.Now()
	return actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started:
			ctx.SetReceiveTimeout(time.Second)
		case *actor.ReceiveTimeout:
			r.add(time.Since(start))
		case do:
			m(ctx)
		case quietly:
			m(ctx)
		}
	})
}

func TestReceiveTimeoutRestartsAtEachMessage(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(timeoutActor(r))
		for range 5 {
			<-time.After(600 * time.Millisecond)
			s.Root.Send(pid, "activity")
		}
		<-time.After(10 * time.Second)
		r.want(t, "4s") // 5 × 0.6 + 1, and only once
		s.Root.Send(pid, "activity")
		<-time.After(10 * time.Second)
		r.want(t, "14s")
	})
}

func TestReceiveTimeoutIgnoresQuietMessages(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(timeoutActor(r))
		for range 5 {
			<-time.After(300 * time.Millisecond)
			s.Root.Send(pid, quiet{})
		}
		r.want(t, "1s")
	})
}

// Messages that do not count do not put the timeout off, even if there is always
// another one.
func TestReceiveTimeoutAmidQuietMessages(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		left := 5000
		var again quietly
		again = func(ctx actor.Context) {
			<-time.After(time.Millisecond)
			if left--; left > 0 {
				ctx.Send(ctx.Self(), again)
			}
		}
		s.Root.Send(s.Root.Spawn(timeoutActor(r)), again)
		<-time.After(4 * time.Second)
		if got := r.take(); len(got) != 1 {
			t.Fatalf("timeouts after %q, want one before the messages end", got)
		}
		<-time.After(10 * time.Second)
	})
}

func TestReceiveTimeoutGivesWayToAMessageSentBefore(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(timeoutActor(r))
		synctest.Wait()
		s.Root.Send(pid, do(func(actor.Context) { <-time.After(5 * time.Second) }))
		<-time.After(5500 * time.Millisecond)
		r.want(t) // the handler was busy, not the actor idle
		<-time.After(time.Second)
		r.want(t, "6s")
	})
}

func TestReceiveTimeoutCancel(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(timeoutActor(r))
		s.Root.Send(pid, do(func(ctx actor.Context) {
			r.add(ctx.ReceiveTimeout())
			ctx.CancelReceiveTimeout()
			ctx.CancelReceiveTimeout()
			r.add(ctx.ReceiveTimeout())
		}))
		<-time.After(5 * time.Second)
		r.want(t, "1s", "0s")
	})
}

// The timer has fired and its tick is in the mailbox when it is canceled.
func TestReceiveTimeoutCanceledTooLateForTheTimer(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(timeoutActor(r))
		synctest.Wait()
		s.Root.Send(pid, quietly(func(ctx actor.Context) {
			<-time.After(2 * time.Second)
			ctx.CancelReceiveTimeout()
		}))
		<-time.After(5 * time.Second)
		r.want(t)
	})
}

func TestReceiveTimeoutOfOddLength(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(timeoutActor(r))
		for _, d := range []time.Duration{0, -1, -1 << 63, 1<<63 - 1} {
			s.Root.Send(pid, do(func(ctx actor.Context) {
				ctx.SetReceiveTimeout(d)
				r.add(ctx.ReceiveTimeout() == max(d, 0))
			}))
		}
		<-time.After(time.Hour)
		r.want(t, "true", "true", "true", "true")
	})
}

func TestReceiveTimeoutEndsWithItsInstance(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		first := true
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				if first {
					ctx.SetReceiveTimeout(time.Second)
				}
				first = false
			case *actor.ReceiveTimeout:
				r.add("timeout")
			case fall:
				panic(m.with)
			}
		}))
		s.Root.Send(pid, fall{"boom"})
		<-time.After(5 * time.Second)
		r.want(t)

		dead := deadLetters(s)
		stopped := s.Root.Spawn(timeoutActor(r))
		synctest.Wait()
		s.Root.Stop(stopped)
		<-time.After(5 * time.Second)
		r.want(t)
		dead.want(t)
	})
}
