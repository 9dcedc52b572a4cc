package actor_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/granary-go/granary/actor"
)

func TestSpawnNames(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		root, err := s.Root.SpawnNamed(doer(r), "root")
		if err != nil || root.Id != "root" || root.Address != "nonhost" {
			t.Fatal(root, err)
		}
		if pid := s.Root.Spawn(recording(r)); pid.Id != "$1" {
			t.Error(pid)
		}
		if pid := s.Root.SpawnPrefix(recording(r), "worker"); pid.Id != "worker$2" {
			t.Error(pid)
		}
		r.take()
		s.Root.Send(root, do(func(ctx actor.Context) {
			child, err := ctx.SpawnNamed(doer(&recorder{}), "child")
			r.add(child.Id)
			r.add(err)
			r.add(ctx.SpawnPrefix(doer(&recorder{}), "x").Id)
			r.add(ctx.Spawn(doer(&recorder{})).Id)
			r.add(len(ctx.Children()))
			ctx.Send(child, do(func(ctx actor.Context) { r.add(ctx.Parent().Id) }))
		}))
		r.want(t, "root/child", "<nil>", "root/x$3", "root/$4", "3", "root")
	})
}

func TestSpawnNamedTwice(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		first, err := s.Root.SpawnNamed(recording(&recorder{}), "name")
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.Root.SpawnNamed(recording(&recorder{}), "name")
		if !errors.Is(err, actor.ErrNameExists) || !second.Equal(first) {
			t.Fatal(second, err)
		}
		if _, err := s.Root.SpawnNamed(recording(&recorder{}), ""); !errors.Is(err, actor.ErrEmptyName) {
			t.Fatal(err)
		}
	})
}

func TestSpawnSkipsTakenNames(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		_, _ = s.Root.SpawnNamed(recording(&recorder{}), "$1")
		if pid := s.Root.Spawn(recording(&recorder{})); pid.Id != "$2" {
			t.Fatal(pid)
		}
	})
}

func TestSpawnNamedByManyAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if _, err := s.Root.SpawnNamed(recording(r), "one"); err != nil && !errors.Is(err, actor.ErrNameExists) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		r.want(t, "Started")
	})
}

func TestSpawnThatCannot(t *testing.T) {
	for _, tt := range []struct {
		name  string
		props *actor.Props
		want  error
	}{
		{"nil props", nil, actor.ErrNoProducer},
		{"empty props", &actor.Props{}, actor.ErrNoProducer},
		{"nil producer", actor.PropsFromProducer(nil), actor.ErrNoProducer},
		{"nil function", actor.PropsFromFunc(nil), actor.ErrNoActor},
		{"nil actor", actor.PropsFromProducer(func() actor.Actor { return nil }), actor.ErrNoActor},
		{"panic", actor.PropsFromProducer(func() actor.Actor { panic("x") }), actor.ErrProducerPanicked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &logBuffer{}
				s := actor.NewActorSystem(actor.WithLogger(log.logger()))
				defer s.Shutdown()
				var event *actor.SpawnFailedEvent
				actor.SubscribeTo(s.EventStream, func(e *actor.SpawnFailedEvent) { event = e })
				pid := s.Root.Spawn(tt.props)
				if event == nil || !errors.Is(event.Err, tt.want) || !event.PID.Equal(pid) {
					t.Fatalf("event %+v for %v", event, pid)
				}
				if !strings.Contains(log.String(), tt.want.Error()) {
					t.Errorf("logged: %s", log)
				}
				if err := s.Root.RequestFuture(pid, "x", 0).Wait(); !errors.Is(err, actor.ErrDeadLetter) {
					t.Errorf("a request to it: %v", err)
				}
				if _, err := s.Root.SpawnNamed(tt.props, "name"); !errors.Is(err, tt.want) {
					t.Errorf("SpawnNamed: %v", err)
				}
				if _, err := s.Root.SpawnNamed(recording(&recorder{}), "name"); err != nil {
					t.Errorf("the name is not free after the failure: %v", err)
				}
			})
		})
	}
}

// Who sends to an actor whose producer is still at work, and then fails, hears of it.
func TestMessagesDuringAFailingSpawn(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, deadLetters(s)
		var asked *actor.Future
		watcher := s.Root.Spawn(doer(r))
		_, err := s.Root.SpawnNamed(actor.PropsFromProducer(func() actor.Actor {
			asked = s.Root.RequestFuture(s.NewLocalPID("name"), "early", 0)
			s.Root.Send(watcher, do(func(ctx actor.Context) { ctx.Watch(s.NewLocalPID("name")) }))
			synctest.Wait()
			return nil
		}), "name")
		if !errors.Is(err, actor.ErrNoActor) {
			t.Fatal(err)
		}
		if err := asked.Wait(); !errors.Is(err, actor.ErrDeadLetter) {
			t.Fatal(err)
		}
		dead.want(t, "dead letter early: stopped")
		r.want(t, "Started", "terminated name: not found")
	})
}

func TestSpawnFromAStoppingActor(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		actor.SubscribeTo(s.EventStream, func(e *actor.SpawnFailedEvent) { r.add(errors.Is(e.Err, actor.ErrStopped)) })
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			switch ctx.Message().(type) {
			case *actor.Stopping, *actor.Stopped:
				ctx.Spawn(recording(r))
			}
		}))
		if err := s.Root.StopFuture(pid).Wait(); err != nil {
			t.Fatal(err)
		}
		r.want(t, "true", "true")
	})
}

func TestConfigureLeavesTheOriginalAlone(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		tag := func(tag string) actor.PropsOption {
			return actor.WithReceiverMiddleware(func(next actor.ReceiverFunc) actor.ReceiverFunc {
				return func(ctx actor.Context, env *actor.MessageEnvelope) {
					if m, ok := env.Message.(string); ok {
						env.Message = tag + m
					}
					next(ctx, env)
				}
			})
		}
		base := recording(r, tag("c"), tag("b"), tag("a"))
		one, two := base.Configure(tag("1")), base.Configure(tag("2"))
		more := one.Configure(tag("+"))
		for _, tt := range []struct {
			props *actor.Props
			want  string
		}{{base, "abc-"}, {one, "1abc-"}, {two, "2abc-"}, {more, "+1abc-"}} {
			s.Root.Send(s.Root.Spawn(tt.props), "-")
			r.want(t, "Started", tt.want)
		}
	})
}
