package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/admin"
	"github.com/granary-go/granary/cluster/health"
	"github.com/granary-go/granary/cluster/k8s"
	"github.com/granary-go/granary/remote"
)

// port is where other members, and the tool granary, reach this one; probes is where the kubelet asks.
const (
	port   = 8090
	probes = ":8080"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "member:", err)
		os.Exit(1)
	}
}

// run is the member's life: in the view when it is ready, out of it when it has ended.
func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	host := os.Getenv("POD_IP")
	if host == "" {
		return errors.New("the environment has no POD_IP; this program runs in a pod, as the manifests in cluster/k8s/manifests start it")
	}
	counters := cluster.NewKind("Counter", actor.PropsFromProducer(func() actor.Actor { return &counter{} }))
	c := cluster.New(actor.NewActorSystem(),
		cluster.Configure("shop", k8s.New(), remote.Configure(host, port), counters, admin.Serve()))

	mux := http.NewServeMux()
	mux.Handle("GET /ready", health.Handler(c))
	mux.Handle("GET /live", health.Handler(c))
	server := &http.Server{Addr: probes, Handler: mux, ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- server.ListenAndServe() }()

	err := c.StartContext(ctx)
	if err == nil {
		select {
		case <-ctx.Done(): // the kubelet's SIGTERM
		case err = <-served:
			served <- http.ErrServerClosed
		}
		err = errors.Join(err, c.Shutdown(true))
	}
	err = errors.Join(err, server.Close())
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// counter adds what it is sent, and answers with the sum.
type counter struct{ sum int64 }

func (a *counter) Receive(ctx actor.Context) {
	if m, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
		a.sum += m.Value
		ctx.Respond(wrapperspb.Int64(a.sum))
	}
}
