package router_test

import (
	"log/slog"
	"testing"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/router"
)

func BenchmarkRoute(b *testing.B) {
	for name, pool := range map[string]func(int, *actor.Props, ...actor.PropsOption) *actor.Props{
		"roundrobin": router.NewRoundRobinPool, "random": router.NewRandomPool, "hash": router.NewConsistentHashPool,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			s := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
			defer s.Shutdown()
			handled := make(chan struct{}, 1024)
			pid := s.Root.Spawn(pool(16, actor.PropsFromFunc(func(ctx actor.Context) {
				if _, ok := ctx.Message().(keyed); ok {
					handled <- struct{}{}
				}
			})))
			var message any = keyed("a key")
			go func() {
				for range b.N {
					s.Root.Send(pid, message)
				}
			}()
			for range b.N {
				<-handled
			}
		})
	}
}
