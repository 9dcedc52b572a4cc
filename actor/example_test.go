package actor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// A connection that stashes what it is asked until it is ready.
type connection struct {
	behavior actor.Behavior
}

func (c *connection) Receive(ctx actor.Context) { c.behavior.Receive(ctx) }

func (c *connection) connecting(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started:
		ctx.Logger().Debug("connecting")
	case string:
		if err := ctx.Stash(); err != nil {
			ctx.Logger().Warn("refused", "error", err)
		}
	case bool: // connected
		c.behavior.Become(c.connected)
		ctx.UnstashAll()
	}
}

func (c *connection) connected(ctx actor.Context) {
	if query, ok := ctx.Message().(string); ok {
		ctx.Respond("answer to " + query)
	}
}

func ExampleBehavior() {
	system := actor.NewActorSystem()
	defer system.Shutdown()
	pid := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
		c := &connection{}
		c.behavior.Become(c.connecting)
		return c
	}))
	first := system.Root.RequestFuture(pid, "one", time.Second)
	second := system.Root.RequestFuture(pid, "two", time.Second)
	system.Root.Send(pid, true)
	fmt.Println(first.Result())
	fmt.Println(second.Result())
	// Output:
	// answer to one <nil>
	// answer to two <nil>
}

func ExampleContext_reenterAfter() {
	system := actor.NewActorSystem()
	defer system.Shutdown()
	backend := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if n, ok := ctx.Message().(int); ok {
			ctx.Respond(n * n)
		}
	}))
	front := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if n, ok := ctx.Message().(int); ok {
			// The actor handles other messages until the answer is there.
			ctx.ReenterAfter(ctx.RequestFuture(backend, n, time.Second), func(result any, err error) {
				if err != nil {
					ctx.Respond(err)
					return
				}
				ctx.Respond(fmt.Sprint(ctx.Message(), " squared is ", result))
			})
		}
	}))
	fmt.Println(system.Root.RequestFuture(front, 12, time.Second).Result())
	// Output: 12 squared is 144 <nil>
}

func ExampleBounded() {
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	defer system.Shutdown()
	begun, release := make(chan bool), make(chan bool)
	pid := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if s, ok := ctx.Message().(string); ok {
			begun <- true
			<-release
			ctx.Respond(s + " done")
		}
	}, actor.WithMailbox(actor.Bounded(1, actor.OverflowReject))))
	first := system.Root.RequestFuture(pid, "first", time.Second)
	<-begun
	second := system.Root.RequestFuture(pid, "second", time.Second)
	third := system.Root.RequestFuture(pid, "third", time.Second)
	fmt.Println(errors.Is(third.Wait(), actor.ErrDeadLetter)) // told at once
	release <- true
	<-begun
	release <- true
	fmt.Println(first.Result())
	fmt.Println(second.Result())
	// Output:
	// true
	// first done <nil>
	// second done <nil>
}
