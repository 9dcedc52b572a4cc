package k8s_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/health"
	"github.com/granary-go/granary/cluster/k8s"
	"github.com/granary-go/granary/remote"
)

// A member as the manifests start it: in the view when it is ready, out of it when it has ended.
func Example() { //nolint:testableexamples // it runs in a pod alone
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	c := cluster.New(actor.NewActorSystem(),
		cluster.Configure("shop", k8s.New(), remote.Configure(os.Getenv("POD_IP"), 8090) /* , kinds… */))

	http.Handle("GET /ready", health.Handler(c))
	http.Handle("GET /live", health.Handler(c))
	server := &http.Server{Addr: ":8080", ReadHeaderTimeout: time.Second}
	go func() { _ = server.ListenAndServe() }() // ends with Shutdown

	err := c.StartContext(ctx)
	if err == nil {
		<-ctx.Done() // the kubelet's SIGTERM
		err = c.Shutdown(true)
	}
	if err = errors.Join(err, server.Close()); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
	}
}
