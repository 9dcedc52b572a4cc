package cluster_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
)

func TestStateSurvivesMembersJoining(t *testing.T) {
	w := newWorld(t)
	client := w.client()
	for range 3 {
		w.member()
	}
	ids := identities(300)
	sees(t, client, 3)
	each(ids, func(id string) { add(t, client, id, 1) })
	for n := int64(2); n <= 3; n++ {
		w.member()
		each(ids, func(id string) {
			if got := add(t, client, id, 1); got != n {
				t.Errorf("%s = %d, want %d: its state is lost", id, got, n)
			}
		})
	}
}

// callAll calls counters without a pause until stop, and gives the number of
// calls. Every failure is an error of the test.
//
// It does one more round after stop.
func callAll(t *testing.T, c *cluster.Cluster, ids []string, stop <-chan struct{}) int64 {
	var calls atomic.Int64
	for last := false; !last; {
		select {
		case <-stop:
			last = true
		default:
		}
		each(ids, func(id string) {
			add(t, c, id, 1)
			calls.Add(1)
		})
	}
	return calls.Load()
}

func TestGracefulLeaveFailsNoCall(t *testing.T) {
	w := newWorld(t)
	client := w.client()
	leaver := w.member()
	for range 2 {
		w.member()
	}
	ids := identities(200)
	sees(t, client, 3)
	each(ids, func(id string) { add(t, client, id, 1) })
	hosted := 0
	for _, id := range ids {
		if where(t, client, id) == leaver.ActorSystem().Address() {
			hosted++
		}
	}
	if hosted < len(ids)/5 {
		t.Errorf("the member that is to leave hosts %d of %d grains", hosted, len(ids))
	}
	stop, calls := make(chan struct{}), int64(0)
	var wg sync.WaitGroup
	wg.Go(func() { calls = callAll(t, client, ids, stop) })
	if err := leaver.Shutdown(true); err != nil {
		t.Error(err)
	}
	close(stop)
	wg.Wait()
	each(ids, func(id string) {
		if at := where(t, client, id); at == leaver.ActorSystem().Address() {
			t.Errorf("%s is still said to be on the member that left", id)
		}
	})
	if calls < int64(len(ids)) {
		t.Errorf("%d calls while a member left", calls)
	}
}

func TestRollingRestartFailsNoCall(t *testing.T) {
	w := newWorld(t)
	client := w.client()
	patient := cluster.WithShutdownTimeout(time.Minute) // a busy machine takes its time
	members := make([]*cluster.Cluster, 3)
	for i := range members {
		members[i] = w.member(w.kind(), patient)
	}
	ids := identities(60)
	stop, calls := make(chan struct{}), int64(0)
	var wg sync.WaitGroup
	wg.Go(func() { calls = callAll(t, client, ids, stop) })
	for i := range members {
		w.member(w.kind(), patient)
		if err := members[i].Shutdown(true); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	if calls < int64(2*len(ids)) {
		t.Errorf("%d calls during a rolling restart", calls)
	}
}

// A member that was wrongly taken for dead stops its grains and comes back
// under a new id, without a restart of its process.
func TestRemovedMemberComesBack(t *testing.T) {
	w := newWorld(t)
	client := w.client()
	a, b := w.member(), w.member()
	ids := identities(100)
	sees(t, client, 2)
	each(ids, func(id string) { add(t, client, id, 1) })
	before := a.MemberID()
	w.allowDoubles() // best effort, and the member is taken for dead while it lives
	w.registry.Remove(before)
	until(t, a, func() bool { return a.MemberID() != before && a.MemberID() != "" && len(a.Members()) == 2 })
	until(t, b, func() bool { _, in := b.View().Member(a.MemberID()); return in })
	each(ids, func(id string) {
		if _, err := tryAdd(client, id, 1, cluster.WithRetry(5)); err != nil {
			t.Error(err)
		}
	})
}

func TestConcurrentFirstCallsMakeOneActivation(t *testing.T) {
	w := newWorld(t)
	clients := []*cluster.Cluster{w.member(), w.member(), w.client()}
	const callers = 100
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() { add(t, clients[i%len(clients)], "cold", 1) })
	}
	wg.Wait()
	if got := add(t, clients[0], "cold", 0); got != callers {
		t.Errorf("sum %d after %d calls", got, callers)
	}
}

