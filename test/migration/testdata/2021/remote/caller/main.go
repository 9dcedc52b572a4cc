package main

import (
	"fmt"
	"os"
	"time"

	"github.com/AsynkronIT/protoactor-go/actor"
	"github.com/AsynkronIT/protoactor-go/remote"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func main() {
	system := actor.NewActorSystem()
	remoter := remote.NewRemote(system, remote.Configure("127.0.0.1", 0))
	remoter.Start()
	defer remoter.Shutdown(true)

	response, err := remoter.SpawnNamed(os.Args[1], "library", "lender", 5*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	library := response.Pid
	for range 2 {
		got, err := system.Root.RequestFuture(library, wrapperspb.String("Emma"), 5*time.Second).Result()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("lent:", got.(*wrapperspb.BoolValue).Value)
	}
}
