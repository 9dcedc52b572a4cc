package failover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/remote"
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
	pingFile       = 3                         // the descriptor of the ping port, which a member inherits
)

// A role is what a member process is told.
type role struct {
	PingPort int      `json:"pingPort"`
	Hosts    []string `json:"hosts"`
	Diary    string   `json:"diary"`
}

func TestMain(m *testing.M) {
	text, ok := os.LookupEnv(memberVariable)
	if !ok {
		os.Exit(m.Run())
	}
	if err := play(text); err != nil {
		fmt.Fprintln(os.Stderr, "FAILED:", err)
		os.Exit(1)
	}
}

// play is the life of a member process, until it is interrupted: then it leaves gracefully.
func play(text string) error {
	var r role
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return err
	}
	diary, err := openDiary(r.Diary)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
	provider := automanaged.NewWithConfig(refresh, r.PingPort, r.Hosts...).WithMissedPings(missed).WithListener(inherited())
	c := cluster.New(system, cluster.Configure(clusterName, provider, remote.Configure("127.0.0.1", 0),
		cluster.NewKind(kind, actor.PropsFromProducer(func() actor.Actor { return &counter{diary: diary} }))))
	if err := c.StartContext(ctx); err != nil {
		return err
	}
	fmt.Println(readyWord + string(c.MemberID()))
	<-ctx.Done()
	return errors.Join(c.Shutdown(true), system.ShutdownContext(context.Background()), diary.Close())
}

// inherited gives the listener that the test opened for this process, so that nobody can take its port in between. A
// member that joins again opens the port by itself.
func inherited() func(context.Context, string) (net.Listener, error) {
	file := os.NewFile(pingFile, "ping port")
	return func(ctx context.Context, address string) (net.Listener, error) {
		if file == nil {
			return new(net.ListenConfig).Listen(ctx, "tcp", address)
		}
		defer func() { _, file = file.Close(), nil }()
		return net.FileListener(file)
	}
}

// counter adds what it is sent, and answers with its sum and its activation.
type counter struct {
	diary *diary
	sum   int64
}

func (a *counter) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		a.diary.write(started, ctx.Self().Id)
	case *actor.Stopped:
		<-time.After(saving)
		a.diary.write(stopped, ctx.Self().Id)
	case *wrapperspb.Int64Value:
		a.sum += m.Value
		ctx.Respond(wrapperspb.String(fmt.Sprint(a.sum, " ", ctx.Self().Id)))
	}
}
