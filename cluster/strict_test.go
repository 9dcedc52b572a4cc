package cluster_test

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
)

const ledgerKind = "Ledger"

var ledgerID = driver.Identity{Kind: ledgerKind, Name: "one"}

// ledger adds what it is sent to its stored sum, tells the listener, and answers
// with the sum. It tells before it has saved, and answers also when it has not.
func ledgerKindOf(store driver.FencedStore, listener *actor.PID, before func(ctx actor.Context)) *cluster.Kind {
	return cluster.NewKind(ledgerKind, actor.PropsFromFunc(func(ctx actor.Context) {
		m, ok := ctx.Message().(*wrapperspb.Int64Value)
		if !ok {
			return
		}
		state := cluster.StateOf(ctx)
		value, err := state.Load(context.Background())
		sum := m.Value
		if len(value) == 8 {
			sum += int64(binary.BigEndian.Uint64(value))
		}
		ctx.Send(listener, wrapperspb.Int64(sum))
		if before != nil {
			before(ctx)
		}
		if m.Value != 0 && err == nil {
			_ = state.Save(context.Background(), binary.BigEndian.AppendUint64(nil, uint64(sum)))
		}
		ctx.Respond(wrapperspb.Int64(sum))
	}), cluster.WithStrict(store))
}

// listener keeps what it is told.
func (w *world) listener(c *cluster.Cluster) (*actor.PID, chan int64) {
	heard := make(chan int64, 100)
	return c.ActorSystem().Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
			heard <- m.Value
		}
	})), heard
}

func pay(c *cluster.Cluster, n int64, opts ...cluster.GrainCallOption) (int64, error) {
	reply, err := c.Call(ledgerID.Name, ledgerKind, wrapperspb.Int64(n), opts...)
	if err != nil {
		return 0, err
	}
	return reply.(*wrapperspb.Int64Value).Value, nil
}

func stored(store *clustertest.FencedStore) int64 {
	value := store.Value(ledgerID)
	if len(value) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(value))
}

func TestStrictStateSurvivesItsActivation(t *testing.T) {
	w, store := newWorld(t), clustertest.NewFencedStore()
	client := w.client()
	listener, heard := w.listener(client)
	first := w.leased(clustertest.NewLease(), ledgerKindOf(store, listener, nil))
	for i := range int64(3) {
		if sum, err := pay(client, 1); err != nil || sum != i+1 {
			t.Fatalf("payment %d: %d, %v", i+1, sum, err)
		}
		if sum := <-heard; sum != i+1 {
			t.Errorf("the listener heard %d; want %d", sum, i+1)
		}
	}
	w.leased(clustertest.NewLease(), ledgerKindOf(store, listener, nil))
	if err := first.Shutdown(true); err != nil {
		t.Error(err)
	}
	if sum, err := pay(client, 1); err != nil || sum != 4 {
		t.Errorf("on the next member: %d, %v; want 4", sum, err)
	}
}

// What a turn whose write was not acknowledged has answered and sent does not
// get out, whatever the grain does about it.
func TestStrictTurnWithoutItsWriteIsWithheld(t *testing.T) {
	w, store := newWorld(t), clustertest.NewFencedStore()
	client := w.client()
	listener, heard := w.listener(client)
	member := w.leased(clustertest.NewLease(), ledgerKindOf(store, listener, nil))
	store.FailWrites(1)
	if sum, err := pay(client, 1); !errors.Is(err, cluster.ErrUnknownOutcome) {
		t.Errorf("a payment that was not stored: %d, %v; want ErrUnknownOutcome", sum, err)
	}
	if sum, err := pay(client, 5); err != nil || sum != 5 {
		t.Errorf("the next one: %d, %v; want 5", sum, err)
	}
	if sum := <-heard; sum != 5 {
		t.Errorf("the listener heard %d of a turn that was not stored", sum)
	}
	// The write happened, and its acknowledgement was lost: the next turn knows.
	store.LoseReplies(1)
	if sum, err := pay(client, 2); !errors.Is(err, cluster.ErrUnknownOutcome) {
		t.Errorf("a payment of unknown fate: %d, %v; want ErrUnknownOutcome", sum, err)
	}
	if sum, err := pay(client, 0); err != nil || sum != 7 {
		t.Errorf("reading after that: %d, %v; want 7", sum, err)
	}
	if c := member.Counters(); c.Withheld != 4 {
		t.Errorf("%+v; want two replies and two messages withheld", c)
	}
}

