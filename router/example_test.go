package router_test

import (
	"context"
	"fmt"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/router"
)

func Example() {
	system := actor.NewActorSystem()
	defer system.Shutdown()

	squarer := actor.PropsFromFunc(func(ctx actor.Context) {
		if n, ok := ctx.Message().(int); ok {
			ctx.Respond(n * n)
		}
	})
	workers := system.Root.Spawn(router.NewRoundRobinPool(4, squarer))
	for n := range 3 {
		fmt.Println(actor.Ask[int](context.Background(), system.Root, workers, n))
	}
	// Output:
	// 0 <nil>
	// 1 <nil>
	// 4 <nil>
}
