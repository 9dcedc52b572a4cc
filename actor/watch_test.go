package actor_test

import (
	"testing"
	"testing/synctest"

	"github.com/granary-go/granary/actor"
)

func TestWatch(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		target := s.Root.Spawn(recording(&recorder{}))
		watcher := s.Root.Spawn(doer(r))
		s.Root.Send(watcher, do(func(ctx actor.Context) {
			ctx.Watch(target)
			ctx.Watch(target) // once is enough
		}))
		r.want(t, "Started")
		s.Root.Stop(target)
		r.want(t, "terminated "+target.Id+": stopped")
	})
}

func TestWatchOfADeadActor(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		target := s.Root.Spawn(recording(&recorder{}))
		_ = s.Root.StopFuture(target).Wait()
		watcher := s.Root.Spawn(doer(r))
		s.Root.Send(watcher, do(func(ctx actor.Context) { ctx.Watch(target) }))
		r.want(t, "Started", "terminated "+target.Id+": not found")
	})
}

func TestUnwatch(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		target := s.Root.Spawn(recording(&recorder{}))
		watcher := s.Root.Spawn(doer(r))
		s.Root.Send(watcher, do(func(ctx actor.Context) {
			ctx.Watch(target)
			ctx.Unwatch(target)
			ctx.Unwatch(target)
			ctx.Unwatch(nil)
		}))
		synctest.Wait()
		s.Root.Stop(target)
		r.want(t, "Started")
	})
}

// The message is on its way already when Unwatch is called.
func TestNoTerminatedAfterUnwatch(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		target := s.Root.Spawn(recording(&recorder{}))
		watcher := s.Root.Spawn(doer(r))
		s.Root.Send(watcher, do(func(ctx actor.Context) {
			ctx.Watch(target)
			_ = ctx.StopFuture(target).Wait()
			ctx.Unwatch(target)
		}))
		r.want(t, "Started")
	})
}

func TestWatcherThatStopsIsForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		target := s.Root.Spawn(recording(&recorder{}))
		watcher := s.Root.Spawn(doer(&recorder{}))
		s.Root.Send(watcher, do(func(ctx actor.Context) {
			ctx.Watch(target)
			ctx.Stop(ctx.Self())
		}))
		synctest.Wait()
		s.Root.Stop(target)
		dead.want(t)
	})
}

func TestTerminatedComesAfterStoppedAndTheNameIsFree(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		target, err := s.Root.SpawnNamed(recording(r), "name")
		if err != nil {
			t.Fatal(err)
		}
		watcher := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case do:
				m(ctx)
			case *actor.Terminated:
				r.add(m)
				if _, err := s.Root.SpawnNamed(recording(r), "name"); err != nil {
					r.add(err.Error())
				}
			}
		}))
		s.Root.Send(watcher, do(func(ctx actor.Context) { ctx.Watch(target) }))
		synctest.Wait()
		s.Root.Stop(target)
		r.want(t, "Started", "Stopping", "Stopped", "terminated name: stopped", "Started")
		// The old PID leads to the new actor of the same name.
		s.Root.Send(target, "hello")
		r.want(t, "hello")
	})
}

func TestParentHearsOfItsChildrenOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		parent, _ := s.Root.SpawnNamed(doer(r), "p")
		s.Root.Send(parent, do(func(ctx actor.Context) {
			child, _ := ctx.SpawnNamed(recording(&recorder{}), "c")
			ctx.Watch(child)
			ctx.Stop(child)
		}))
		r.want(t, "Started", "terminated p/c: stopped")
	})
}

// A child's end is announced after its name is free, so the name may have a new
// child when the parent hears of the old one.
func TestChildOfTheSameNameStaysAChild(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, second := &recorder{}, &recorder{}
		parent, _ := s.Root.SpawnNamed(doer(r), "p")
		s.Root.Send(parent, do(func(ctx actor.Context) {
			child, _ := ctx.SpawnNamed(recording(&recorder{}), "c")
			_ = ctx.StopFuture(child).Wait()
			if _, err := ctx.SpawnNamed(recording(second), "c"); err != nil {
				r.add(err.Error())
			}
		}))
		r.want(t, "Started", "terminated p/c: stopped")
		second.want(t, "Started")
		_ = s.Root.StopFuture(parent).Wait()
		second.want(t, "Stopping", "Stopped")
	})
}

func TestTerminatedWaitsWhileSuspended(t *testing.T) {
	for _, tt := range []struct {
		directive actor.Directive
		want      []string
	}{
		{actor.ResumeDirective, []string{"terminated target: stopped", "terminated g/p/c: stopped", "user"}},
		{actor.RestartDirective, []string{"Restarting", "Started", "terminated target: stopped", "user"}},
	} {
		t.Run(tt.directive.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, s *actor.ActorSystem) {
				r, gate := &recorder{}, make(chan struct{})
				target, _ := s.Root.SpawnNamed(recording(&recorder{}), "target")
				grandparent, _ := s.Root.SpawnNamed(doer(&recorder{}, actor.WithSupervisor(decide(tt.directive))), "g")
				s.Root.Send(grandparent, do(func(ctx actor.Context) {
					parent, _ := ctx.SpawnNamed(doer(r), "p")
					ctx.Send(parent, do(func(ctx actor.Context) {
						_, _ = ctx.SpawnNamed(recording(&recorder{}), "c")
						ctx.Watch(target)
						panic("boom")
					}))
					ctx.Send(parent, "user")
					<-gate // decides nothing yet
				}))
				r.want(t, "Started")
				_ = s.Root.StopFuture(target).Wait()
				_ = s.Root.StopFuture(s.NewLocalPID("g/p/c")).Wait()
				r.want(t)
				close(gate)
				r.want(t, tt.want...)
			})
		})
	}
}

