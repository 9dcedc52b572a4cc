package actor_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

func TestShutdownStopsEveryActor(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		for range 3 {
			pid := s.Root.Spawn(doer(r))
			s.Root.Send(pid, do(func(ctx actor.Context) { ctx.Spawn(recording(r)) }))
		}
		r.take()
		if err := s.ShutdownContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		stopped := 0
		for _, m := range r.take() {
			if m == "Stopped" {
				stopped++
			}
		}
		if stopped != 6 {
			t.Fatalf("%d of 6 actors stopped", stopped)
		}
		if err := s.ShutdownContext(t.Context()); err != nil {
			t.Fatal("a second shutdown:", err)
		}
		s.Shutdown()
	})
}

func TestShutdownNamesWhatDidNotStop(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		gate := make(chan struct{})
		parent, _ := s.Root.SpawnNamed(doer(&recorder{}), "parent")
		_, _ = s.Root.SpawnNamed(recording(&recorder{}), "willing")
		s.Root.Send(parent, do(func(ctx actor.Context) {
			child, _ := ctx.SpawnNamed(doer(&recorder{}), "stuck")
			ctx.Send(child, do(func(actor.Context) { <-gate }))
		}))
		synctest.Wait()
		pending := s.Root.RequestFuture(s.NewLocalPID("parent/stuck"), "q", 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := s.ShutdownContext(ctx)
		var left *actor.ShutdownError
		if !errors.As(err, &left) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if len(left.Actors) != 2 || !strings.Contains(err.Error(), "2 actors did not stop: parent parent/stuck") {
			t.Fatal(err)
		}
		select {
		case <-pending.Done():
			if err := pending.Wait(); !errors.Is(err, actor.ErrStopped) {
				t.Error("a request to what is left:", err)
			}
		default:
			t.Error("a request to what is left still waits")
		}
		close(gate)
		if err := s.ShutdownContext(t.Context()); err != nil {
			t.Fatal("once it could stop:", err)
		}
	})
}

func TestShutdownErrorIsShort(t *testing.T) {
	err := &actor.ShutdownError{Cause: context.Canceled}
	for range 1000 {
		err.Actors = append(err.Actors, actor.NewPID("nonhost", "actor"))
	}
	if got := err.Error(); len(got) > 300 || !strings.Contains(got, "and 990 more") {
		t.Fatal(got)
	}
}

func TestNothingHangsOrSpawnsAfterShutdown(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		pending := actor.NewFuture(s, 0)
		pid := s.Root.Spawn(recording(&recorder{}))
		s.Shutdown()
		if err := pending.Wait(); !errors.Is(err, actor.ErrStopped) {
			t.Error("a pending future:", err)
		}
		if err := s.Root.RequestFuture(pid, "q", 0).Wait(); !errors.Is(err, actor.ErrDeadLetter) {
			t.Error("a request:", err)
		}
		if err := s.Root.StopFuture(pid).Wait(); err != nil {
			t.Error("a stop:", err)
		}
		if _, err := s.Root.SpawnNamed(recording(&recorder{}), "late"); !errors.Is(err, actor.ErrStopped) {
			t.Error("a spawn:", err)
		}
		if err := s.Root.RequestFuture(s.Root.Spawn(recording(&recorder{})), "q", 0).Wait(); !errors.Is(err, actor.ErrDeadLetter) {
			t.Error("a request to a spawn:", err)
		}
	})
}

func TestShutdownAgainstSpawns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 50 {
			s := actor.NewActorSystem(actor.WithLogger(discard))
			r := &recorder{}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for range 20 {
						s.Root.Spawn(recording(r))
					}
				})
			}
			if err := s.ShutdownContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			wg.Wait()
			started, stopped := 0, 0
			for _, m := range r.take() {
				switch m {
				case "Started":
					started++
				case "Stopped":
					stopped++
				}
			}
			if started != stopped {
				t.Fatalf("%d started, %d stopped", started, stopped)
			}
		}
	})
}
