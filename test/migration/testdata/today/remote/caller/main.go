package main

import (
	"fmt"
	"os"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func main() {
	host := os.Args[1]
	system := actor.NewActorSystem()
	remoter := remote.NewRemote(system, remote.Configure("127.0.0.1", 0))
	remoter.Start()
	defer remoter.Shutdown(true)

	spawned, err := remoter.SpawnNamed(host, "door", "greeter", 5*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"Ada", "Grace"} {
		answer, err := system.Root.RequestFuture(spawned.Pid, wrapperspb.String(name), 5*time.Second).Result()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(answer.(*wrapperspb.StringValue).Value)
	}

	gone := make(chan struct{})
	watcher := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch msg := ctx.Message().(type) {
		case *actor.Started:
			ctx.Watch(spawned.Pid)
			ctx.Request(spawned.Pid, wrapperspb.String("Mary"))
		case *wrapperspb.StringValue:
			ctx.Stop(actor.NewPID(host, "door"))
		case *actor.Terminated:
			fmt.Println("gone:", msg.Why == actor.TerminatedReason_Stopped)
			close(gone)
		}
	}))
	<-gone
	_ = system.Root.StopFuture(watcher).Wait()
}
