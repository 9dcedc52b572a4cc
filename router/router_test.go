package router_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/actor/actortest"
	"github.com/granary-go/granary/router"
)

func in(t *testing.T, test func(t *testing.T, system *actor.ActorSystem)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, actortest.NewSystem(t)) })
}

// teller answers with the name of the routee and what it was sent, after the
// colon of its name.
func teller() *actor.Props {
	return actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case keyed, string, int:
			ctx.Respond(fmt.Sprint(ctx.Self().Id[strings.LastIndex(ctx.Self().Id, "/")+1:], ":", m))
		case fall:
			panic("boom")
		}
	})
}

type (
	fall  struct{}
	keyed string
)

func (k keyed) Hash() string {
	if k == "panic" {
		panic("in Hash")
	}
	return string(k)
}

// group spawns routees by name.
func group(t *testing.T, s *actor.ActorSystem, names ...string) []*actor.PID {
	t.Helper()
	pids := make([]*actor.PID, len(names))
	for i, name := range names {
		var err error
		if pids[i], err = s.Root.SpawnNamed(teller(), name); err != nil {
			t.Fatal(err)
		}
	}
	return pids
}

// routees asks a router whom it has, by the last part of their names.
func routees(t *testing.T, s *actor.ActorSystem, pid *actor.PID) (names []string) {
	t.Helper()
	got, err := actor.Ask[*router.Routees](t.Context(), s.Root, pid, &router.GetRoutees{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range got.PIDs {
		names = append(names, p.Id[strings.LastIndex(p.Id, "/")+1:])
	}
	return names
}

func ask(t *testing.T, s *actor.ActorSystem, pid *actor.PID, message any) string {
	t.Helper()
	got, err := actor.Ask[string](t.Context(), s.Root, pid, message)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRoundRobin(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		for name, props := range map[string]*actor.Props{
			"pool":  router.NewRoundRobinPool(3, teller()),
			"group": router.NewRoundRobinGroup(group(t, s, "1", "2", "3")...),
		} {
			pid := s.Root.Spawn(props)
			var got []string
			for i := range 7 {
				got = append(got, ask(t, s, pid, i))
			}
			if want := []string{"1:0", "2:1", "3:2", "1:3", "2:4", "3:5", "1:6"}; !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	})
}

func TestBroadcast(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		for name, props := range map[string]*actor.Props{
			"pool":  router.NewBroadcastPool(3, teller()),
			"group": router.NewBroadcastGroup(group(t, s, "1", "2", "3")...),
		} {
			t.Log(name)
			probe := actortest.NewProbe(t, s)
			probe.Request(s.Root.Spawn(props), "x")
			probe.ExpectMessages("1:x", "2:x", "3:x")
			probe.ExpectNone(time.Second)
		}
	})
}

func TestBroadcastMessageToAnyRouter(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		for _, props := range []*actor.Props{
			router.NewRoundRobinPool(2, teller()), router.NewRandomPool(2, teller()),
			router.NewConsistentHashPool(2, teller()), router.NewBroadcastPool(2, teller()),
		} {
			probe := actortest.NewProbe(t, s)
			probe.Request(s.Root.Spawn(props), &router.BroadcastMessage{Message: "x"})
			probe.ExpectMessages("1:x", "2:x")
		}
	})
}

func TestRandomReachesAll(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		for name, props := range map[string]*actor.Props{
			"pool":  router.NewRandomPool(3, teller()),
			"group": router.NewRandomGroup(group(t, s, "1", "2", "3")...),
		} {
			pid := s.Root.Spawn(props)
			count := make(map[string]int)
			for range 300 { // one in 10^15 runs misses 40 of 100 that are expected
				count[ask(t, s, pid, "x")]++
			}
			for _, who := range []string{"1:x", "2:x", "3:x"} {
				if count[who] < 40 {
					t.Errorf("%s: %v", name, count)
				}
			}
		}
	})
}

func TestConsistentHash(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		const keys = 1000
		names := []string{"a", "b", "c", "d", "e"}
		pids := group(t, s, names...)
		pid := s.Root.Spawn(router.NewConsistentHashGroup(pids...))
		place := func(pid *actor.PID) []string {
			all := make([]string, keys)
			for i := range keys {
				who, _, _ := strings.Cut(ask(t, s, pid, keyed(fmt.Sprint("key", i))), ":")
				all[i] = who
			}
			return all
		}
		before := place(pid)
		count := make(map[string]int)
		for _, who := range before {
			count[who]++
		}
		for _, name := range names { // 200 each are expected
			if count[name] < 120 || count[name] > 280 {
				t.Errorf("uneven: %v", count)
			}
		}
		slices.Reverse(pids)
		if !slices.Equal(before, place(s.Root.Spawn(router.NewConsistentHashGroup(pids...)))) {
			t.Error("another router with the same routees chooses others")
		}

		s.Root.Send(pid, &router.RemoveRoutee{PID: s.NewLocalPID("c")})
		for i, who := range place(pid) {
			if before[i] != "c" && who != before[i] || who == "c" {
				t.Fatalf("c has left, and key %d went from %s to %s", i, before[i], who)
			}
		}
		s.Root.Send(pid, &router.AddRoutee{PID: group(t, s, "f")[0]})
		s.Root.Send(pid, &router.AddRoutee{PID: s.NewLocalPID("c")})
		for i, who := range place(pid) {
			if who != before[i] && who != "f" {
				t.Fatalf("f has come, and key %d went from %s to %s", i, before[i], who)
			}
		}
	})
}

