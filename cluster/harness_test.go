package cluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/remote"
)

const counterKind = "Counter"

// world is a cluster within the test's process, over real loopback sockets.
type world struct {
	t        *testing.T
	registry *clustertest.Registry
	mu       sync.Mutex // guards live and doubled
	// live counts the activations of each identity at this moment. More than
	// one is an error.
	live map[string]int
	// doubled allows more than one activation of an identity.
	doubled bool
}

func newWorld(t *testing.T) *world {
	return &world{t: t, registry: clustertest.NewRegistry(), live: make(map[string]int)}
}

// counter is a plain actor: it adds what it is sent and answers with the sum.
// Zero asks without adding.
type counter struct {
	world *world
	sum   int64
}

func (a *counter) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		a.world.began(ctx.Self().Id)
	case *actor.Stopped:
		a.world.ended(ctx.Self().Id)
	case *wrapperspb.Int64Value:
		a.sum += m.Value
		ctx.Respond(wrapperspb.Int64(a.sum))
	case *wrapperspb.StringValue:
		ctx.Respond(wrapperspb.String(ctx.Self().Address))
	}
}

// name cuts the activation off an activation's id.
func name(pidID string) string {
	for i := len(pidID) - 1; i >= 0; i-- {
		if pidID[i] == '@' {
			return pidID[:i]
		}
	}
	return pidID
}

func (w *world) began(pidID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.live[name(pidID)]++; w.live[name(pidID)] > 1 && !w.doubled {
		w.t.Errorf("%s has %d activations", name(pidID), w.live[name(pidID)])
	}
}

func (w *world) allowDoubles() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.doubled = true
}

func (w *world) ended(pidID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.live[name(pidID)]--; w.live[name(pidID)] == 0 {
		delete(w.live, name(pidID))
	}
}

func (w *world) kind() *cluster.Kind { return cluster.NewKind(counterKind, w.kindProps()) }

func (w *world) kindProps() *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return &counter{world: w} })
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func (w *world) make(opts ...cluster.Option) *cluster.Cluster {
	system := actor.NewActorSystem(actor.WithLogger(quiet()))
	config := cluster.Configure("test", w.registry.Provider(), remote.Configure("127.0.0.1", 0), opts...)
	return cluster.New(system, config)
}

// member starts a member that hosts counters, unless other options are given.
func (w *world) member(opts ...cluster.Option) *cluster.Cluster {
	w.t.Helper()
	if len(opts) == 0 {
		opts = []cluster.Option{w.kind()}
	}
	c := w.make(opts...)
	if err := c.StartContext(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.ends(c)
	return c
}

func (w *world) client() *cluster.Cluster {
	w.t.Helper()
	c := w.make()
	if err := c.StartClient(); err != nil {
		w.t.Fatal(err)
	}
	w.ends(c)
	return c
}

// ends shuts a cluster down with the test, if the test has not done so.
func (w *world) ends(c *cluster.Cluster) {
	w.t.Cleanup(func() {
		if err := c.Shutdown(false); err != nil {
			w.t.Error(err)
		}
	})
}

// add calls a counter and gives its sum.
func add(t *testing.T, c *cluster.Cluster, identity string, n int64) int64 {
	t.Helper()
	sum, err := tryAdd(c, identity, n)
	if err != nil {
		t.Errorf("add to %s: %v", identity, err)
	}
	return sum
}

func tryAdd(c *cluster.Cluster, identity string, n int64, opts ...cluster.GrainCallOption) (int64, error) {
	reply, err := c.Call(identity, counterKind, wrapperspb.Int64(n), opts...)
	if err != nil {
		return 0, err
	}
	return reply.(*wrapperspb.Int64Value).Value, nil
}

// where gives the address of the member that hosts a counter.
func where(t *testing.T, c *cluster.Cluster, identity string) string {
	t.Helper()
	reply, err := c.Call(identity, counterKind, wrapperspb.String(""))
	if err != nil {
		t.Errorf("where is %s: %v", identity, err)
		return ""
	}
	return reply.(*wrapperspb.StringValue).Value
}

func identities(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("counter-%d", i)
	}
	return out
}

// each runs f for all identities, some at a time.
func each(ids []string, f func(id string)) {
	var wg sync.WaitGroup
	queue := make(chan string)
	for range 16 {
		wg.Go(func() {
			for id := range queue {
				f(id)
			}
		})
	}
	for _, id := range ids {
		queue <- id
	}
	close(queue)
	wg.Wait()
}

// sees waits until a cluster's view has n members.
func sees(t *testing.T, c *cluster.Cluster, n int) {
	t.Helper()
	until(t, c, func() bool { return len(c.Members()) == n })
}

// until waits for views until a condition holds.
func until(t *testing.T, c *cluster.Cluster, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	changed := make(chan struct{}, 1)
	sub := c.ActorSystem().EventStream.Subscribe(func(ev any) {
		if _, ok := ev.(*cluster.ClusterTopology); ok {
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	})
	defer c.ActorSystem().EventStream.Unsubscribe(sub)
	for !holds() {
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("not in time; the view is %+v", c.View())
		}
	}
}
