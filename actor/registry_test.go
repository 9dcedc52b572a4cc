package actor_test

import (
	"testing"

	"github.com/granary-go/granary/actor"
)

func TestRegistryProcesses(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r, p := s.ProcessRegistry, &fakeProcess{}
		pid, ok := r.Add(p, "proc")
		if !ok || pid.Id != "proc" {
			t.Fatal(pid, ok)
		}
		if again, ok := r.Add(&fakeProcess{}, "proc"); ok || !again.Equal(pid) {
			t.Fatal(again, ok)
		}
		s.Root.Send(pid, "m")
		s.Root.Stop(pid)
		p.want(t, "nonhost/proc m", "nonhost/proc *actor.Stop")
		if got, ok := r.GetLocal("proc"); !ok || got != actor.Process(p) {
			t.Fatal(got, ok)
		}

		r.Remove(pid)
		r.Remove(pid)
		r.Remove(nil)
		r.Remove(actor.NewPID("elsewhere:1", "proc"))
		dead := deadLetters(s)
		s.Root.Send(pid, "m") // the PID had cached the process
		p.want(t)
		dead.want(t, "dead letter m: no actor")
		for _, pid := range []*actor.PID{pid, nil, {}, actor.NewPID("elsewhere:1", "x")} {
			if got, ok := r.Get(pid); ok || got == nil {
				t.Errorf("Get(%v): %v, %v", pid, got, ok)
			}
		}
	})
}

// A process that was removed from under its id must not take the next one along.
func TestRegistryIdThatChangedHands(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		f, p := actor.NewFuture(s, 0), &fakeProcess{}
		s.ProcessRegistry.Remove(f.PID())
		pid, ok := s.ProcessRegistry.Add(p, f.PID().Id)
		if !ok {
			t.Fatal("the id is not free")
		}
		f.Cancel()
		s.Root.Send(f.PID(), "m")
		p.want(t, pid.String()+" m")
	})
}

func TestRegistryAddressResolver(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		a, b := &fakeProcess{}, &fakeProcess{}
		only := func(address string, p actor.Process) func(*actor.PID) (actor.Process, bool) {
			return func(pid *actor.PID) (actor.Process, bool) { return p, pid.Address == address }
		}
		s.ProcessRegistry.RegisterAddressResolver(only("a:1", a))
		s.ProcessRegistry.RegisterAddressResolver(only("b:1", b))
		dead := deadLetters(s)
		s.Root.Send(actor.NewPID("a:1", "x"), "m")
		s.Root.Send(actor.NewPID("b:1", "x"), "m")
		s.Root.Send(actor.NewPID("c:1", "x"), "m")
		a.want(t, "a:1/x m")
		b.want(t, "b:1/x m")
		dead.want(t, "dead letter m: no transport")
	})
}

// A PID from before the transport started is still this system's.
func TestRegistrySetAddress(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		before, _ := s.Root.SpawnNamed(recording(r), "a")
		s.ProcessRegistry.SetAddress("host:1")
		if s.Address() != "host:1" || s.NewLocalPID("x").Address != "host:1" {
			t.Fatal(s.Address())
		}
		s.Root.Send(before, "old")
		s.Root.Send(actor.NewPID("nonhost", "a"), "old, not cached")
		s.Root.Send(actor.NewPID("host:1", "a"), "new")
		r.want(t, "Started", "old", "old, not cached", "new")
	})
}

// Two systems in one process must not reach into each other through what a PID
// remembers.
func TestPIDOfAnotherSystem(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid, _ := s.Root.SpawnNamed(recording(r), "a")
		other := actor.NewActorSystem(actor.WithLogger(discard))
		defer other.Shutdown()
		dead := deadLetters(other)
		s.Root.Send(pid, "mine")
		other.Root.Send(pid, "other's")
		s.Root.Send(pid, "mine again")
		r.want(t, "Started", "mine", "mine again")
		dead.want(t, "dead letter other's: no actor")
	})
}

func TestPIDString(t *testing.T) {
	var none *actor.PID
	if got := none.String(); got != "<nil>" {
		t.Error(got)
	}
	if got := none.LogValue().String(); got != "<nil>" {
		t.Error(got)
	}
	pid := actor.NewPID("host:1", "parent/child")
	if got := pid.String(); got != "host:1/parent/child" {
		t.Error(got)
	}
	for _, tt := range []struct {
		a, b *actor.PID
		want bool
	}{
		{pid, actor.NewPID("host:1", "parent/child"), true},
		{pid, actor.NewPID("host:2", "parent/child"), false},
		{pid, actor.NewPID("host:1", "parent"), false},
		{pid, nil, false}, {nil, pid, false}, {nil, nil, true},
	} {
		if got := tt.a.Equal(tt.b); got != tt.want {
			t.Errorf("%v equal %v: %v", tt.a, tt.b, got)
		}
	}
}

func TestExtensions(t *testing.T) {
	type key struct{}
	s := actor.NewActorSystem(actor.WithLogger(discard))
	if got := s.Extension(key{}); got != nil {
		t.Fatal(got)
	}
	s.SetExtension(key{}, 1)
	s.SetExtension("key", 2)
	if got := s.Extension(key{}); got != 1 {
		t.Fatal(got)
	}
	s.SetExtension(key{}, nil)
	if got := s.Extension(key{}); got != nil {
		t.Fatal(got)
	}
}
