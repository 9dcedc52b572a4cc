package cluster_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
)

// A grain whose actor was written by hand is passivated like a generated one, unless the actor has
// set another receive timeout, or none: then it is told of that, or of nothing.
func TestPassivationOfPlainActors(t *testing.T) {
	const idle = time.Minute
	for name, test := range map[string]struct {
		setup func(ctx actor.Context)
		told  time.Duration // after which silence the actor is told; 0 for never
		ends  bool
	}{
		"without a timeout of its own": {setup: func(actor.Context) {}, ends: true},
		"with an earlier one":          {setup: func(ctx actor.Context) { ctx.SetReceiveTimeout(idle / 2) }, told: idle / 2},
		"with a later one":             {setup: func(ctx actor.Context) { ctx.SetReceiveTimeout(2 * idle) }, told: 2 * idle},
		"which cancels it":             {setup: actor.Context.CancelReceiveTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				told, why := make(chan time.Time, 10), make(chan cluster.DeactivationReason, 1)
				kind := cluster.NewKind("Plain", actor.PropsFromFunc(func(ctx actor.Context) {
					switch ctx.Message().(type) {
					case *actor.Started:
						test.setup(ctx)
					case *actor.ReceiveTimeout:
						told <- time.Now()
					case *wrapperspb.StringValue:
						ctx.Respond(ctx.Message())
					}
				}), cluster.WithPassivation(idle))
				member := b.process(kind, cluster.WithObserver(&cluster.Observer{
					Deactivated: func(_ driver.Identity, r cluster.DeactivationReason) { why <- r },
				}))
				for range 3 { // a message begins the time anew
					callPlain(t, member)
					time.Sleep(idle / 3)
				}
				callPlain(t, member)
				last := time.Now()
				time.Sleep(3 * idle)
				synctest.Wait()
				select {
				case at := <-told:
					if test.told == 0 || at.Sub(last) != test.told {
						t.Errorf("it was told after %v; want %v", at.Sub(last), test.told)
					}
				default:
					if test.told != 0 {
						t.Error("it was not told")
					}
				}
				select {
				case reason := <-why:
					if !test.ends || reason != cluster.DeactivatedIdle {
						t.Errorf("it ended: %v", reason)
					}
				default:
					if test.ends {
						t.Error("it is active")
					}
				}
				callPlain(t, member) // here, or anew
				if n := member.ActiveGrains()["Plain"]; n != 1 {
					t.Errorf("%d are active", n)
				}
			})
		})
	}
}

func callPlain(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if got, err := c.CallContext(ctx, "a", "Plain", wrapperspb.String("x")); err != nil || fmt.Sprint(got) != fmt.Sprint(wrapperspb.String("x")) {
		t.Errorf("%v, %v", got, err)
	}
}
