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
	"github.com/granary-go/granary/cluster/record"
	"github.com/granary-go/granary/remote"
)

// startOn starts a member on a store that the test shuts down itself.
func startOn(t *testing.T, store *clustertest.RecordStore, opts ...cluster.Option) *cluster.Cluster {
	t.Helper()
	c := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())),
		cluster.Configure("test", store.Provider(record.WithTTL(shortTTL), record.WithPause(20*time.Millisecond)), remote.Configure("127.0.0.1", 0), opts...))
	if err := c.StartContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// A process that loses its liveness key before it was taken in registers anew,
// and its Start goes on waiting.
func TestLeaseThatEndsDuringStart(t *testing.T) {
	t.Parallel()
	w, store := newWorld(t), clustertest.NewRecordStore()
	go func() {
		for {
			if _, alive := store.Get("test"); len(alive) > 0 {
				for _, id := range alive {
					store.Expire(id) // while it waits whether there is a record
				}
				return
			}
			select {
			case <-t.Context().Done():
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	member := w.onStore(store, false, w.kind(), cluster.WithStartTimeout(time.Minute))
	add(t, member, "x", 1)
}

// A graceful shutdown while the store cannot be reached leaves the grains their
// time: half of it they have for the mark of their member, which cannot be
// written, and half to stop in. It does not say that the member has left.
func TestShutdownWithoutTheStore(t *testing.T) {
	t.Parallel()
	const limit = 2 * time.Second
	w, store := newWorld(t), clustertest.NewRecordStore()
	// Best effort, so that the end of the lease does not stop them.
	member := startOn(t, store, cluster.NewKind(counterKind, w.kindProps(), cluster.WithBestEffort()), cluster.WithShutdownTimeout(limit))
	each(identities(20), func(id string) { add(t, member, id, 1) })
	store.Outage(true)
	began := time.Now()
	err := member.Shutdown(true)
	if err == nil || !strings.Contains(err.Error(), "the store is down") {
		t.Errorf("%v; want an error that says why it has not left", err)
	} else if strings.Contains(err.Error(), "have not stopped") {
		t.Errorf("the grains had no time: %v", err)
	}
	if took := time.Since(began); took < limit/4 {
		t.Errorf("it gave up after %v", took)
	}
}

// A method that heeds its context ends with the lease, also while the provider
// cannot be reached and the member goes on for its other kinds.
func TestMethodIsToldThatTheLeaseHasEnded(t *testing.T) {
	t.Parallel()
	w, store := newWorld(t), clustertest.NewRecordStore()
	entered := make(chan struct{})
	member := w.onStore(store, false, subjects(entered), cluster.NewKind(counterKind, w.kindProps(), cluster.WithBestEffort()))
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
}

// A shutdown while the process joins again, held up by a grain that does not stop
// and then by a store that cannot be reached, takes no longer than others, and
// says what it could not do.
func TestShutdownWhileJoiningAgain(t *testing.T) {
	for _, cut := range []bool{false, true} {
		t.Run(fmt.Sprintf("cut off %t", cut), func(t *testing.T) {
			t.Parallel()
			w, store := newWorld(t), clustertest.NewRecordStore()
			entered, goOn := make(chan struct{}), make(chan struct{})
			kind := cluster.NewKind("Hung", actor.PropsFromFunc(func(ctx actor.Context) {
				if _, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
					close(entered)
					<-goOn
				}
			}))
			member := startOn(t, store, kind, w.kind(), cluster.WithShutdownTimeout(time.Second))
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
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			if !cut && (err == nil || !strings.Contains(err.Error(), "Hung/x")) {
				t.Errorf("%v; want an error that names the grain", err)
			}
		})
	}
}