func TestConsistentHashWithoutAKey(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := actortest.Subscribe[*actor.DeadLetterEvent](t, s)
		pid := s.Root.Spawn(router.NewConsistentHashPool(2, teller()))
		for _, message := range []any{"no key", keyed("panic")} {
			_, err := actor.Ask[string](t.Context(), s.Root, pid, message)
			var letter *actor.DeadLetterError
			if !errors.As(err, &letter) || letter.Reason != router.ReasonNoHash {
				t.Errorf("%v: %v", message, err)
			}
			if e := actortest.Expect[*actor.DeadLetterEvent](dead); e.Message != message {
				t.Error(e)
			}
		}
		if got := routees(t, s, pid); len(got) != 2 {
			t.Error("the router has failed:", got)
		}
	})
}

// Round robin over an empty router divides by zero.
func TestFaultEmptyRouterCrashes(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		for name, props := range map[string]*actor.Props{
			"round robin pool":      router.NewRoundRobinPool(0, teller()),
			"round robin group":     router.NewRoundRobinGroup(),
			"random pool":           router.NewRandomPool(0, teller()),
			"random group":          router.NewRandomGroup(),
			"broadcast pool":        router.NewBroadcastPool(0, teller()),
			"broadcast group":       router.NewBroadcastGroup(),
			"consistent hash pool":  router.NewConsistentHashPool(0, teller()),
			"consistent hash group": router.NewConsistentHashGroup(),
		} {
			pid := s.Root.Spawn(props)
			for _, message := range []any{keyed("x"), &router.BroadcastMessage{Message: "x"}} {
				_, err := actor.Ask[string](t.Context(), s.Root, pid, message)
				var letter *actor.DeadLetterError
				if !errors.As(err, &letter) || letter.Reason != router.ReasonNoRoutees {
					t.Errorf("%s: %v", name, err)
				}
			}
			s.Root.Send(pid, &router.AddRoutee{PID: s.Root.Spawn(teller())})
			ask(t, s, pid, keyed("x")) // it lives
		}
	})
}

func TestDeadRouteeLeaves(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		pids := group(t, s, "a", "b", "c")
		g := s.Root.Spawn(router.NewRoundRobinGroup(pids...))
		p := s.Root.Spawn(router.NewRoundRobinPool(3, teller()))
		if got := routees(t, s, g); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Error(got)
		}
		pool, err := actor.Ask[*router.Routees](t.Context(), s.Root, p, &router.GetRoutees{})
		if err != nil {
			t.Fatal(err)
		}
		s.Root.Stop(pids[1])
		s.Root.Stop(pool.PIDs[0])
		synctest.Wait()
		if got := routees(t, s, g); !slices.Equal(got, []string{"a", "c"}) {
			t.Error(got)
		}
		if got := routees(t, s, p); !slices.Equal(got, []string{"2", "3"}) {
			t.Error(got)
		}
		for range 4 {
			ask(t, s, g, "x")
			ask(t, s, p, "x")
		}
		gone := s.NewLocalPID("never there")
		s.Root.Send(g, &router.AddRoutee{PID: gone}) // leaves at once
		synctest.Wait()
		if got := routees(t, s, g); !slices.Equal(got, []string{"a", "c"}) {
			t.Error(got)
		}
	})
}

// A routee of a pool that fails is its supervisor's, and stays.
func TestPoolRestartsItsRoutees(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		events := actortest.Subscribe[*actor.SupervisorEvent](t, s)
		pid := s.Root.Spawn(router.NewRoundRobinPool(2, teller(), actor.WithSupervisor(actor.NewRestartingStrategy())))
		s.Root.Send(pid, fall{})
		if e := actortest.Expect[*actor.SupervisorEvent](events); e.Directive != actor.RestartDirective {
			t.Error(e)
		}
		if got := routees(t, s, pid); len(got) != 2 {
			t.Error(got)
		}
		stopping := s.Root.Spawn(router.NewRoundRobinPool(2, teller(),
			actor.WithSupervisor(actor.NewOneForOneStrategy(0, 0, nil))))
		s.Root.Send(stopping, fall{})
		synctest.Wait()
		if got := routees(t, s, stopping); !slices.Equal(got, []string{"2"}) {
			t.Error(got)
		}
	})
}

