package actor_test

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

func TestLifecycleOrder(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(recording(r))
		s.Root.Send(pid, "one")
		s.Root.Send(pid, "two")
		r.want(t, "Started", "one", "two")
		s.Root.Stop(pid)
		r.want(t, "Stopping", "Stopped")
	})
}

func TestStopLeavesTheMailboxToDeadLetters(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, deadLetters(s)
		gate := make(chan struct{})
		pid := s.Root.Spawn(doer(r))
		s.Root.Send(pid, do(func(actor.Context) { <-gate }))
		synctest.Wait()
		s.Root.Send(pid, "behind")
		asked := s.Root.RequestFuture(pid, "asked", 0)
		s.Root.Stop(pid)
		close(gate)
		r.want(t, "Started", "Stopping", "Stopped")
		dead.want(t, "dead letter behind: stopped", "dead letter asked: stopped")
		if err := asked.Wait(); err == nil {
			t.Fatal("the requester got no error")
		}
	})
}

func TestPoisonLetsEarlierMessagesBeHandled(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, dead := &recorder{}, deadLetters(s)
		gate := make(chan struct{})
		pid := s.Root.Spawn(doer(r))
		s.Root.Send(pid, do(func(actor.Context) { <-gate }))
		s.Root.Send(pid, "before")
		gone := s.Root.PoisonFuture(pid)
		s.Root.Send(pid, "after")
		s.Root.Poison(pid) // a second pill is no dead letter
		close(gate)
		if err := gone.Wait(); err != nil {
			t.Fatal(err)
		}
		r.want(t, "Started", "before", "Stopping", "Stopped")
		dead.want(t, "dead letter after: stopped")
	})
}

func TestSystemMessagesComeFirst(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		gate := make(chan struct{})
		other := s.Root.Spawn(recording(&recorder{}))
		pid := s.Root.Spawn(doer(r))
		s.Root.Send(pid, do(func(ctx actor.Context) {
			ctx.Watch(other)
			<-gate
		}))
		s.Root.Send(pid, "user")
		synctest.Wait()
		_ = s.Root.StopFuture(other).Wait()
		close(gate)
		r.want(t, "Started", "terminated "+other.Id+": stopped", "user")
	})
}

func TestChildrenStopBetweenStoppingAndStopped(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		named := func(name string, children ...*actor.Props) *actor.Props {
			return actor.PropsFromFunc(func(ctx actor.Context) {
				switch ctx.Message().(type) {
				case *actor.Started:
					for _, c := range children {
						ctx.Spawn(c)
					}
				default:
					r.add(name + " " + describe(ctx.Message()))
				}
			})
		}
		pid := s.Root.Spawn(named("parent", named("child", named("grandchild"))))
		if err := s.Root.StopFuture(pid).Wait(); err != nil {
			t.Fatal(err)
		}
		r.want(t, "parent Stopping", "child Stopping", "grandchild Stopping",
			"grandchild Stopped", "child Stopped", "parent Stopped")
	})
}

// A message that a child sends to its parent while that is stopping must not
// wait for the end of the last child.
func TestStoppingParentAnswersWhileAChildLingers(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		gate := make(chan struct{})
		lingering := actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*actor.Stopping); ok {
				<-gate
			}
		})
		parent := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*actor.Started); ok {
				ctx.Spawn(lingering)
			}
		}))
		gone := s.Root.StopFuture(parent)
		synctest.Wait()
		if err := s.Root.RequestFuture(parent, "hello", 0).Wait(); err == nil {
			t.Fatal("a stopping actor answered")
		}
		select {
		case <-gone.Done():
			t.Fatal("the parent is gone before its child")
		default:
		}
		close(gate)
		if err := gone.Wait(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestStopFutureOfNobody(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		for _, pid := range []*actor.PID{nil, {}, s.NewLocalPID("nobody")} {
			for _, f := range []*actor.Future{s.Root.StopFuture(pid), s.Root.PoisonFuture(pid)} {
				if err := f.Wait(); err != nil {
					t.Errorf("%v: %v", pid, err)
				}
			}
		}
	})
}

func TestStopTwice(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(recording(r))
		first, second := s.Root.StopFuture(pid), s.Root.StopFuture(pid)
		if err := first.Wait(); err != nil {
			t.Fatal(err)
		}
		if err := second.Wait(); err != nil {
			t.Fatal(err)
		}
		s.Root.Stop(pid)
		r.want(t, "Started", "Stopping", "Stopped")
	})
}

