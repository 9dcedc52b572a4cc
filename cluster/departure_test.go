package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
)

// startOn starts a member on a store that the test shuts down itself.
func (b *bubble) startOn(store *clustertest.RecordStore, opts ...cluster.Option) *cluster.Cluster {
	b.t.Helper()
	c := b.build(providerOn(store), opts...)
	b.t.Cleanup(c.ActorSystem().Shutdown)
	if err := c.StartContext(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	return c
}

// A process that loses its liveness key before it was taken in registers anew,
// and its Start goes on waiting.
func TestLeaseThatEndsDuringStart(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		store := clustertest.NewRecordStore()
		go func() {
			for t.Context().Err() == nil {
				time.Sleep(time.Millisecond)
				if _, alive := store.Get("test"); len(alive) > 0 {
					store.Expire(alive[0]) // while it waits whether there is a record
					return
				}
			}
		}()
		member := b.onStore(store, b.kind(), cluster.WithStartTimeout(time.Minute))
		add(t, member, "x", 1)
	})
}

// A graceful shutdown while the store cannot be reached leaves the grains their
// time: half of it they have for the mark of their member, which cannot be
// written, and half to stop in. It does not say that the member has left.
func TestShutdownWithoutTheStore(t *testing.T) {
	const limit = 2 * time.Second
	inBubble(t, func(t *testing.T, b *bubble) {
		store := clustertest.NewRecordStore()
		// Best effort, so that the end of the lease does not stop them.
		member := b.startOn(store, cluster.NewKind(counterKind, b.kindProps(), cluster.WithBestEffort()), cluster.WithShutdownTimeout(limit))
		each(identities(20), func(id string) { add(t, member, id, 1) })
		store.Outage(true)
		began := time.Now()
		err := member.Shutdown(true)
		if err == nil || !strings.Contains(err.Error(), "the store is down") {
			t.Errorf("%v; want an error that says why it has not left", err)
		} else if strings.Contains(err.Error(), "have not stopped") {
			t.Errorf("the grains had no time: %v", err)
		}
		if took := time.Since(began); took < limit/4 || took > limit {
			t.Errorf("it took %v", took)
		}
	})
}

// A method that heeds its context ends with the lease, also while the provider
// cannot be reached and the member goes on for its other kinds.
func TestMethodIsToldThatTheLeaseHasEnded(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		store := clustertest.NewRecordStore()
		entered := make(chan struct{})
		member := b.onStore(store, subjects(entered), cluster.NewKind(counterKind, b.kindProps(), cluster.WithBestEffort()))
		add(t, member, "x", 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		done := make(chan error, 1)
		go func() {
			_, err := callSubject(ctx, member, "x", "Wait", wrapperspb.Int64(1))
			done <- err
		}()
		<-entered
		id := member.MemberID()
		heal := store.Cut(member.ActorSystem().Address())
		if err := <-done; !errors.Is(err, cluster.ErrUnknownOutcome) || errors.Is(err, cluster.ErrTimeout) {
			t.Errorf("%v; want ErrUnknownOutcome", err)
		}
		if got := add(t, member, "x", 1); got != 2 || member.MemberID() != id {
			t.Errorf("a best-effort grain has %d on member %s; want 2, on %s", got, member.MemberID(), id)
		}
		heal()
	})
}

// A shutdown while the process joins again, held up by a grain that does not stop
// and then by a store that cannot be reached, takes no longer than others, and
// says what it could not do.
func TestShutdownWhileJoiningAgain(t *testing.T) {
	for _, cut := range []bool{false, true} {
		t.Run(fmt.Sprintf("cut off %t", cut), func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) { shutDownWhileJoiningAgain(t, b, cut) })
		})
	}
}

func shutDownWhileJoiningAgain(t *testing.T, b *bubble, cut bool) {
	const limit = time.Second
	store := clustertest.NewRecordStore()
	entered, goOn := make(chan struct{}), make(chan struct{})
	kind := cluster.NewKind("Hung", actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
			close(entered)
			<-goOn
		}
	}))
	member := b.startOn(store, kind, b.kind(), cluster.WithShutdownTimeout(limit))
	go func() { _, _ = member.Call("x", "Hung", wrapperspb.Int64(1)) }()
	<-entered
	fenced := make(chan struct{}, 1)
	actor.SubscribeTo(member.ActorSystem().EventStream, func(ev *cluster.MemberLease) {
		if ev.Phase == driver.LeaseFenced {
			fenced <- struct{}{}
		}
	})
	store.Expire(member.MemberID())
	<-fenced
	if cut {
		store.Cut(member.ActorSystem().Address())
		close(goOn)
	} else {
		defer close(goOn)
	}
	began := time.Now()
	err := member.Shutdown(true)
	if took := time.Since(began); took > limit {
		t.Errorf("it took %v; the limit is %v", took, limit)
	}
	if !cut && (err == nil || !strings.Contains(err.Error(), "Hung/x")) {
		t.Errorf("%v; want an error that names the grain", err)
	}
}
