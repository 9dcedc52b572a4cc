package dashboard_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
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
	"github.com/granary-go/granary/cluster/explanation"
	"github.com/granary-go/granary/dashboard"
	"github.com/granary-go/granary/remote"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// grains is how many grains TestManyGrains activates: go test -run ManyGrains -args -dashboard.grains=1000000.
var grains = flag.Int("dashboard.grains", 10_000, "grains of TestManyGrains")

// member starts a member of a cluster within the test's process, over loopback.
func member(t *testing.T, registry *clustertest.Registry, opts ...cluster.Option) *cluster.Cluster {
	t.Helper()
	echo := cluster.NewKind("Echo", actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.StringValue); ok {
			ctx.Respond(m)
		}
	}))
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	c := cluster.New(system, cluster.Configure("shop", registry.Provider(), remote.Configure("127.0.0.1", 0), append(opts, echo)...))
	if err := c.StartContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Shutdown(false); err != nil {
			t.Error(err)
		}
	})
	return c
}

// serve serves a dashboard of a member, which is started when start is called.
func serve(t *testing.T, registry *clustertest.Registry, opts ...dashboard.Option) (b *board, start func() *cluster.Cluster) {
	t.Helper()
	d, served := dashboard.Serve(append(opts, dashboard.WithInterval(100*time.Millisecond))...)
	server := httptest.NewServer(http.StripPrefix("/granary", d))
	t.Cleanup(server.Close)
	t.Cleanup(d.Close)
	return &board{t, server.URL + "/granary"}, func() *cluster.Cluster { return member(t, registry, served) }
}

// A member mounts a dashboard, which finds the cluster once that has started, and tells its end.
func TestServe(t *testing.T) {
	registry := clustertest.NewRegistry()
	b, start := serve(t, registry, dashboard.WithAllow(admin.Drain), dashboard.WithAdmin(admin.Allow(admin.Drain)))
	v := b.view()
	v.until("state", has(`this process is in no cluster: its cluster has not been started`))
	c := start()
	v.until("state", has(`"members":1,"ready":1`))
	other := member(t, registry, admin.Serve())
	v.until("event", has(`"type":"joined"`))
	v.until("state", has(`"members":2,"ready":2`))
	for _, id := range []string{"alice", "bob"} {
		if _, err := c.Call(id, "Echo", wrapperspb.String(id)); err != nil {
			t.Fatal(err)
		}
	}
	v.until("state", func(data string) bool {
		return strings.Contains(data, `"name":"Echo","guarantee":"best effort","strategy":"round robin","active":2`) && strings.Contains(data, `"slots":{"total":4096,"nobody":0,"moving":0,"owners":[`)
	})
	code, text := b.get("/api/explain?kind=Echo&identity=alice")
	var e struct {
		Summary     string                  `json:"summary"`
		Explanation explanation.Explanation `json:"explanation"`
		Grain       struct {
			Handled string `json:"handled"`
		} `json:"grain"`
	}
	if err := json.Unmarshal([]byte(text), &e); err != nil || code != http.StatusOK || !strings.Contains(e.Summary, "Echo/alice is active on 127.0.0.1:") || e.Explanation.Owner == nil || e.Grain.Handled != "1" {
		t.Errorf("%d, %v: %s", code, err, text)
	}
	// What is done to the other member it does not allow; what is done to this one, it does.
	for id, want := range map[string]int{string(other.MemberID()): http.StatusForbidden, string(c.MemberID()): http.StatusOK, "nobody": http.StatusNotFound} {
		r := b.do(http.MethodPost, "/api/operate", fmt.Sprintf(`{"operation":"drain","member":%q}`, id), "Content-Type", "application/json")
		if r.StatusCode != want {
			t.Errorf("drain %s: %s, want %d", id, r.Status, want)
		}
	}
	v.until("state", has(`"state":"leaving"`))
	if err := c.Shutdown(true); err != nil {
		t.Fatal(err)
	}
	v.until("state", has(`"error":`))
}

// The listing of many grains comes a page at a time, whole, and the page's cost does not grow with them.
func TestManyGrains(t *testing.T) {
	b, start := serve(t, clustertest.NewRegistry())
	c := start()
	var wg sync.WaitGroup
	const workers = 16
	for worker := range workers {
		wg.Go(func() {
			for i := worker; i < *grains; i += workers {
				if _, err := c.Call(fmt.Sprintf("grain-%08d", i), "Echo", wrapperspb.String("")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	v := b.view()
	state := v.until("state", has(fmt.Sprintf(`"active":%d`, *grains)))
	if len(state) > 4000 {
		t.Errorf("a snapshot of %d bytes", len(state))
	}
	after := ""
	for page := range 5 {
		began := time.Now()
		code, text := b.get("/api/grains?kind=Echo&limit=200&after=" + url.QueryEscape(after))
		var list struct {
			Next   string `json:"next"`
			Active int    `json:"active"`
		}
		if err := json.Unmarshal([]byte(text), &list); err != nil || code != http.StatusOK || list.Active != *grains || len(text) > 60_000 ||
			strings.Count(text, `"identity"`) != 200 || !strings.Contains(text, fmt.Sprintf(`"grain-%08d"`, 200*page)) {
			t.Fatalf("page %d: %d, %v, %d bytes: %.300s", page, code, err, len(text), text)
		}
		after = list.Next
		t.Logf("page %d of %d grains: %d bytes in %v", page, *grains, len(text), time.Since(began).Round(time.Millisecond))
	}
}

func dial(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// A dashboard from outside goes on with another member when the one that it talks to is gone, and learns of members.
func TestConnection(t *testing.T) {
	registry := clustertest.NewRegistry()
	first, mute := member(t, registry, admin.Serve()), member(t, registry)
	conn := dashboard.Connect([]string{"127.0.0.1:1", mute.ActorSystem().Address(), first.ActorSystem().Address()}, dial)
	defer conn.Close()
	v := newBoard(t, pb.NewAdminClient(conn)).view()
	v.until("event", has(`watching through `+first.ActorSystem().Address()))
	v.until("state", has(`"members":2,"ready":1`))
	second := member(t, registry, admin.Serve())
	v.until("state", has(`"members":3,"ready":2`))
	if err := first.Shutdown(true); err != nil {
		t.Fatal(err)
	}
	v.until("event", has(`watching through `+second.ActorSystem().Address()))
	v.until("state", has(`"members":2,"ready":1`))
	if _, err := pb.NewAdminClient(conn).Drain(t.Context(), &pb.DrainRequest{Member: string(second.MemberID())}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("drain: %v", err)
	}
}

func TestConnectionWithoutMembers(t *testing.T) {
	none := dashboard.Connect(nil, dial)
	if _, err := pb.NewAdminClient(none).Members(t.Context(), nil); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "no member is named") {
		t.Error(err)
	}
	gone := dashboard.Connect([]string{"127.0.0.1:1", "127.0.0.1:2"}, dial)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := pb.NewAdminClient(gone).Members(ctx, &pb.MembersRequest{}); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "does not answer") {
		t.Error(err)
	}
	if err := gone.Close(); err != nil {
		t.Error(err)
	}
	if _, err := pb.NewAdminClient(gone).Members(ctx, &pb.MembersRequest{}); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
}
