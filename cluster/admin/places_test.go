package admin_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/admin"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// Calls that take long hold up other calls, and neither those who look nor those who take a
// member out.
func TestSlowCallsHoldNobodyUp(t *testing.T) {
	w := newWorld(t)
	quick := w.member(admin.Serve(admin.Allow(admin.Call, admin.Drain), admin.WithTimeout(500*time.Millisecond)))
	slow := w.member(admin.Serve(admin.Allow(admin.Call, admin.Drain), admin.WithTimeout(500*time.Millisecond)),
		cluster.NewKind("Slow", actor.PropsFromFunc(func(actor.Context) {}))) // which never answers
	w.until(func() bool {
		return len(quick.Members()) == 2 && len(slow.Members()) == 2 && len(slow.Inspect().Unready(t.Context())) == 0
	})
	ctx, cancel := context.WithCancel(t.Context())
	client := w.dial(quick)
	const calls = 100
	refused := make(chan error, calls)
	var wg sync.WaitGroup
	for range calls {
		wg.Go(func() {
			_, err := client.Call(ctx, &pb.CallRequest{Kind: "Slow", Identity: "a", Type: "google.protobuf.StringValue", TimeoutNanos: int64(time.Minute)})
			if status.Code(err) == codes.ResourceExhausted {
				refused <- err
			}
		})
	}
	defer wg.Wait()
	defer cancel()
	for range calls - 32 { // beyond those that are made: at once, or after a while
		wantCode(t, <-refused, codes.ResourceExhausted, "serves as many requests for call as it may")
	}
	r, err := client.Members(t.Context(), &pb.MembersRequest{})
	if err != nil || len(r.Failures) > 0 {
		t.Errorf("%v, %v", r.GetFailures(), err)
	}
	if _, err := client.Drain(t.Context(), &pb.DrainRequest{Member: string(slow.MemberID())}); err != nil {
		t.Error(err)
	}
}
