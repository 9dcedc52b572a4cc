package tables

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
	"github.com/granary-go/granary/test/fleet"
)

const (
	clusterName = "tables"
	kind        = "Counter"

	roleVariable = "GRANARY_TABLES_ROLE"
	memberWord   = "member " // before the id under which a process has joined, for the first time or again
)

// A role is what a member's process is told.
type role struct {
	Backend  string        `json:"backend"`
	Address  string        `json:"address,omitempty"` // of the provider's service
	Lease    time.Duration `json:"lease"`
	Pod      pod           `json:"pod"`
	PingPort int           `json:"pingPort,omitempty"` // of automanaged
	Hosts    []string      `json:"hosts,omitempty"`
}

func TestMain(m *testing.M) { fleet.Main(m, roleVariable, play) }

// play is the life of a member, until it is asked to end: then it leaves gracefully.
func play(r role) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	provider, err := provide(r)
	if err != nil {
		return err
	}
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
	// What the kind promises is what the provider can give.
	c := cluster.New(system, cluster.Configure(clusterName, provider, remote.Configure("127.0.0.1", 0),
		cluster.NewKind(kind, actor.PropsFromProducer(func() actor.Actor { return &counter{} }))))
	var last driver.MemberID
	actor.SubscribeTo(system.EventStream, func(e *cluster.ClusterTopology) {
		id := c.MemberID()
		if _, in := e.View.Member(id); in && id != last {
			last = id
			fmt.Println(memberWord + string(id))
		}
	})
	if err := c.StartContext(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return errors.Join(c.Shutdown(true), system.ShutdownContext(context.Background()))
}

// counter answers with its activation.
type counter struct{}

func (*counter) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
		ctx.Respond(wrapperspb.String(ctx.Self().Id))
	}
}
