package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/examples/pingpong/messages"
	"github.com/granary-go/granary/remote"
)

func main() {
	host := flag.String("host", "127.0.0.1", "the `address` to listen on")
	port := flag.Int("port", 8090, "where actors are reached")
	membershipPort := flag.Int("membership-port", 6331, "where the members ping each other")
	members := flag.String("members", "127.0.0.1:6331,127.0.0.1:6332,127.0.0.1:6333",
		"the members that may exist, as a `list` of host:membership-port")
	idle := flag.Duration("idle", 10*time.Second, "how long a grain stays without a ping")
	flag.Parse()

	provider := automanaged.NewWithConfig(time.Second, *membershipPort, strings.Split(*members, ",")...)
	kind := messages.NewPongerKind(newPonger, cluster.WithPassivation(*idle))
	c := cluster.New(actor.NewActorSystem(),
		cluster.Configure("pingpong", provider, remote.Configure(*host, *port), kind))

	if err := run(c); err != nil {
		fmt.Fprintln(os.Stderr, "member:", err)
		os.Exit(1)
	}
}

// run is a member from start to end.
func run(c *cluster.Cluster) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.StartContext(ctx); err != nil {
		return err
	}
	fmt.Printf("the member on %s is ready\n", c.ActorSystem().Address())
	<-ctx.Done()
	stop() // a second Ctrl-C does not wait for the grains
	return c.Shutdown(true)
}
