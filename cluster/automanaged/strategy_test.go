package automanaged_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/remote"
)

// A member that places a kind otherwise than the others is told so by Start.
func TestStartRefusesAnotherStrategy(t *testing.T) {
	open, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pings := open.Addr().(*net.TCPAddr)
	start := func(p *automanaged.Provider, within time.Duration, opts ...cluster.KindOption) (*cluster.Cluster, error) {
		kind := cluster.NewKind("K", actor.PropsFromFunc(func(actor.Context) {}), opts...)
		c := cluster.New(actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler))),
			cluster.Configure("test", p, remote.Configure("127.0.0.1", 0), kind, cluster.WithStartTimeout(within)))
		return c, c.Start()
	}
	first, err := start(automanaged.NewWithConfig(time.Second, pings.Port).WithListener(
		func(context.Context, string) (net.Listener, error) { return open, nil }), 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Shutdown(false) }()
	_, err = start(automanaged.NewWithConfig(time.Second, 0, pings.String()), 4*time.Second, cluster.WithStrategy(cluster.LocalAffinity()))
	want := `kind "K" is placed by the strategy "local-affinity" here and round robin on member`
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "give it the same strategy on all members") {
		t.Errorf("Start: %v; want an error that says %q", err, want)
	}
	second, err := start(automanaged.NewWithConfig(time.Second, 0, pings.String()), 30*time.Second, cluster.WithStrategy(cluster.RoundRobin()))
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Shutdown(false); err != nil {
		t.Error(err)
	}
}