func TestGrainStopsAndIsActivatedAgain(t *testing.T) {
	w := newWorld(t)
	c := w.member()
	w.member()
	first := c.Get("x", counterKind)
	add(t, c, "x", 5)
	if _, err := c.ActorSystem().Root.PoisonFuture(first).ResultContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := add(t, c, "x", 1); got != 1 {
		t.Errorf("sum %d after the grain was stopped, want 1", got)
	}
	if second := c.Get("x", counterKind); second.Equal(first) {
		t.Errorf("the new activation has the old PID %v", second)
	}
	// The old PID is a dead letter, not a message to the new activation.
	future := c.ActorSystem().Root.RequestFuture(first, wrapperspb.Int64(1), time.Minute)
	if _, err := future.ResultContext(t.Context()); !errors.Is(err, actor.ErrDeadLetter) {
		t.Errorf("request to a stopped activation: %v", err)
	}
}

// Plain sends and requests work with a grain's PID.
func TestPlainMessages(t *testing.T) {
	w := newWorld(t)
	w.member()
	client := w.client()
	root, pid := client.ActorSystem().Root, client.Get("x", counterKind)
	root.Send(pid, wrapperspb.Int64(2))
	reply, err := actor.Ask[*wrapperspb.Int64Value](t.Context(), root, pid, wrapperspb.Int64(3))
	if err != nil || reply.Value != 5 {
		t.Errorf("reply %v, %v; want 5", reply, err)
	}
}

// slow blocks in its handler until it is released.
func slow(entered chan<- struct{}, release <-chan struct{}) *cluster.Kind {
	return cluster.NewKind("Slow", actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
			entered <- struct{}{}
			<-release
			ctx.Respond(m)
		}
	}))
}

func TestDeadlineWhileTheGrainWorks(t *testing.T) {
	w := newWorld(t)
	entered, release := make(chan struct{}, 1), make(chan struct{})
	defer close(release)
	w.member(slow(entered, release))
	client := w.client()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	_, err := client.CallContext(ctx, "x", "Slow", wrapperspb.Int64(1))
	if !errors.Is(err, cluster.ErrUnknownOutcome) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want ErrUnknownOutcome, for the grain may have run", err)
	}
	_, err = client.Call("y", "Slow", wrapperspb.Int64(1), cluster.NewGrainCallOptions(client).WithTimeout(50*time.Millisecond))
	if !errors.Is(err, cluster.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v; want ErrTimeout", err)
	}
}

// A call under way at a member that dies has an unknown outcome; with retries
// it is made again elsewhere.
func TestMemberDiesDuringTheCall(t *testing.T) {
	w := newWorld(t)
	entered, release := make(chan struct{}, 2), make(chan struct{})
	first := w.member(slow(entered, release), cluster.WithShutdownTimeout(time.Minute))
	client := w.client()
	outcome := make(chan error, 2)
	go func() {
		_, err := client.Call("once", "Slow", wrapperspb.Int64(1))
		outcome <- err
	}()
	go func() {
		_, err := client.Call("again", "Slow", wrapperspb.Int64(1), cluster.WithRetry(1))
		outcome <- err
	}()
	<-entered
	<-entered
	w.member(slow(entered, release))
	go func() {
		// Its handlers hang: it does not end before they do.
		if err := first.Shutdown(false); err != nil {
			t.Log(err)
		}
	}()
	w.registry.Remove(first.MemberID())
	if err := <-outcome; !errors.Is(err, cluster.ErrUnknownOutcome) {
		t.Errorf("without retry: %v; want ErrUnknownOutcome", err)
	}
	<-entered
	close(release)
	if err := <-outcome; err != nil {
		t.Errorf("with a retry: %v", err)
	}
}
