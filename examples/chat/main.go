package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/remote"
)

func main() {
	address := flag.String("web", "127.0.0.1:8081", "the `address` of the web page")
	port := flag.Int("membership-port", 6351, "where the members ping each other")
	members := flag.String("members", "127.0.0.1:6351,127.0.0.1:6352", "the members that may exist, as a `list` of host:membership-port")
	flag.Parse()
	slog.SetLogLoggerLevel(slog.LevelWarn) // the program speaks for itself

	provider := automanaged.NewWithConfig(time.Second, *port, strings.Split(*members, ",")...)
	c := cluster.New(actor.NewActorSystem(), cluster.Configure("chat", provider, remote.Configure("127.0.0.1", 0),
		NewRoomKind(newRoom, cluster.WithPassivation(time.Minute))))
	if err := run(c, *address); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

// run is a member with its page, from start to end.
func run(c *cluster.Cluster, address string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.StartContext(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Shutdown(true)) }()

	closing, closeAll := context.WithCancel(context.Background())
	defer closeAll()
	server := &http.Server{Handler: web{cluster: c, closing: closing}.handler(), ReadHeaderTimeout: 5 * time.Second}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Printf("the page is at http://%s\n", listener.Addr())

	select {
	case <-ctx.Done():
	case err := <-served: // it does not end by itself
		return err
	}
	stop() // a second Ctrl-C does not wait
	closeAll()
	patience, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = server.Shutdown(patience)
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}
