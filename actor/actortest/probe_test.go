package actortest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/actor/actortest"
)

// verdict is a testing.TB that keeps why a test failed.
type verdict struct {
	testing.TB
	why      string
	cleanups []func()
}

func (v *verdict) Helper()          {}
func (v *verdict) Cleanup(f func()) { v.cleanups = append(v.cleanups, f) }
func (v *verdict) Error(args ...any) {
	v.why += fmt.Sprint(args...)
}

func (v *verdict) Fatalf(format string, args ...any) {
	v.why += fmt.Sprintf(format, args...)
	panic(v) // ends the test, as Goexit does, but not its goroutine
}

func (v *verdict) Fatal(args ...any) { v.Fatalf("%s", fmt.Sprint(args...)) }

// failure returns why a test fails, "" if it passes.
func failure(t *testing.T, test func(t testing.TB)) (why string) {
	v := &verdict{TB: t}
	defer func() {
		if r := recover(); r != nil && r != any(v) {
			panic(r)
		}
		why = v.why
	}()
	defer func() {
		for _, f := range v.cleanups {
			f()
		}
	}()
	test(v)
	return v.why
}

func greet(ctx actor.Context) {
	if name, ok := ctx.Message().(string); ok {
		ctx.Respond("hello " + name)
	}
}

// in runs a test of the kit in a bubble, with a system.
func in(t *testing.T, test func(t *testing.T, system *actor.ActorSystem)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, actortest.NewSystem(t)) })
}

func TestProbeRequestsAndReplies(t *testing.T) {
	in(t, func(t *testing.T, system *actor.ActorSystem) {
		greeter := system.Root.Spawn(actor.PropsFromFunc(greet))
		probe := actortest.NewProbe(t, system)
		probe.Request(greeter, "Ada")
		if got := actortest.Expect[string](probe); got != "hello Ada" {
			t.Error(got)
		}
		asked := system.Root.RequestFuture(probe.PID(), &actor.MessageEnvelope{Message: 1, Header: actor.MessageHeader{"k": "v"}}, 0)
		probe.ExpectMessage(1)
		if probe.Header().Get("k") != "v" || probe.Sender() == nil {
			t.Error(probe.Header(), probe.Sender())
		}
		probe.Reply("one")
		if answer, err := asked.Result(); answer != "one" || err != nil {
			t.Error(answer, err)
		}
		probe.Send(greeter, "nobody")
		probe.ExpectNone(time.Minute)
	})
}

// Without a bubble it works, too.
func TestProbeOutsideOfABubble(t *testing.T) {
	system := actortest.NewSystem(t)
	probe := actortest.NewProbe(t, system)
	probe.Request(system.Root.Spawn(actor.PropsFromFunc(greet)), "Ada")
	probe.ExpectMessage("hello Ada")
}

func TestProbeWatches(t *testing.T) {
	in(t, func(t *testing.T, system *actor.ActorSystem) {
		probe := actortest.NewProbe(t, system)
		pid := system.Root.Spawn(actor.PropsFromFunc(greet))
		probe.Watch(pid)
		system.Root.Stop(pid)
		if end := probe.ExpectTerminated(pid); end.Why != actor.TerminatedReasonStopped {
			t.Error(end.Why)
		}
		child := probe.SpawnChild(actor.PropsFromFunc(func(ctx actor.Context) {
			if ctx.Message() == "parent" {
				ctx.Respond(ctx.Parent())
			}
		}))
		probe.Request(child, "parent")
		if got := actortest.Expect[*actor.PID](probe); !got.Equal(probe.PID()) {
			t.Error(got)
		}
		system.Root.Poison(child)
		probe.ExpectTerminated(child)
	})
}

func TestProbeExpectsInAnyOrder(t *testing.T) {
	in(t, func(t *testing.T, system *actor.ActorSystem) {
		probe := actortest.NewProbe(t, system)
		for _, m := range []any{3, "x", 1, 3, "needle", 2.5} {
			probe.Send(probe.PID(), m)
		}
		probe.ExpectMessages(1, 3, "x", 3)
		if got := actortest.Fish(probe, func(f float64) bool { return f > 2 }); got != 2.5 {
			t.Error(got)
		}
	})
}

func TestProbeEquality(t *testing.T) {
	in(t, func(t *testing.T, system *actor.ActorSystem) {
		probe := actortest.NewProbe(t, system)
		probe.Send(probe.PID(), probe.PID())
		probe.ExpectMessage(actor.NewPID(system.Address(), probe.PID().Id)) // has led nowhere yet
		probe.SetEqual(func(got, want any) bool { return got == want || want == "any" })
		probe.Send(probe.PID(), 7)
		probe.Send(probe.PID(), 8)
		probe.ExpectMessage("any")
		probe.ExpectMessages(8)
	})
}

