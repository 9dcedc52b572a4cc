package health_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/cluster/clustertest"
)

// A flood of probes and of streams holds up no probe, and leaves nothing behind.
func TestFlood(t *testing.T) {
	c := newMember(clustertest.NewRegistry())
	if err := c.StartContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	ends(t, c)
	ready(t, c)
	before := runtime.NumGoroutine()
	dial := func() *grpc.ClientConn {
		conn, err := grpc.NewClient(c.ActorSystem().Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	many, other := dial(), dial()
	defer other.Close()
	client := pb.NewHealthClient(many)
	refused := 0
	for range 200 {
		s, err := client.Watch(t.Context(), &pb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); status.Code(err) == codes.ResourceExhausted {
			refused++
		}
	}
	if refused != 200-64 {
		t.Errorf("%d of 200 streams were refused", refused)
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			for range 20 {
				if _, err := client.Check(t.Context(), &pb.HealthCheckRequest{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		for _, service := range []string{"live", "ready"} {
			if r, err := pb.NewHealthClient(other).Check(t.Context(), &pb.HealthCheckRequest{Service: service}); err != nil || r.Status != pb.HealthCheckResponse_SERVING {
				t.Errorf("%s: %v, %v", service, r, err)
			}
		}
	}
	all.Wait()
	_ = many.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for runtime.NumGoroutine() > before+10 {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%d goroutines, there were %d", runtime.NumGoroutine(), before)
		}
	}
}
