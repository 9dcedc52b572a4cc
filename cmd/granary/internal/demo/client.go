package demo

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cmd/granary/internal/demopb"
	"github.com/granary-go/granary/dashboard"
	"github.com/granary-go/granary/internal/placement"
	"github.com/granary-go/granary/remote"
)

const (
	// callWithin bounds a call in all its tries.
	callWithin = 10 * time.Second
	// callRetries is how often a call may run again when nobody knows whether
	// it ran. A counter may count too much, and never too little.
	callRetries = 10
	// leaveWithin bounds the client's own shutdown.
	leaveWithin = 3 * time.Second
)

// client is the part of this process in the cluster.
type client struct {
	cluster *cluster.Cluster
	board   *dashboard.Dashboard
	changed chan struct{} // a view came; holds at most one
}

// connect starts a client that looks for members at the given hosts. Its dashboard shows calls
// as measured tells.
func connect(ctx context.Context, o Options, hosts []string, log io.Writer, measured func() dashboard.Calls) (*client, error) {
	handler := slog.DiscardHandler
	if log != nil {
		handler = slog.NewTextHandler(log, nil)
	}
	system := actor.NewActorSystem(actor.WithLogger(slog.New(handler).With("process", "client")))
	board, served := dashboard.Serve(dashboard.WithCalls(measured))
	c := &client{board: board, changed: make(chan struct{}, 1), cluster: cluster.New(system, cluster.Configure(clusterName,
		automanaged.NewWithConfig(o.Ping, 0, hosts...), remote.Configure(loopback, 0),
		cluster.WithRequestTimeout(callWithin), cluster.WithShutdownTimeout(leaveWithin), served))}
	actor.SubscribeTo(system.EventStream, func(*cluster.ClusterTopology) {
		select {
		case c.changed <- struct{}{}:
		default:
		}
	})
	return c, c.cluster.StartClientContext(ctx)
}

func (c *client) close() error {
	c.board.Close()
	return c.cluster.Shutdown(true)
}

// call is a caller.
func (c *client) call(ctx context.Context, name string) (reply, error) {
	r, err := demopb.GetCounterGrainClient(c.cluster, name).AddContext(ctx, &demopb.AddRequest{},
		cluster.WithRetry(callRetries), cluster.WithTimeout(callWithin))
	return reply{member: int(r.GetMember()), activation: r.GetActivation(), count: r.GetCount()}, err
}

// awaitView waits for a view that meets a condition. One goroutine waits at a
// time.
func (c *client) awaitView(ctx context.Context, met func(driver.View) bool) error {
	for !met(c.cluster.View()) {
		select {
		case <-c.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// holds is met by views with a member of this address, or without.
func holds(address string, in bool) func(driver.View) bool {
	return func(v driver.View) bool {
		for _, m := range v.Members {
			if m.Address == address {
				return in
			}
		}
		return !in
	}
}

// ownedAt counts the grains whose identity a member owns, as its address says.
func ownedAt(view driver.View, address string, names []string) int {
	table := placement.NewTable(view)
	n := 0
	for _, name := range names {
		slot := placement.SlotOf(driver.Identity{Kind: counterKind, Name: name})
		if owner, ok := table.Owner(slot); ok && owner.Address == address {
			n++
		}
	}
	return n
}