func TestStopSelf(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(doer(r))
		s.Root.Send(pid, do(func(ctx actor.Context) { ctx.Stop(ctx.Self()) }))
		r.want(t, "Started", "Stopping", "Stopped")
		if _, ok := s.ProcessRegistry.Get(pid); ok {
			t.Fatal("still registered")
		}
	})
}

func TestPanicInTheLastMessagesDoesNotKeepAnActorAlive(t *testing.T) {
	for _, stage := range []string{"Stopping", "Stopped"} {
		bubble(t, func(t *testing.T, s *actor.ActorSystem) {
			pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
				if describe(ctx.Message()) == stage {
					panic(stage)
				}
			}))
			if err := s.Root.StopFuture(pid).Wait(); err != nil {
				t.Fatal(stage, err)
			}
		})
	}
}

// runtime.Goexit, which is what t.Fatal does, ends the goroutine but not the
// actor that was running in it.
func TestGoexitInEveryStage(t *testing.T) {
	for _, stage := range []string{"Started", "user", "Restarting", "Stopping", "Stopped"} {
		t.Run(stage, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *actor.ActorSystem) {
				exited, r := false, &recorder{}
				pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
					if _, ok := ctx.Message().(*actor.Restarting); ok {
						r.add("restarting")
					}
					if describe(ctx.Message()) == stage && !exited {
						exited = true
						runtime.Goexit()
					}
					switch ctx.Message() {
					case "fail":
						panic("fail")
					case "alive?":
						ctx.Respond("yes")
					}
				}))
				s.Root.Send(pid, "user")
				s.Root.Send(pid, "fail")
				if got, err := s.Root.RequestFuture(pid, "alive?", 0).Result(); got != "yes" {
					t.Fatal(got, err)
				}
				if err := s.Root.StopFuture(pid).Wait(); err != nil {
					t.Fatal(err)
				}
				if !exited {
					t.Fatal("the stage was not reached")
				}
				want := []string{"restarting"} // of "fail"
				if stage == "Started" || stage == "user" {
					want = append(want, "restarting")
				}
				r.want(t, want...)
			})
		})
	}
}

// runtime.Goexit in Restarting does not let the next instance run what the old one
// was waiting for, and a failure of that one is a failure like others.
func TestGoexitInRestarting(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		f := actor.NewFuture(s, 0)
		starts := 0
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				starts++
				r.add(fmt.Sprint("start ", starts))
				switch starts {
				case 2:
					panic("in Started")
				case 3:
					runtime.Goexit()
				}
			case *actor.Restarting:
				runtime.Goexit()
			case do:
				m(ctx)
			case string:
				r.add(m)
			}
		}))
		s.Root.Send(pid, do(func(ctx actor.Context) {
			ctx.ReenterAfter(f, func(any, error) { r.add("continued") })
			panic("boom")
		}))
		s.Root.Send(pid, "on")
		r.want(t, "start 1", "start 2", "start 3", "start 4", "on")
		f.Cancel()
		r.want(t)
	})
}

// Actors that never came to be are in nobody's way.
func TestSpawnThatIsCutShort(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = s.Root.SpawnNamed(actor.PropsFromProducer(func() actor.Actor {
				runtime.Goexit()
				return nil
			}), "x")
		}()
		<-done
		if pid, err := s.Root.SpawnNamed(recording(&recorder{}), "x"); err != nil || pid.Id != "x" {
			t.Error("the name is taken:", err)
		}
		r := &recorder{}
		_, err := s.Root.SpawnNamed(recording(&recorder{}, actor.WithContextDecorator(
			func(actor.ContextDecoratorFunc) actor.ContextDecoratorFunc {
				return func(ctx actor.Context) actor.Context {
					ctx.Spawn(recording(r))
					return nil
				}
			})), "y")
		if !errors.Is(err, actor.ErrNoContext) {
			t.Error(err)
		}
		r.want(t, "Started", "Stopping", "Stopped")
		start := time.Now()
		s.Shutdown()
		if time.Since(start) != 0 {
			t.Error("the shutdown took", time.Since(start))
		}
	})
}
