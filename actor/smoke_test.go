package actor_test

import (
	"context"
	"testing"

	"github.com/granary-go/granary/actor"
)

func TestSmoke(t *testing.T) {
	s := actor.NewActorSystem()
	pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case string:
			if m == "boom" {
				panic(m)
			}
			ctx.Respond("hello " + m)
		}
	}))
	s.Root.Send(pid, "boom")
	r, err := actor.Ask[string](context.Background(), s.Root, pid, "x")
	if err != nil || r != "hello x" {
		t.Fatal(r, err)
	}
	s.Shutdown()
	if _, err := actor.Ask[string](context.Background(), s.Root, pid, "x"); err == nil {
		t.Fatal("no error")
	}
}
