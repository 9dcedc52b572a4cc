package main

import (
	"log"
	"os"
	"strconv"
	"time"

	"example.com/queue/shared"
	"github.com/AsynkronIT/protoactor-go/actor"
	"github.com/AsynkronIT/protoactor-go/cluster"
	"github.com/AsynkronIT/protoactor-go/cluster/automanaged"
	"github.com/AsynkronIT/protoactor-go/remote"
)

func main() {
	membership, _ := strconv.Atoi(os.Args[1])
	provider := automanaged.NewWithConfig(200*time.Millisecond, membership, "127.0.0.1:"+os.Args[2])
	c := cluster.New(actor.NewActorSystem(), cluster.Configure("queues", provider, remote.Configure("127.0.0.1", 0)))
	c.StartClient()
	for ticket := range 3 {
		place, err := shared.GetQueueGrainClient(c, "bakery").
			Join(&shared.Ticket{Value: int64(ticket)}, cluster.NewGrainCallOptions(c).WithRetry(3))
		if err != nil {
			log.Print(err)
			return
		}
		log.Print("place: ", place.Value)
	}
	c.Shutdown(true)
}
