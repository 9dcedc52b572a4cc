package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type greeter struct{ greeted int }

func (g *greeter) Receive(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *wrapperspb.StringValue:
		g.greeted++
		ctx.Respond(wrapperspb.String(fmt.Sprintf("hello %s, you are number %d", msg.Value, g.greeted)))
	case *actor.Stopping:
		fmt.Println("stopping")
	}
}

func main() {
	port, _ := strconv.Atoi(os.Args[1])
	system := actor.NewActorSystem()
	props := actor.PropsFromProducer(func() actor.Actor { return &greeter{} })
	config := remote.Configure("127.0.0.1", port, remote.WithKinds(remote.NewKind("greeter", props)))
	remoter := remote.NewRemote(system, config)
	remoter.Start()
	fmt.Println("listening")

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
	remoter.Shutdown(true)
}
