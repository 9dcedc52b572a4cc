package actor_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

func answering(with any) *actor.Props {
	return actor.PropsFromFunc(func(ctx actor.Context) {
		if ctx.Sender() != nil {
			ctx.Respond(with)
		}
	})
}

func TestAsk(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		ctx := t.Context()
		if got, err := actor.Ask[int](ctx, s.Root, s.Root.Spawn(answering(7)), "q"); got != 7 || err != nil {
			t.Error(got, err)
		}
		if _, err := actor.Ask[int](ctx, s.Root, s.Root.Spawn(answering(io.EOF)), "q"); !errors.Is(err, io.EOF) {
			t.Error("an answer that is an error:", err)
		}
		if got, err := actor.Ask[error](ctx, s.Root, s.Root.Spawn(answering(io.EOF)), "q"); !errors.Is(got, io.EOF) || err != nil {
			t.Error("an error that was asked for:", got, err)
		}
		_, err := actor.Ask[int](ctx, s.Root, s.Root.Spawn(answering("seven")), "q")
		if !errors.Is(err, actor.ErrUnexpectedReply) || !strings.Contains(err.Error(), "string") || !strings.Contains(err.Error(), "int") {
			t.Error("an answer of another type:", err)
		}
		if _, err := actor.Ask[int](ctx, s.Root, nil, "q"); !errors.Is(err, actor.ErrDeadLetter) {
			t.Error("nobody:", err)
		}
	})
}

func TestAskEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		var asker *actor.PID
		silent := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if ctx.Sender() != nil {
				asker = ctx.Sender()
			}
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := actor.Ask[int](ctx, s.Root, silent, "q"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, ok := s.ProcessRegistry.Get(asker); ok {
			t.Fatal("the future outlives the ask")
		}
		s.Root.Send(asker, "late")
		dead.want(t, "dead letter late: no actor")
		if _, err := actor.Ask[int](ctx, s.Root, s.Root.Spawn(answering(1)), "q"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("a context that ended before:", err)
		}
	})
}

func TestAskFromAnActor(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		seven := s.Root.Spawn(answering(7))
		pid := s.Root.Spawn(doer(r))
		s.Root.Send(pid, do(func(ctx actor.Context) {
			got, err := actor.Ask[int](t.Context(), ctx, seven, "q")
			r.add(got)
			r.add(err)
		}))
		synctest.Wait()
		r.want(t, "Started", "7", "<nil>")
	})
}
