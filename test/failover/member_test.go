package failover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/remote"
	"github.com/granary-go/granary/test/fleet"
)

const (
	clusterName = "failover"
	kind        = "Counter"
	// A member that is silent for this many intervals is taken for dead. Both leave room for a machine that has
	// other things to do: two seconds.
	refresh = 500 * time.Millisecond
	missed  = 4
	// saving is how long a counter takes to stop: nobody may start another meanwhile.
	saving = 20 * time.Millisecond

	memberVariable = "GRANARY_FAILOVER_MEMBER" // holds a role; whoever finds it set is a member
	readyWord      = "ready "                  // before a member's id, on its output
)

// A role is what a member process is told.
type role struct {
	PingPort int      `json:"pingPort"`
	Hosts    []string `json:"hosts"`
	Diary    string   `json:"diary"`
}

func TestMain(m *testing.M) { fleet.Main(m, memberVariable, play) }

// play is the life of a member process, until it is interrupted: then it leaves gracefully.
func play(r role) error {
	diary, err := fleet.OpenDiary(r.Diary)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
	provider := automanaged.NewWithConfig(refresh, r.PingPort, r.Hosts...).WithMissedPings(missed).WithListener(fleet.Inherited())
	c := cluster.New(system, cluster.Configure(clusterName, provider, remote.Configure("127.0.0.1", 0),
		cluster.NewKind(kind, actor.PropsFromProducer(func() actor.Actor { return &counter{diary: diary} }))))
	if err := c.StartContext(ctx); err != nil {
		return err
	}
	fmt.Println(readyWord + string(c.MemberID()))
	<-ctx.Done()
	return errors.Join(c.Shutdown(true), system.ShutdownContext(context.Background()), diary.Close())
}

// counter adds what it is sent, and answers with its sum and its activation.
type counter struct {
	diary *fleet.Diary
	sum   int64
}

func (a *counter) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		a.diary.Write(started, ctx.Self().Id)
	case *actor.Stopped:
		<-time.After(saving)
		a.diary.Write(stopped, ctx.Self().Id)
	case *wrapperspb.Int64Value:
		a.sum += m.Value
		ctx.Respond(wrapperspb.String(fmt.Sprint(a.sum, " ", ctx.Self().Id)))
	}
}