// An activation that has a successor neither writes nor tells, though its lease
// is as good as ever: the store knows, and the activation stops.
func TestStrictActivationWithASuccessor(t *testing.T) {
	w, store := newWorld(t), clustertest.NewFencedStore()
	client := w.client()
	listener, heard := w.listener(client)
	member := w.leased(clustertest.NewLease(), ledgerKindOf(store, listener, nil))
	if sum, err := pay(client, 1); err != nil || sum != 1 {
		t.Fatalf("%d, %v", sum, err)
	}
	<-heard
	pid := client.Get(ledgerID.Name, ledgerKind)
	if _, err := store.Open(t.Context(), ledgerID, driver.Fence{Term: 1 << 60, Seq: 1}); err != nil {
		t.Fatal(err)
	}
	if sum, err := pay(client, 1, cluster.WithTimeout(5*time.Second)); !errors.Is(err, cluster.ErrUnknownOutcome) {
		t.Errorf("%d, %v; want ErrUnknownOutcome", sum, err)
	}
	if got := stored(store); got != 1 {
		t.Errorf("the store has %d; want 1", got)
	}
	if _, err := client.ActorSystem().Root.RequestFuture(pid, wrapperspb.Int64(1), 5*time.Second).Result(); err == nil {
		t.Error("the activation goes on")
	}
	select {
	case sum := <-heard:
		t.Errorf("the listener heard %d of an activation with a successor", sum)
	default:
	}
	if member.Counters().Withheld < 2 {
		t.Errorf("%+v; want its reply and its message withheld", member.Counters())
	}
}

// A turn that is at its write when the lease ends has it refused once the
// successor has opened the value, and nothing of it gets out.
func TestStrictWriteAfterTheLease(t *testing.T) {
	w, store, lease := newWorld(t), clustertest.NewFencedStore(), clustertest.NewLease()
	client := w.client()
	listener, heard := w.listener(client)
	begun, goOn := make(chan struct{}, 1), make(chan struct{})
	stale := w.leased(lease, ledgerKindOf(store, listener, func(actor.Context) {
		begun <- struct{}{}
		<-goOn
	}))
	late := make(chan error, 1)
	go func() {
		_, err := pay(client, 100, cluster.WithTimeout(time.Minute))
		late <- err
	}()
	<-begun
	next := w.leased(clustertest.NewLease(), ledgerKindOf(store, listener, nil))
	lease.Set(driver.LeaseFenced)
	w.registry.Remove(stale.MemberID()) // as a store does whose lease has run out
	until(t, next, func() bool { return len(next.Members()) == 1 })
	if sum, err := pay(next, 1, cluster.WithTimeout(time.Minute)); err != nil || sum != 1 {
		t.Fatalf("the successor: %d, %v; want 1", sum, err)
	}
	if sum := <-heard; sum != 1 {
		t.Errorf("heard %d", sum)
	}
	close(goOn)
	if err := <-late; !errors.Is(err, cluster.ErrUnknownOutcome) {
		t.Errorf("the stale call: %v; want ErrUnknownOutcome", err)
	}
	if got := stored(store); got != 1 || store.Refused() == 0 {
		t.Errorf("the store has %d and refused %d writes; want 1 and some", got, store.Refused())
	}
}

func TestStateOfAKindThatIsNotStrict(t *testing.T) {
	w := newWorld(t)
	errs := make(chan error, 1)
	member := w.member(cluster.NewKind("Plain", actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
			errs <- cluster.StateOf(ctx).Save(context.Background(), nil)
			ctx.Respond(wrapperspb.Int64(0))
		}
	})))
	if _, err := member.Call("x", "Plain", wrapperspb.Int64(1)); err != nil {
		t.Fatal(err)
	}
	if err := <-errs; !errors.Is(err, cluster.ErrNotStrict) {
		t.Errorf("Save: %v; want ErrNotStrict", err)
	}
}
