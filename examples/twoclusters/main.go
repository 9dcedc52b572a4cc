package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
)

func main() {
	port := flag.Int("warehouse-port", 6341, "where members of the warehouse ping each other, and clients hear of them")
	flag.Parse()
	slog.SetLogLoggerLevel(slog.LevelWarn) // the program speaks for itself

	if err := run(*port); err != nil {
		fmt.Fprintln(os.Stderr, "twoclusters:", err)
		os.Exit(1)
	}
}

// run opens both clusters. Each of the three parts has an actor system of its own, with an address of its own: a system has
// one cluster.
func run(port int) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	end := func(c *cluster.Cluster) { err = errors.Join(err, c.Shutdown(true)) }
	here := fmt.Sprintf("127.0.0.1:%d", port)

	warehouse := newCluster("warehouse", automanaged.NewWithConfig(time.Second, port, here), NewStockKind(func() Stock { return new(stock) }))
	if err := warehouse.StartContext(ctx); err != nil {
		return err
	}
	defer end(warehouse)

	client := newCluster("warehouse", automanaged.NewWithConfig(time.Second, 0, here))
	if err := client.StartClientContext(ctx); err != nil {
		return err
	}
	defer end(client)

	shop := newCluster("shop", automanaged.NewWithConfig(time.Second, 0),
		NewCustomerKind(func() Customer { return &customer{warehouse: client} }))
	if err := shop.StartContext(ctx); err != nil {
		return err
	}
	defer end(shop)

	for _, c := range []*cluster.Cluster{warehouse, shop} {
		for _, m := range c.Members() {
			fmt.Printf("%s: %s hosts the kind %s\n", c.Name(), m.Address, m.Kinds[0].Name)
		}
	}
	return sell(ctx, warehouse, shop)
}

// newCluster makes the part of this process in a cluster, which is not started yet.
func newCluster(name string, provider driver.Provider, kinds ...cluster.Option) *cluster.Cluster {
	return cluster.New(actor.NewActorSystem(), cluster.Configure(name, provider, remote.Configure("127.0.0.1", 0), kinds...))
}

// sell brings lamps into the warehouse and sells them in the shop, until there are too few.
func sell(ctx context.Context, warehouse, shop *cluster.Cluster) error {
	pieces, err := GetStockGrainClient(warehouse, "lamp").DeliverContext(ctx, &Pieces{Count: 3})
	if err != nil {
		return err
	}
	fmt.Printf("the warehouse has %d lamps\n", pieces.Count)
	for _, p := range []struct {
		customer string
		count    uint32
	}{{"ada", 2}, {"bob", 2}, {"ada", 1}} {
		receipt, err := GetCustomerGrainClient(shop, p.customer).BuyContext(ctx, &Purchase{Article: "lamp", Count: p.count})
		switch soldOut := new(cluster.GrainError); {
		case err == nil:
			fmt.Printf("%s buys %d, with receipt %d\n", p.customer, p.count, receipt.Number)
		case errors.As(err, &soldOut) && soldOut.Code == CodeSoldOut:
			fmt.Printf("%s buys none: %v\n", p.customer, err)
		default:
			return err
		}
	}
	return nil
}
