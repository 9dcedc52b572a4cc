package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"
	"github.com/asynkron/protoactor-go/router"
	"github.com/asynkron/protoactor-go/scheduler"
)

type (
	fill  struct{ Cups int }
	pour  struct{}
	tick  struct{}
	spill struct{}
)

// kettle is empty or full, and breaks when it is told to spill.
type kettle struct {
	behavior actor.Behavior
	cups     int
}

func newKettle() actor.Actor {
	k := &kettle{behavior: actor.NewBehavior()}
	k.behavior.Become(k.empty)
	return k
}

func (k *kettle) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started:
		fmt.Println("kettle started")
	case *spill:
		panic(errors.New("spilled"))
	default:
		k.behavior.Receive(ctx)
	}
}

func (k *kettle) empty(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *fill:
		k.cups = msg.Cups
		k.behavior.Become(k.full)
	case *pour:
		ctx.Respond("nothing to pour")
	}
}

func (k *kettle) full(ctx actor.Context) {
	if _, ok := ctx.Message().(*pour); ok {
		k.cups--
		ctx.Respond(fmt.Sprintf("poured, %d left", k.cups))
		if k.cups == 0 {
			k.behavior.Become(k.empty)
		}
	}
}

// kitchen supervises a kettle, and hands everything on to it.
type kitchen struct {
	kettle *actor.PID
	cancel scheduler.CancelFunc
	ticks  int
	done   chan struct{}
}

func (k *kitchen) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Started:
		k.kettle = ctx.Spawn(actor.PropsFromProducer(newKettle))
		ctx.Watch(k.kettle)
		k.cancel = scheduler.NewTimerScheduler(ctx).SendRepeatedly(time.Millisecond, time.Millisecond, ctx.Self(), &tick{})
	case *tick:
		if k.ticks++; k.ticks == 3 {
			k.cancel()
			fmt.Println("three ticks")
			close(k.done)
		}
	case *fill, *pour, *spill:
		ctx.Forward(k.kettle)
	}
}

func counting(next actor.ReceiverFunc) actor.ReceiverFunc {
	return func(c actor.ReceiverContext, env *actor.MessageEnvelope) {
		if _, ok := env.Message.(*fill); ok {
			fmt.Println("a fill passes")
		}
		next(c, env)
	}
}

func ask(system *actor.ActorSystem, pid *actor.PID, message interface{}) {
	var future actor.Future = system.Root.RequestFuture(pid, message, 5*time.Second)
	answer, err := future.Result()
	fmt.Println(answer, err)
}

func main() {
	system := actor.NewActorSystem()
	lost := make(chan string, 10)
	var sub *eventstream.Subscription = system.EventStream.Subscribe(func(evt interface{}) {
		if dead, ok := evt.(*actor.DeadLetterEvent); ok {
			if _, ok := dead.Message.(*fill); ok {
				lost <- "a fill is a dead letter"
			}
		}
	})

	strategy := actor.NewOneForOneStrategy(3, time.Second, func(reason interface{}) actor.Directive {
		fmt.Println("the kettle fails:", reason)
		return actor.RestartDirective
	})
	done := make(chan struct{})
	pid, err := system.Root.SpawnNamed(actor.PropsFromProducer(func() actor.Actor { return &kitchen{done: done} },
		actor.WithSupervisor(strategy), actor.WithReceiverMiddleware(counting)), "kitchen")
	if err != nil {
		fmt.Println(err)
		return
	}
	<-done
	ask(system, pid, &pour{})
	system.Root.Send(pid, &fill{Cups: 2})
	ask(system, pid, &pour{})
	system.Root.Send(pid, &spill{})
	ask(system, pid, &pour{})

	guests := system.Root.Spawn(router.NewRoundRobinPool(3, actor.WithFunc(func(ctx actor.Context) {
		if name, ok := ctx.Message().(string); ok {
			ctx.Respond("welcome " + name)
		}
	})))
	ask(system, guests, "Ada")

	_ = system.Root.PoisonFuture(pid).Wait()
	system.Root.Send(pid, &fill{Cups: 1})
	fmt.Println(<-lost)
	system.EventStream.Unsubscribe(sub)
	system.Shutdown()
}
