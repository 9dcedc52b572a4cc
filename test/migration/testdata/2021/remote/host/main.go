package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"

	"github.com/AsynkronIT/protoactor-go/actor"
	"github.com/AsynkronIT/protoactor-go/remote"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type lender struct{ lent map[string]bool }

func (l *lender) Receive(context actor.Context) {
	if title, ok := context.Message().(*wrapperspb.StringValue); ok {
		context.Respond(wrapperspb.Bool(!l.lent[title.Value]))
		l.lent[title.Value] = true
	}
}

func main() {
	port, _ := strconv.Atoi(os.Args[1])
	system := actor.NewActorSystem()
	props := actor.PropsFromProducer(func() actor.Actor { return &lender{lent: map[string]bool{}} })
	remoter := remote.NewRemote(system, remote.Configure("127.0.0.1", port))
	remoter.Register("lender", props)
	remoter.Start()
	fmt.Println("listening")

	finish := make(chan os.Signal, 1)
	signal.Notify(finish, os.Interrupt)
	<-finish
	remoter.Shutdown(true)
}
