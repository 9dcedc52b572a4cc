package providers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
	"github.com/granary-go/granary/test/fleet"
)

const (
	clusterName = "providers"
	kind        = "Counter"
	strictKind  = "Strict"
	// saving bounds each wait of a strict counter for its store.
	saving = 5 * time.Second

	roleVariable = "GRANARY_PROVIDERS_ROLE"
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
	// State is the folder of the store of strict counters, which has nothing to do with the provider's service; without
	// one there are none.
	State string `json:"state,omitempty"`
	// Lookup is where it is kept which grains are active; without one the members know.
	Lookup *where `json:"lookup,omitempty"`
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
	kinds := []cluster.Option{cluster.NewKind(kind, actor.PropsFromProducer(func() actor.Actor { return &counter{} }))}
	if r.State != "" {
		store, err := clustertest.OpenFencedDir(r.State)
		if err != nil {
			return err
		}
		strict := actor.PropsFromProducer(func() actor.Actor { return strictCounter{} })
		kinds = append(kinds, cluster.NewKind(strictKind, strict, cluster.WithStrict(store)))
	}
	c := cluster.New(system, cluster.Configure(clusterName, provider, remote.Configure("127.0.0.1", 0), append(kinds, r.Lookup.option())...))
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

// counter counts its calls, and answers with its activation and the count.
type counter struct{ count int }

func (a *counter) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
		a.count++
		ctx.Respond(wrapperspb.String(fmt.Sprint(ctx.Self().Id, " ", a.count)))
	}
}

// strictCounter keeps the count in the store.
type strictCounter struct{}

func (strictCounter) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*wrapperspb.Int64Value); !ok {
		return
	}
	count, err := next(ctx)
	if err != nil {
		ctx.Respond(&cluster.GrainError{Code: cluster.CodeGrain, Message: err.Error()})
		return
	}
	ctx.Respond(wrapperspb.String(fmt.Sprint(ctx.Self().Id, " ", count)))
}

// next adds one to the count in the store.
func next(ctx actor.Context) (count int, err error) {
	within, cancel := context.WithTimeout(context.Background(), saving)
	defer cancel()
	state := cluster.StateOf(ctx)
	text, err := state.Load(within)
	if err != nil {
		return 0, err
	}
	if len(text) > 0 {
		if count, err = strconv.Atoi(string(text)); err != nil {
			return 0, err
		}
	}
	count++
	return count, state.Save(within, []byte(strconv.Itoa(count)))
}
