package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/examples/upgrade/v2/catalog"
	"github.com/granary-go/granary/remote"
)

func main() {
	port := flag.Int("membership-port", 6363, "where the members ping each other")
	members := flag.String("members", "127.0.0.1:6361,127.0.0.1:6362,127.0.0.1:6363,127.0.0.1:6364",
		"the members that may exist, as a `list` of host:membership-port")
	flag.Parse()
	slog.SetLogLoggerLevel(slog.LevelWarn) // the program speaks for itself

	provider := automanaged.NewWithConfig(time.Second, *port, strings.Split(*members, ",")...)
	kind := catalog.NewArticleKind(func() catalog.Article { return new(article) })
	c := cluster.New(actor.NewActorSystem(), cluster.Configure("catalog", provider, remote.Configure("127.0.0.1", 0), kind))
	if err := run(c); err != nil {
		fmt.Fprintln(os.Stderr, "v2:", err)
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
	fmt.Println("a member of version 2 is ready")
	<-ctx.Done()
	stop() // a second Ctrl-C does not wait for the grains
	return c.Shutdown(true)
}
