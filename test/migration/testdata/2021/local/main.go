package main

import (
	"fmt"
	"time"

	"github.com/AsynkronIT/protoactor-go/actor"
	"github.com/AsynkronIT/protoactor-go/router"
)

type (
	ring   struct{ Times int }
	rested struct{}
)

type bell struct{ rung int }

func (b *bell) Receive(context actor.Context) {
	switch msg := context.Message().(type) {
	case *actor.Started:
		fmt.Println("bell started")
	case *actor.Restarting:
		fmt.Println("bell restarts")
	case *ring:
		if msg.Times < 0 {
			panic("cannot ring backwards")
		}
		b.rung += msg.Times
		context.Respond(fmt.Sprintf("rung %d times", b.rung))
		context.SetReceiveTimeout(20 * time.Millisecond)
	case *actor.ReceiveTimeout:
		context.CancelReceiveTimeout()
		context.Send(context.Parent(), &rested{})
	}
}

func newBell() actor.Actor { return &bell{} }

type tower struct {
	bell *actor.PID
	rest chan string
}

func (t *tower) Receive(context actor.Context) {
	switch context.Message().(type) {
	case *actor.Started:
		t.bell = context.Spawn(actor.PropsFromProducer(newBell))
	case *ring:
		context.Forward(t.bell)
	case *rested:
		t.rest <- "the bell rests"
	}
}

func decide(reason interface{}) actor.Directive {
	fmt.Println("the bell fails:", reason)
	return actor.RestartDirective
}

func main() {
	system := actor.NewActorSystem()
	rootContext := system.Root
	rest := make(chan string, 10)
	newTower := func() actor.Actor { return &tower{rest: rest} }
	props := actor.PropsFromProducer(newTower).WithSupervisor(actor.NewOneForOneStrategy(10, time.Second, decide))
	pid := rootContext.Spawn(props)

	for _, times := range []int{2, 3} {
		answer, err := rootContext.RequestFuture(pid, &ring{Times: times}, 5*time.Second).Result()
		fmt.Println(answer, err)
	}
	fmt.Println(<-rest)
	rootContext.Send(pid, &ring{Times: -1})
	answer, err := rootContext.RequestFuture(pid, &ring{Times: 1}, 5*time.Second).Result()
	fmt.Println(answer, err)

	echo := func(context actor.Context) {
		if word, ok := context.Message().(string); ok {
			context.Respond("echo of " + word)
		}
	}
	pool := rootContext.Spawn(router.NewRoundRobinPool(2).WithFunc(echo))
	answer, err = rootContext.RequestFuture(pool, "ding", 5*time.Second).Result()
	fmt.Println(answer, err)

	_ = rootContext.StopFuture(pid).Wait()
	fmt.Println("stopped")
}
