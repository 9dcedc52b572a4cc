package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"time"

	"example.com/tally/shared"
	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/cluster"
	"github.com/asynkron/protoactor-go/cluster/clusterproviders/automanaged"
	"github.com/asynkron/protoactor-go/cluster/identitylookup/disthash"
	"github.com/asynkron/protoactor-go/remote"
)

type tally struct {
	total int64
}

func (t *tally) Init(ctx cluster.GrainContext) {
	fmt.Println("begins:", ctx.Kind(), ctx.Identity())
	t.total = 100
}

func (t *tally) Terminate(ctx cluster.GrainContext) {
	fmt.Println("ends:", ctx.Identity())
}

func (t *tally) ReceiveDefault(ctx cluster.GrainContext) {}

func (t *tally) Add(req *shared.Amount, ctx cluster.GrainContext) (*shared.Total, error) {
	t.total += req.Value
	return &shared.Total{Value: t.total}, nil
}

func (t *tally) Check(req *shared.Amount, ctx cluster.GrainContext) (*shared.Total, error) {
	if req.Value != t.total {
		return nil, errors.New("the total is " + strconv.FormatInt(t.total, 10))
	}
	return &shared.Total{Value: t.total}, nil
}

func main() {
	port, _ := strconv.Atoi(os.Args[1])
	membership, _ := strconv.Atoi(os.Args[2])
	system := actor.NewActorSystem()
	provider := automanaged.NewWithConfig(200*time.Millisecond, membership, "127.0.0.1:"+os.Args[2])
	lookup := disthash.New()
	remoteConfig := remote.Configure("127.0.0.1", port)
	tallyKind := shared.NewTallyKind(func() shared.Tally {
		return &tally{}
	}, 2*time.Second)
	clusterConfig := cluster.Configure("tallies", provider, lookup, remoteConfig, cluster.WithKinds(tallyKind))
	c := cluster.New(system, clusterConfig)
	c.StartMember()
	fmt.Println("member started at", c.ActorSystem.Address())

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
	c.Shutdown(true)
}