func TestAddAndRemoveRoutees(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		pids := group(t, s, "a", "b")
		pid := s.Root.Spawn(router.NewRoundRobinPool(2, teller()))
		for _, m := range []any{
			&router.AddRoutee{PID: pids[0]}, &router.AddRoutee{PID: pids[0]}, &router.AddRoutee{},
			&router.AddRoutee{PID: pids[1]}, &router.RemoveRoutee{PID: pids[0]}, &router.RemoveRoutee{},
			&router.RemoveRoutee{PID: s.NewLocalPID("unknown")},
		} {
			s.Root.Send(pid, m)
		}
		if got := routees(t, s, pid); !slices.Equal(got, []string{"1", "2", "b"}) {
			t.Error(got)
		}
		if ask(t, s, pids[0], "lives") != "a:lives" {
			t.Error("a routee of somebody else was stopped")
		}
		own := s.NewLocalPID(pid.Id + "/1")
		probe, watcher := actortest.NewProbe(t, s), actortest.NewProbe(t, s)
		watcher.Watch(own)
		probe.Request(own, "sent before")
		s.Root.Send(pid, &router.RemoveRoutee{PID: own})
		probe.ExpectMessage("1:sent before")
		watcher.ExpectTerminated(own)
		if got := routees(t, s, pid); !slices.Equal(got, []string{"2", "b"}) {
			t.Error(got)
		}
	})
}

func TestAdjustPoolSize(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		pid := s.Root.Spawn(router.NewRoundRobinPool(2, teller()))
		s.Root.Send(pid, &router.AddRoutee{PID: group(t, s, "a")[0]})
		for _, tt := range []struct {
			change int
			want   []string
		}{
			{+2, []string{"1", "2", "a", "3", "4"}},
			{-1, []string{"1", "2", "a", "3"}},
			{0, []string{"1", "2", "a", "3"}},
			{-100, []string{"a"}},
			{+1, []string{"a", "5"}},
		} {
			s.Root.Send(pid, &router.AdjustPoolSize{Change: tt.change})
			if got := routees(t, s, pid); !slices.Equal(got, tt.want) {
				t.Errorf("%+d: %q, want %q", tt.change, got, tt.want)
			}
		}
		g := s.Root.Spawn(router.NewRoundRobinGroup())
		s.Root.Send(g, &router.AdjustPoolSize{Change: 1})
		if got := routees(t, s, g); len(got) != 0 {
			t.Error("a group has spawned", got)
		}
	})
}

func TestPoolIsBounded(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		pid := s.Root.Spawn(router.NewBroadcastPool(10, actor.PropsFromFunc(func(actor.Context) {})))
		s.Root.Send(pid, &router.AdjustPoolSize{Change: 1 << 62})
		if got := routees(t, s, pid); len(got) != router.MaxPoolSize {
			t.Error(len(got))
		}
	})
}

func TestPoolStopsItsRoutees(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		pid := s.Root.Spawn(router.NewRoundRobinPool(1, teller()))
		a := group(t, s, "a")[0]
		s.Root.Send(pid, &router.AddRoutee{PID: a})
		probe := actortest.NewProbe(t, s)
		probe.Watch(s.NewLocalPID(pid.Id + "/1"))
		if err := s.Root.StopFuture(pid).Wait(); err != nil {
			t.Fatal(err)
		}
		probe.ExpectTerminated(s.NewLocalPID(pid.Id + "/1"))
		if ask(t, s, a, "lives") != "a:lives" {
			t.Error("a routee of somebody else was stopped")
		}
	})
}

// What a pool was sent before Drain is handled, and then it is gone.
func TestDrain(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := actortest.Subscribe[*actor.DeadLetterEvent](t, s)
		gate := make(chan struct{})
		slow := actor.PropsFromFunc(func(ctx actor.Context) {
			if n, ok := ctx.Message().(int); ok {
				<-gate
				ctx.Respond(n)
			}
		})
		pid, other := s.Root.Spawn(router.NewRoundRobinPool(2, slow)), group(t, s, "a")[0]
		probe, watcher := actortest.NewProbe(t, s), actortest.NewProbe(t, s)
		watcher.Watch(pid)
		for n := range 6 {
			probe.Request(pid, n)
		}
		s.Root.Send(pid, &router.AddRoutee{PID: other})
		s.Root.Send(pid, &router.Drain{})
		s.Root.Send(pid, &router.AdjustPoolSize{Change: 5})
		s.Root.Send(pid, "late")
		if e := actortest.Expect[*actor.DeadLetterEvent](dead); e.Message != "late" || e.Reason != router.ReasonDraining {
			t.Error(e)
		}
		close(gate)
		probe.ExpectMessages(0, 1, 2, 3, 4, 5)
		watcher.ExpectTerminated(pid)
		dead.ExpectNone(0)
		if ask(t, s, other, "lives") != "a:lives" {
			t.Error("a routee of somebody else was stopped")
		}
		g := s.Root.Spawn(router.NewRoundRobinGroup(other))
		watcher.Watch(g)
		s.Root.Send(g, &router.Drain{})
		watcher.ExpectTerminated(g)
	})
}

