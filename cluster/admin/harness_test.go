package admin_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/admin"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
	pb "github.com/granary-go/granary/wire/adminpb"
)

const echoKind = "Echo"

// world is a cluster within the test's process, over loopback.
type world struct {
	t        *testing.T
	registry *clustertest.Registry
}

func newWorld(t *testing.T) *world { return &world{t, clustertest.NewRegistry()} }

// echo answers with what it is told.
func echo() *cluster.Kind {
	return cluster.NewKind(echoKind, actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.StringValue); ok {
			ctx.Respond(m)
		}
	}))
}

// member starts a member that hosts echoes.
func (w *world) member(opts ...cluster.Option) *cluster.Cluster {
	w.t.Helper()
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	c := cluster.New(system, cluster.Configure("test", w.registry.Provider(), remote.Configure("127.0.0.1", 0), append(opts, echo())...))
	if err := c.StartContext(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := c.Shutdown(false); err != nil {
			w.t.Error(err)
		}
	})
	return c
}

// members starts n members that all serve the admin service, and waits until all see all.
func (w *world) members(n int, opts ...admin.Option) []*cluster.Cluster {
	w.t.Helper()
	all := make([]*cluster.Cluster, n)
	for i := range all {
		all[i] = w.member(admin.Serve(opts...))
	}
	for _, c := range all {
		w.until(func() bool { return len(c.Members()) == n && len(c.Inspect().Unready(w.t.Context())) == 0 })
	}
	return all
}

// until waits for a condition that nothing tells of.
func (w *world) until(holds func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatal("not in time")
		}
	}
}

// dial gives a client of a member's admin service.
func (w *world) dial(c *cluster.Cluster) pb.AdminClient {
	w.t.Helper()
	conn, err := grpc.NewClient(c.ActorSystem().Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	return pb.NewAdminClient(conn)
}

func say(t *testing.T, c *cluster.Cluster, identities ...string) {
	t.Helper()
	for _, id := range identities {
		if _, err := c.Call(id, echoKind, wrapperspb.String(id)); err != nil {
			t.Fatal(err)
		}
	}
}

// wantCode checks a gRPC error, and that its text says what to do.
func wantCode(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if status.Code(err) != code || !contains(status.Convert(err).Message(), text) {
		t.Errorf("%v, want %v with %q", err, code, text)
	}
}

// ghost is a member of the view where nobody listens.
func (w *world) ghost(id driver.MemberID) {
	w.t.Helper()
	session, err := w.registry.Provider().Join(w.t.Context(), driver.Request{
		Cluster: "test", Logger: slog.New(slog.DiscardHandler),
		Member: driver.Member{ID: id, Address: "127.0.0.1:1", Versions: driver.Versions{Min: 1, Max: 1}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = session.Close() })
}

// ends shuts a cluster down behind the test.
func ends(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	t.Cleanup(func() {
		if err := c.Shutdown(false); err != nil {
			t.Error(err)
		}
	})
}
