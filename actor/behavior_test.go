package actor_test

import (
	"testing"

	"github.com/granary-go/granary/actor"
)

// door is open, closed or locked.
type door struct {
	behavior actor.Behavior
	r        *recorder
}

func (d *door) Receive(ctx actor.Context) { d.behavior.Receive(ctx) }

func (d *door) closed(ctx actor.Context) {
	switch ctx.Message() {
	case "open":
		d.behavior.Become(d.open)
	case "lock":
		d.behavior.BecomeStacked(d.locked)
	default:
		d.r.add("closed: " + describe(ctx.Message()))
	}
}

func (d *door) locked(ctx actor.Context) {
	if ctx.Message() == "unlock" {
		d.behavior.UnbecomeStacked()
		return
	}
	d.r.add("locked: " + describe(ctx.Message()))
}

func (d *door) open(ctx actor.Context) { d.r.add("open: " + describe(ctx.Message())) }

func TestBehavior(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
			d := &door{behavior: actor.NewBehavior(), r: r}
			d.behavior.Become(d.closed)
			return d
		}))
		for _, m := range []string{"push", "lock", "open", "lock", "unlock", "push", "open", "push"} {
			s.Root.Send(pid, m)
		}
		r.want(t, "closed: Started", "closed: push", "locked: open", "locked: lock", "closed: push", "open: push")
	})
}

func TestBehaviorWithoutAny(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		dead := deadLetters(s)
		pid := s.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
			d := &door{}
			d.behavior.UnbecomeStacked() // nothing to go back to
			return d
		}))
		f := s.Root.RequestFuture(pid, "push", 0)
		dead.want(t, "dead letter push: no behavior")
		if err := f.Wait(); err == nil {
			t.Error("answered")
		}
		nothing := s.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
			d := &door{}
			d.behavior.Become(nil)
			return d
		}))
		s.Root.Send(nothing, "push")
		dead.want(t, "dead letter push: no behavior")
	})
}

func TestUnbecomeStackedKeepsTheLast(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		pid := s.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
			d := &door{r: r}
			d.behavior.Become(d.open)
			d.behavior.UnbecomeStacked()
			return d
		}))
		s.Root.Send(pid, "push")
		r.want(t, "open: Started", "open: push")
	})
}
