package actor_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/granary-go/granary/actor"
)

// account keeps its state in a field: Receive runs for one message at a time.
type account struct{ balance int }

type (
	deposit struct{ amount int }
	balance struct{}
)

func (a *account) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *deposit:
		a.balance += m.amount
	case *balance:
		ctx.Respond(a.balance)
	}
}

func Example() {
	system := actor.NewActorSystem()
	defer system.Shutdown()

	pid := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return &account{} }))
	system.Root.Send(pid, &deposit{amount: 30})
	system.Root.Send(pid, &deposit{amount: 12})

	fmt.Println(actor.Ask[int](context.Background(), system.Root, pid, &balance{}))
	// Output: 42 <nil>
}

func ExampleActorSystem_lifecycle() {
	system := actor.NewActorSystem()
	defer system.Shutdown()

	pid := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started:
			fmt.Println("started")
		case string:
			fmt.Println(m)
		case *actor.Stopping:
			fmt.Println("stopping")
		case *actor.Stopped:
			fmt.Println("stopped")
		}
	}))
	system.Root.Send(pid, "hello")
	_ = system.Root.PoisonFuture(pid).Wait() // handles what was sent before
	// Output:
	// started
	// hello
	// stopping
	// stopped
}

func ExampleContext_watch() {
	system := actor.NewActorSystem()
	defer system.Shutdown()
	seen := make(chan string)

	worker, _ := system.Root.SpawnNamed(actor.PropsFromFunc(func(actor.Context) {}), "worker")
	system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started:
			ctx.Watch(worker)
			ctx.Stop(worker)
		case *actor.Terminated:
			seen <- fmt.Sprint(m.Who.Id, " ", m.Why)
		}
	}))
	fmt.Println(<-seen)
	// Output: worker stopped
}

func ExampleRootContext_RequestFuture() {
	system := actor.NewActorSystem()
	defer system.Shutdown()

	future := system.Root.RequestFuture(system.NewLocalPID("nobody"), "hello", time.Second)
	_, err := future.Result()
	fmt.Println(errors.Is(err, actor.ErrDeadLetter), err)
	// Output: true actor: dead letter: nonhost/nobody: no actor
}

func ExampleSubscribeTo() {
	system := actor.NewActorSystem()
	defer system.Shutdown()

	actor.SubscribeTo(system.EventStream, func(e *actor.DeadLetterEvent) {
		fmt.Println(e.Message, "did not reach", e.PID.Id+":", e.Reason)
	})
	// A request, so that nothing is logged: its sender gets the answer.
	_ = system.Root.RequestFuture(system.NewLocalPID("nobody"), "hello", 0).Wait()
	// Output: hello did not reach nobody: no actor
}

func ExampleWithReceiverMiddleware() {
	system := actor.NewActorSystem()
	defer system.Shutdown()

	count := 0
	counting := func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(ctx actor.Context, env *actor.MessageEnvelope) {
			count++
			next(ctx, env)
		}
	}
	pid := system.Root.Spawn(actor.PropsFromFunc(func(actor.Context) {}, actor.WithReceiverMiddleware(counting)))
	system.Root.Send(pid, "one")
	_ = system.Root.PoisonFuture(pid).Wait()
	fmt.Println(count, "messages: Started, one, Stopping, Stopped")
	// Output: 4 messages: Started, one, Stopping, Stopped
}