type acknowledged struct{}

func (acknowledged) GetAutoResponse(ctx actor.Context) any { return ctx.Self().Id }

// A message that is answered when it is handled is answered by the routee.
func TestRouterDoesNotAnswerForItsRoutees(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		pid := s.Root.Spawn(router.NewRoundRobinPool(1, actor.PropsFromFunc(func(actor.Context) {})))
		probe := actortest.NewProbe(t, s)
		probe.Request(pid, acknowledged{})
		probe.ExpectMessage(pid.Id + "/1")
		probe.ExpectNone(time.Second)
	})
}

func TestControlMessagesThatAreNil(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := actortest.Subscribe[*actor.DeadLetterEvent](t, s)
		pid := s.Root.Spawn(router.NewRoundRobinPool(2, teller()))
		for _, m := range []any{(*router.AddRoutee)(nil), (*router.RemoveRoutee)(nil), (*router.AdjustPoolSize)(nil),
			(*router.GetRoutees)(nil), (*router.BroadcastMessage)(nil), (*router.Drain)(nil), &router.BroadcastMessage{}} {
			s.Root.Send(pid, m)
			if e := actortest.Expect[*actor.DeadLetterEvent](dead); e.Reason != actor.DeadLetterNilMessage {
				t.Errorf("%T: %s", m, e.Reason)
			}
		}
		s.Root.Send(pid, (*actor.Terminated)(nil))
		if got := routees(t, s, pid); len(got) != 2 {
			t.Error(got)
		}
	})
}

// A routee is one, by whatever address of this process it is given.
func TestRouteeByTwoAddresses(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		early := group(t, s, "a")[0]
		s.ProcessRegistry.SetAddress("10.0.0.1:8090")
		pid := s.Root.Spawn(router.NewRoundRobinGroup(early, actor.NewPID("10.0.0.1:8090", "a"), actor.NewPID("", "a")))
		if got := routees(t, s, pid); len(got) != 1 {
			t.Error(got)
		}
		s.Root.Stop(early)
		synctest.Wait()
		if got := routees(t, s, pid); len(got) != 0 {
			t.Error(got)
		}
	})
}

func TestRoutersThatCannotBe(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		for name, props := range map[string]*actor.Props{
			"negative":          router.NewRoundRobinPool(-1, teller()),
			"too large":         router.NewRandomPool(router.MaxPoolSize+1, teller()),
			"no routee props":   router.NewBroadcastPool(1, nil),
			"bad routee props":  router.NewConsistentHashPool(1, actor.PropsFromFunc(func(actor.Context) {}, actor.WithStashCapacity(-1))),
			"bad router option": router.NewRoundRobinPool(1, teller(), actor.WithStashCapacity(-1)),
			"a nil routee":      router.NewRoundRobinGroup(s.NewLocalPID("x"), nil),
		} {
			if _, err := s.Root.SpawnNamed(props, "x"); !errors.Is(err, actor.ErrInvalidProps) {
				t.Errorf("%s: %v", name, err)
			}
		}
		failing := s.Root.Spawn(router.NewRoundRobinPool(2, actor.PropsFromProducer(func() actor.Actor { return nil })))
		if got := routees(t, s, failing); len(got) != 0 {
			t.Error(got)
		}
	})
}

// A routee sees the message as if it had been sent to it.
func TestRouteeSeesSenderAndHeader(t *testing.T) {
	in(t, func(t *testing.T, s *actor.ActorSystem) {
		probe, asker := actortest.NewProbe(t, s), actortest.NewProbe(t, s)
		pid := s.Root.Spawn(router.NewRoundRobinGroup(probe.PID()))
		for _, m := range []any{"x", &router.BroadcastMessage{Message: "x"},
			&router.BroadcastMessage{Message: &actor.MessageEnvelope{Message: "x"}}} {
			asker.Request(pid, &actor.MessageEnvelope{Message: m, Header: actor.MessageHeader{"k": "v"}})
			probe.ExpectMessage("x")
			if !probe.Sender().Equal(asker.PID()) || probe.Header().Get("k") != "v" {
				t.Error(probe.Sender(), probe.Header())
			}
		}
	})
}