// A name may have changed hands before the watcher hears of the first one's end.
func TestWatchOfANameThatChangedHands(t *testing.T) {
	for _, unwatch := range []bool{false, true} {
		bubble(t, func(t *testing.T, s *actor.ActorSystem) {
			r := &recorder{}
			watcher := s.Root.Spawn(doer(r))
			s.Root.Send(watcher, do(func(ctx actor.Context) {
				for range 2 {
					target, _ := s.Root.SpawnNamed(recording(&recorder{}), "x")
					ctx.Watch(target)
					_ = ctx.StopFuture(target).Wait()
					ctx.Watch(target) // its end is on its way
					if unwatch {
						ctx.Unwatch(target)
					}
				}
				target, _ := s.Root.SpawnNamed(recording(&recorder{}), "x")
				ctx.Watch(target)
			}))
			if unwatch {
				r.want(t, "Started")
			} else {
				r.want(t, "Started", "terminated x: stopped", "terminated x: stopped")
			}
			s.Root.Stop(s.NewLocalPID("x"))
			r.want(t, "terminated x: stopped")
		})
	}
}

func TestWatchOfANameThatHadNobody(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		watcher := s.Root.Spawn(doer(r))
		s.Root.Send(watcher, do(func(ctx actor.Context) {
			ctx.Watch(s.NewLocalPID("x"))
			target, _ := s.Root.SpawnNamed(recording(&recorder{}), "x")
			ctx.Watch(target)
		}))
		r.want(t, "Started", "terminated x: not found")
		s.Root.Stop(s.NewLocalPID("x"))
		r.want(t, "terminated x: stopped")
	})
}

// strategy is a supervisor strategy of one function.
type strategy func(by actor.Supervisor, child *actor.PID)

func (f strategy) HandleFailure(_ *actor.ActorSystem, by actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, _, _ any) {
	f(by, child)
}

// After Stopping comes Stopped, whatever was put off.
func TestTerminatedThatWaitedDoesNotFollowStopping(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, gate := &recorder{}, make(chan struct{})
		target, _ := s.Root.SpawnNamed(recording(&recorder{}), "target")
		// The decision waits until the end of target is known, and the actor
		// is told to stop before it has gone on.
		decide := strategy(func(by actor.Supervisor, child *actor.PID) {
			_ = s.Root.StopFuture(target).Wait()
			by.ResumeChildren(child)
			s.Root.Stop(child)
		})
		pid, _ := s.Root.SpawnNamed(doer(r, actor.WithGuardian(decide)), "p")
		s.Root.Send(pid, do(func(ctx actor.Context) {
			child := ctx.Spawn(doer(&recorder{}))
			ctx.Send(child, do(func(actor.Context) { <-gate }))
			ctx.Watch(target)
			panic("boom")
		}))
		r.want(t, "Started", "Stopping")
		close(gate)
		r.want(t, "Stopped")
	})
}

// An instance that fails in Started receives nothing more; the end of somebody
// watched waits for the next one.
func TestTerminatedWaitsForAnInstanceThatStarts(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		target, _ := s.Root.SpawnNamed(recording(&recorder{}), "target")
		decide := strategy(func(by actor.Supervisor, child *actor.PID) {
			_ = s.Root.StopFuture(target).Wait()
			by.RestartChildren(child)
		})
		instances := 0
		pid := s.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
			instances++
			nth := instances
			return actor.ReceiveFunc(func(ctx actor.Context) {
				r.add(sprint(nth) + " " + describe(ctx.Message()))
				if _, ok := ctx.Message().(*actor.Started); ok && nth == 2 {
					panic("cannot start")
				}
				if ctx.Message() == "fail" {
					ctx.Watch(target)
					panic("boom")
				}
			})
		}, actor.WithGuardian(decide)))
		s.Root.Send(pid, "fail")
		r.want(t, "1 Started", "1 fail", "1 Restarting", "2 Started", "2 Restarting", "3 Started", "3 terminated target: stopped")
	})
}

func TestWatchNobody(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		watcher := s.Root.Spawn(doer(r))
		s.Root.Send(watcher, do(func(ctx actor.Context) {
			ctx.Watch(nil)
			ctx.Watch(&actor.PID{})
			ctx.Watch(actor.NewPID("elsewhere:1", "x"))
		}))
		r.want(t, "Started", "terminated : not found", "terminated x: not found")
	})
}

// A PID from before the transport set the address and one from after it name
// one actor.
func TestWatchAcrossAChangeOfAddress(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		target, _ := s.Root.SpawnNamed(recording(&recorder{}), "target")
		s.ProcessRegistry.SetAddress("host:1")
		watcher := s.Root.Spawn(doer(r))
		s.Root.Send(watcher, do(func(ctx actor.Context) { ctx.Watch(actor.NewPID("host:1", "target")) }))
		synctest.Wait()
		s.Root.Stop(target)
		r.want(t, "Started", "terminated target: stopped")
	})
}
