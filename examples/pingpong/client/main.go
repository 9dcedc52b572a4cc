package main

import (
	"context"
	"errors"
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
	port := flag.Int("port", 0, "where answers arrive; 0 is any free port")
	membershipPort := flag.Int("membership-port", 6330, "where members are heard of")
	members := flag.String("members", "127.0.0.1:6331,127.0.0.1:6332,127.0.0.1:6333",
		"the members that may exist, as a `list` of host:membership-port")
	grain := flag.String("grain", "ponger-1", "the `identity` of the grain to ping")
	every := flag.Duration("every", time.Second, "the time between two pings")
	pings := flag.Uint64("pings", 0, "how many pings to send; 0 is no limit")
	flag.Parse()
	if *every <= 0 {
		fmt.Fprintln(os.Stderr, "client: -every must be more than zero")
		os.Exit(2)
	}

	provider := automanaged.NewWithConfig(time.Second, *membershipPort, strings.Split(*members, ",")...)
	c := cluster.New(actor.NewActorSystem(),
		cluster.Configure("pingpong", provider, remote.Configure(*host, *port)))

	if err := run(c, *grain, *every, *pings); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

// run is a client from start to end.
func run(c *cluster.Cluster, grain string, every time.Duration, pings uint64) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.StartClientContext(ctx); err != nil {
		return err
	}
	err := ping(ctx, messages.GetPongerGrainClient(c, grain), every, pings)
	return errors.Join(err, c.Shutdown(true))
}

// ping calls the grain until the context is done or all pings are sent. A ping
// that fails is told, and the next one sent all the same.
func ping(ctx context.Context, ponger *messages.PongerGrainClient, every time.Duration, pings uint64) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var failed uint64
	for count := uint64(1); pings == 0 || count <= pings; count++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		reply, err := ponger.PingContext(ctx, &messages.PingRequest{Count: count}, cluster.WithTimeout(5*time.Second))
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			failed++
			fmt.Printf("ping %d: %v\n", count, err)
		default:
			fmt.Printf("pong %d: the grain on %s has answered %d\n", reply.GetCount(), reply.GetMember(), reply.GetAnswered())
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d pings failed", failed, pings)
	}
	return nil
}
