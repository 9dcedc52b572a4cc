package health_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/health"
	"github.com/granary-go/granary/remote"
)

func newMember(registry *clustertest.Registry) *cluster.Cluster {
	kind := cluster.NewKind("Echo", actor.PropsFromFunc(func(actor.Context) {}))
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	return cluster.New(system, cluster.Configure("test", registry.Provider(), remote.Configure("127.0.0.1", 0), kind, health.Serve()))
}

func get(c *cluster.Cluster, method, path, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, path, nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	health.Handler(c).ServeHTTP(w, r)
	return w
}

func expect(t *testing.T, c *cluster.Cluster, path string, code int, text string) {
	t.Helper()
	if w := get(c, http.MethodGet, path, ""); w.Code != code || !strings.Contains(w.Body.String(), text) {
		t.Errorf("GET %s: %d %q, want %d with %q", path, w.Code, w.Body, code, text)
	}
}

// ready waits until a member is ready: its slots open a moment after it is in the view.
func ready(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		why := health.Ready(ctx, c)
		if len(why) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not ready in time: %q", why)
		}
	}
}

func TestLife(t *testing.T) {
	registry := clustertest.NewRegistry()
	c := newMember(registry)
	expect(t, c, "/live", http.StatusOK, "live")
	expect(t, c, "/ready", http.StatusServiceUnavailable, "not ready\ncluster: not started")
	if err := c.StartContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	ready(t, c)
	expect(t, c, "/ready", http.StatusOK, "ready")
	expect(t, c, "/probe/live", http.StatusOK, "live")

	if err := c.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, c, "/ready", http.StatusServiceUnavailable, "it is leaving")
	expect(t, c, "/live", http.StatusOK, "live")

	if err := c.Shutdown(true); err != nil {
		t.Fatal(err)
	}
	expect(t, c, "/ready", http.StatusServiceUnavailable, "shutting down")
	expect(t, c, "/live", http.StatusServiceUnavailable, "start the process again")
}

// A start that has failed is not waited for.
func TestFailedStart(t *testing.T) {
	c := newMember(clustertest.NewRegistry())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.StartContext(ended); err == nil {
		t.Fatal("started in no time")
	}
	expect(t, c, "/live", http.StatusServiceUnavailable, "its start has failed")
}

func TestClient(t *testing.T) {
	registry := clustertest.NewRegistry()
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	c := cluster.New(system, cluster.Configure("test", registry.Provider(), remote.Configure("127.0.0.1", 0)))
	if err := c.StartClientContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	ends(t, c)
	expect(t, c, "/ready", http.StatusServiceUnavailable, "no view with members")
	m := newMember(registry)
	if err := m.StartContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	ends(t, m)
	ready(t, c)
}

// A member that was removed joins again: alive all the time.
func TestRemoved(t *testing.T) {
	registry := clustertest.NewRegistry()
	c := newMember(registry)
	if err := c.StartContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	ends(t, c)
	ready(t, c)
	former := c.MemberID()
	registry.Remove(former)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for unready := false; !unready || c.MemberID() == former || c.MemberID() == ""; <-tick.C {
		if ctx.Err() != nil {
			t.Fatal("it has not joined again")
		}
		unready = unready || len(health.Ready(t.Context(), c)) > 0 || c.MemberID() != former
		expect(t, c, "/live", http.StatusOK, "live")
	}
	ready(t, c)
}

// A member among others waits for its slots: those of one that does not answer stay shut.
func TestSlotsThatStayShut(t *testing.T) {
	registry := clustertest.NewRegistry()
	ghost, err := registry.Provider().Join(t.Context(), driver.Request{Cluster: "test", Logger: slog.New(slog.DiscardHandler), Member: driver.Member{
		ID: "ghost", Address: "127.0.0.1:1", Versions: driver.Versions{Min: 1, Max: 1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer ghost.Close()
	c := newMember(registry)
	if err := c.StartContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	ends(t, c)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !strings.Contains(strings.Join(health.Ready(t.Context(), c), " "), "slots are not open yet") {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("the slots are open")
		}
	}
	expect(t, c, "/ready", http.StatusServiceUnavailable, "slots are not open yet")
	registry.Remove("ghost")
	ready(t, c)
}

func TestHTTP(t *testing.T) {
	c := newMember(clustertest.NewRegistry())
	expect(t, c, "/", http.StatusNotFound, "/live and /ready")
	if w := get(c, http.MethodPost, "/ready", ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, %v", w.Code, w.Header())
	}
	w := get(c, http.MethodGet, "/ready", "text/html, application/json")
	var said struct {
		Status string   `json:"status"`
		Why    []string `json:"why"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || said.Status != "not ready" || len(said.Why) != 1 || w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d %s: %v", w.Code, w.Body, err)
	}
	if w := get(c, http.MethodGet, "/live", "application/json"); w.Body.String() != "{\"status\":\"live\",\"why\":[]}\n" {
		t.Error(w.Body)
	}
}

func TestGRPC(t *testing.T) {
	c := newMember(clustertest.NewRegistry())
	if err := c.StartContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	ready(t, c)
	conn, err := grpc.NewClient(c.ActorSystem().Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := pb.NewHealthClient(conn)
	for _, service := range []string{"", "ready", "live"} {
		if r, err := client.Check(t.Context(), &pb.HealthCheckRequest{Service: service}); err != nil || r.Status != pb.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v, %v", service, r, err)
		}
	}
	if _, err := client.Check(t.Context(), &pb.HealthCheckRequest{Service: "other"}); status.Code(err) != codes.NotFound {
		t.Error(err)
	}
	if r, err := client.List(t.Context(), &pb.HealthListRequest{}); err != nil || len(r.Statuses) != 3 {
		t.Errorf("%v, %v", r, err)
	}
	unknown, err := client.Watch(t.Context(), &pb.HealthCheckRequest{Service: "other"})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := unknown.Recv(); err != nil || r.Status != pb.HealthCheckResponse_SERVICE_UNKNOWN {
		t.Errorf("%v, %v", r, err)
	}
	watch, err := client.Watch(t.Context(), &pb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := watch.Recv(); err != nil || r.Status != pb.HealthCheckResponse_SERVING {
		t.Errorf("%v, %v", r, err)
	}
	if err := c.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := watch.Recv(); err != nil || r.Status != pb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("%v, %v", r, err)
	}
	if err := c.Shutdown(true); err != nil {
		t.Error(err)
	}
	if _, err := watch.Recv(); status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
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
