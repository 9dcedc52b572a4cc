package main

import (
	"log"
	"os"
	"os/signal"
	"strconv"
	"time"

	"example.com/queue/shared"
	"github.com/AsynkronIT/protoactor-go/actor"
	"github.com/AsynkronIT/protoactor-go/cluster"
	"github.com/AsynkronIT/protoactor-go/cluster/automanaged"
	"github.com/AsynkronIT/protoactor-go/remote"
)

type queue struct {
	cluster.Grain
	tickets []int64
}

func (q *queue) Terminate() {
	log.Print("ends: ", q.ID())
}

func (q *queue) ReceiveDefault(actor.Context) {}

func (q *queue) Join(ticket *shared.Ticket, _ cluster.GrainContext) (*shared.Place, error) {
	q.tickets = append(q.tickets, ticket.Value)
	return &shared.Place{Value: int64(len(q.tickets))}, nil
}

func main() {
	port, _ := strconv.Atoi(os.Args[1])
	membership, _ := strconv.Atoi(os.Args[2])
	system := actor.NewActorSystem()
	shared.QueueFactory(func() shared.Queue { return &queue{} })
	kind := cluster.NewKind("Queue", actor.PropsFromProducer(func() actor.Actor {
		return &shared.QueueActor{Timeout: 2 * time.Second}
	}))
	provider := automanaged.NewWithConfig(200*time.Millisecond, membership, "127.0.0.1:"+os.Args[2])
	c := cluster.New(system, cluster.Configure("queues", provider, remote.Configure("127.0.0.1", port), kind))
	c.StartMember()
	log.Print("member started")

	finish := make(chan os.Signal, 1)
	signal.Notify(finish, os.Interrupt)
	<-finish
	c.Shutdown(true)
}
