package actor_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

func TestDeadLetterReasons(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		gone := s.Root.Spawn(recording(&recorder{}))
		_ = s.Root.StopFuture(gone).Wait()
		for _, tt := range []struct {
			pid  *actor.PID
			msg  any
			want string
		}{
			{gone, "m", "dead letter m: no actor"},
			{s.NewLocalPID("nobody"), "m", "dead letter m: no actor"},
			{nil, "m", "dead letter m: no target"},
			{&actor.PID{}, "m", "dead letter m: no target"},
			{gone, nil, "dead letter <nil>: nil message"},
			{gone, (*actor.MessageEnvelope)(nil), "dead letter <nil>: nil message"},
			{gone, &actor.MessageEnvelope{}, "dead letter <nil>: nil message"},
			{actor.NewPID("elsewhere:1", "x"), "m", "dead letter m: no transport"},
		} {
			s.Root.Send(tt.pid, tt.msg)
			dead.want(t, tt.want)
		}
	})
}

func TestDeadLetterAnswersTheRequesterOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, deadLetters(s)
		nobody := s.NewLocalPID("nobody")
		pid := s.Root.Spawn(doer(r))
		s.Root.Send(pid, do(func(ctx actor.Context) { ctx.Request(nobody, "q") }))
		r.want(t, "Started", "undelivered to nobody: no actor")
		dead.want(t, "dead letter q: no actor")
	})
}

// Two that are gone must not answer each other for ever.
func TestDeadLetterResponseIsNotAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		one, other := s.NewLocalPID("one"), s.NewLocalPID("other")
		s.Root.RequestWithCustomSender(one, "q", other)
		dead.want(t, "dead letter q: no actor", "dead letter "+sprint(&actor.DeadLetterResponse{Target: one, Reason: "no actor"})+": no actor")
		s.Root.RequestWithCustomSender(one, &actor.DeadLetterResponse{Target: one}, other)
		if got := dead.take(); len(got) != 1 {
			t.Fatalf("%q", got)
		}
	})
}

func TestRespondWithoutSender(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		pid := s.Root.Spawn(doer(&recorder{}))
		s.Root.Send(pid, do(func(ctx actor.Context) { ctx.Respond("answer") }))
		dead.want(t, "dead letter answer: no target")
	})
}

func TestDeadLetterLogIsThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logBuffer{}
		s := actor.NewActorSystem(actor.WithLogger(log.logger()))
		for range 1000 {
			s.Root.Send(s.NewLocalPID("nobody"), "secret")
		}
		if n := strings.Count(log.String(), "\n"); n < 1 || n > 10 {
			t.Fatalf("%d lines for 1000 dead letters:\n%s", n, log)
		}
		<-time.After(time.Second)
		s.Root.Send(s.NewLocalPID("nobody"), "secret")
		if got := log.String(); !strings.Contains(got, "omitted=99") || !strings.Contains(got, "nonhost/nobody") {
			t.Fatalf("logged:\n%s", got)
		}
		if strings.Contains(log.String(), "secret") {
			t.Fatal("a message's content is logged")
		}
	})
}

// Whoever gets the error does not need it in the log too.
func TestDeadLetterThatIsAnsweredIsNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logBuffer{}
		s := actor.NewActorSystem(actor.WithLogger(log.logger()))
		if err := s.Root.RequestFuture(s.NewLocalPID("nobody"), "q", 0).Wait(); err == nil {
			t.Fatal("no error")
		}
		if log.String() != "" {
			t.Fatalf("logged: %s", log)
		}
	})
}

func TestStopOfNobodyIsNoDeadLetter(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		s.Root.Stop(s.NewLocalPID("nobody"))
		s.Root.Poison(s.NewLocalPID("nobody"))
		dead.want(t)
		s.Root.Stop(nil)
		s.Root.Poison(nil)
		if got := dead.take(); len(got) > 1 {
			t.Fatalf("%q", got)
		}
	})
}

// It would overflow the stack, which ends the process.
func TestSubscriberThatCausesDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logBuffer{}
		s := actor.NewActorSystem(actor.WithLogger(log.logger()))
		defer s.Shutdown()
		events := 0
		actor.SubscribeTo(s.EventStream, func(*actor.DeadLetterEvent) {
			if events++; events > 10_000 {
				t.Fatal("it goes on and on")
			}
			s.Root.Send(s.NewLocalPID("nobody"), "again")
		})
		for range 2 {
			before := events
			s.Root.Send(s.NewLocalPID("nobody"), "first")
			if events == before {
				t.Error("no event")
			}
		}
		if !strings.Contains(log.String(), "a dead letter event is dropped") {
			t.Errorf("logged:\n%s", log)
		}
	})
}