// A reply has no sender, as that of an actor: who is gone by then does not answer.
func TestProbeRepliesLate(t *testing.T) {
	in(t, func(t *testing.T, system *actor.ActorSystem) {
		probe := actortest.NewProbe(t, system)
		asked := system.Root.RequestFuture(probe.PID(), "x", time.Second)
		probe.ExpectMessage("x")
		if asked.Wait() == nil {
			t.Error("answered")
		}
		probe.Reply("late")
		probe.ExpectNone(time.Second)
	})
}

func TestSubscribe(t *testing.T) {
	in(t, func(t *testing.T, system *actor.ActorSystem) {
		dead := actortest.Subscribe[*actor.DeadLetterEvent](t, system)
		system.EventStream.Publish("something else")
		system.Root.Send(system.NewLocalPID("nobody"), "lost")
		if e := actortest.Expect[*actor.DeadLetterEvent](dead); e.Message != "lost" {
			t.Error(e.Message)
		}
		dead.ExpectNone(time.Second)
	})
}

// What a probe says when a test fails, and that it does.
func TestProbeFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		test func(p *actortest.Probe)
		want []string
	}{
		"nothing comes": {func(p *actortest.Probe) { actortest.Expect[string](p) }, []string{"no message within 2s", "a string"}},
		"another type": {func(p *actortest.Probe) {
			p.Send(p.PID(), 7)
			actortest.Expect[string](p)
		}, []string{"got int(7)", "a string"}},
		"another value": {func(p *actortest.Probe) {
			p.Send(p.PID(), 7)
			p.ExpectMessage(8)
		}, []string{"got int(7)", "expected int(8)"}},
		"one too many": {func(p *actortest.Probe) {
			p.Send(p.PID(), 7)
			p.ExpectNone(time.Second)
		}, []string{"got int(7)", "nothing"}},
		"one that is not among them": {func(p *actortest.Probe) {
			p.Send(p.PID(), 7)
			p.Send(p.PID(), 7)
			p.ExpectMessages(7, 8)
		}, []string{"got int(7)", "not among"}},
		"too few": {func(p *actortest.Probe) {
			p.Send(p.PID(), 7)
			p.ExpectMessages(7, 8)
		}, []string{"no message", "int(8)"}},
		"no such fish": {func(p *actortest.Probe) {
			p.Send(p.PID(), 7)
			p.Send(p.PID(), "x")
			actortest.Fish(p, func(n int) bool { return n == 8 })
		}, []string{"no such int", "int(7), string(x)"}},
		"no fish": {func(p *actortest.Probe) { actortest.Fish(p, func(int) bool { return true }) }, []string{"nothing"}},
		"nobody to reply to": {func(p *actortest.Probe) {
			p.Send(p.PID(), 7)
			p.ExpectMessage(7)
			p.Reply(8)
		}, []string{"no sender", "int(7)"}},
		"another end": {func(p *actortest.Probe) {
			pid := p.SpawnChild(actor.PropsFromFunc(greet))
			p.Send(pid, &actor.PoisonPill{})
			p.ExpectTerminated(actor.NewPID("elsewhere", "x"))
		}, []string{"has ended", "elsewhere/x"}},
		"a probe that was stopped": {func(p *actortest.Probe) {
			p.Send(p.PID(), &actor.PoisonPill{})
			p.Watch(p.PID())
		}, []string{"probe has stopped"}},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, system *actor.ActorSystem) {
				why := failure(t, func(tb testing.TB) {
					probe := actortest.NewProbe(tb, system)
					probe.SetPatience(2 * time.Second)
					tt.test(probe)
				})
				for _, want := range tt.want {
					if !strings.Contains(why, want) {
						t.Errorf("fails with %q, which does not say %q", why, want)
					}
				}
			})
		})
	}
}

func TestSystemThatDoesNotStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		why := failure(t, func(tb testing.TB) {
			system := actortest.NewSystem(tb)
			_, err := system.Root.SpawnNamed(actor.PropsFromFunc(func(ctx actor.Context) {
				if ctx.Message() == "hang" {
					<-release
				}
			}), "stubborn")
			if err != nil {
				tb.Fatal(err)
			}
			system.Root.Send(system.NewLocalPID("stubborn"), "hang")
			synctest.Wait()
		})
		if !strings.Contains(why, "stubborn") {
			t.Errorf("fails with %q", why)
		}
	})
}
