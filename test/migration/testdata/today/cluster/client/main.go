package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"example.com/tally/shared"
	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/cluster"
	"github.com/asynkron/protoactor-go/cluster/clusterproviders/automanaged"
	"github.com/asynkron/protoactor-go/cluster/identitylookup/disthash"
	"github.com/asynkron/protoactor-go/remote"
)

func main() {
	membership, _ := strconv.Atoi(os.Args[1])
	system := actor.NewActorSystem()
	provider := automanaged.NewWithConfig(200*time.Millisecond, membership, "127.0.0.1:"+os.Args[2])
	c := cluster.New(system, cluster.Configure("tallies", provider, disthash.New(), remote.Configure("127.0.0.1", 0)))
	c.StartClient()
	defer c.Shutdown(true)

	client := shared.GetTallyGrainClient(cluster.GetCluster(system), "apples")
	for _, value := range []int64{1, 2} {
		total, err := client.Add(&shared.Amount{Value: value}, cluster.WithRetryCount(20), cluster.WithTimeout(20*time.Second))
		if err != nil {
			fmt.Println("error:", err)
			return
		}
		fmt.Println("total:", total.Value)
	}
	if _, err := client.Check(&shared.Amount{Value: 5}); err != nil {
		fmt.Println("refused:", err)
	}
}
