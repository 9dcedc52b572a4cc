package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
)

// handOn are the ways to let another actor give the reply.
var handOn = map[string]func(ctx actor.Context, to *actor.PID){
	"forward":       func(ctx actor.Context, to *actor.PID) { ctx.Forward(to) },
	"custom sender": func(ctx actor.Context, to *actor.PID) { ctx.RequestWithCustomSender(to, ctx.Message(), ctx.Sender()) },
	"to itself":     func(ctx actor.Context, _ *actor.PID) { ctx.Forward(ctx.Self()) },
}

// A caller whose request was handed on in a turn that lets nothing out learns at
// once that its outcome is unknown, as if the grain had answered itself.
func TestCallerOfARequestThatIsNotHandedOn(t *testing.T) {
	for name, pass := range handOn {
		t.Run(name, func(t *testing.T) {
			w, store := newWorld(t), clustertest.NewFencedStore()
			client := w.client()
			listener, heard := w.listener(client)
			w.leased(clustertest.NewLease(), cluster.NewKind(ledgerKind, actor.PropsFromFunc(func(ctx actor.Context) {
				if _, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
					_ = cluster.StateOf(ctx).Save(context.Background(), []byte("x"))
					pass(ctx, listener)
				}
			}), cluster.WithStrict(store)))
			store.FailWrites(1)
			if sum, err := pay(client, 1, cluster.WithTimeout(time.Minute)); !errors.Is(err, cluster.ErrUnknownOutcome) || errors.Is(err, cluster.ErrTimeout) {
				t.Errorf("%d, %v; want ErrUnknownOutcome", sum, err)
			}
			if len(heard) > 0 {
				t.Errorf("the listener heard %d of a turn that was not stored", <-heard)
			}
		})
	}
}

// The same of a turn that outlives the lease.
func TestCallerOfARequestThatIsHandedOnAfterTheLease(t *testing.T) {
	for name, pass := range handOn {
		t.Run(name, func(t *testing.T) {
			w, lease := newWorld(t), clustertest.NewLease()
			client := w.client()
			listener, _ := w.listener(client)
			turns := 0
			w.leased(lease, cluster.NewKind(ledgerKind, actor.PropsFromFunc(func(ctx actor.Context) {
				if _, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
					turns++
					lease.Set(driver.LeaseFenced)
					pass(ctx, listener)
				}
			})))
			if sum, err := pay(client, 1, cluster.WithTimeout(time.Minute)); !errors.Is(err, cluster.ErrUnknownOutcome) || errors.Is(err, cluster.ErrTimeout) {
				t.Errorf("%d, %v; want ErrUnknownOutcome", sum, err)
			}
			if turns != 1 {
				t.Errorf("it ran %d times", turns)
			}
		})
	}
}

// An actor that is its own caller hears of a request that was not let out, as it
// does of any dead letter.
func TestRequesterHearsThatItsRequestIsNotLetOut(t *testing.T) {
	w, store := newWorld(t), clustertest.NewFencedStore()
	client := w.client()
	listener, _ := w.listener(client)
	told := make(chan *actor.DeadLetterResponse, 1)
	w.leased(clustertest.NewLease(), cluster.NewKind(ledgerKind, actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *wrapperspb.Int64Value:
			_ = cluster.StateOf(ctx).Save(context.Background(), []byte("x"))
			ctx.Request(listener, m)
			ctx.Respond(m)
		case *actor.DeadLetterResponse:
			told <- m
		}
	}), cluster.WithStrict(store)))
	store.FailWrites(1)
	if _, err := pay(client, 1); !errors.Is(err, cluster.ErrUnknownOutcome) {
		t.Errorf("%v; want ErrUnknownOutcome", err)
	}
	if m := <-told; m.Reason != cluster.ReasonNotStored || !m.Target.Equal(listener) {
		t.Errorf("%+v", m)
	}
}

// A strict grain's Poison does not overtake what it has sent before, to the same
// actor, and gets out also when that does not: nothing is left behind.
func TestStrictPoisonKeepsItsPlace(t *testing.T) {
	w, store := newWorld(t), clustertest.NewFencedStore()
	client := w.client()
	stories := make(chan []any, 2)
	w.leased(clustertest.NewLease(), cluster.NewKind(ledgerKind, actor.PropsFromFunc(func(ctx actor.Context) {
		m, ok := ctx.Message().(*wrapperspb.Int64Value)
		if !ok {
			return
		}
		var got []any
		worker := ctx.ActorSystem().Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *wrapperspb.Int64Value:
				got = append(got, m.Value)
			case *actor.Stopped:
				stories <- got
			}
		}))
		ctx.Send(worker, m)
		ctx.Poison(worker)
		_ = cluster.StateOf(ctx).Save(context.Background(), []byte("x"))
		ctx.Respond(m)
	}), cluster.WithStrict(store)))
	if _, err := pay(client, 7); err != nil {
		t.Fatal(err)
	}
	if got := <-stories; len(got) != 1 || got[0] != int64(7) {
		t.Errorf("the worker got %v before it was poisoned; want 7", got)
	}
	store.FailWrites(1)
	if _, err := pay(client, 7); !errors.Is(err, cluster.ErrUnknownOutcome) {
		t.Errorf("%v; want ErrUnknownOutcome", err)
	}
	if got := <-stories; len(got) != 0 {
		t.Errorf("the worker got %v of a turn that was not stored", got)
	}
}

// A strict turn whose write was acknowledged, and that outlives the lease all the
// same, lets nothing out.
func TestStrictTurnThatOutlivesTheLease(t *testing.T) {
	w, store, lease := newWorld(t), clustertest.NewFencedStore(), clustertest.NewLease()
	client := w.client()
	listener, heard := w.listener(client)
	member := w.leased(lease, cluster.NewKind(ledgerKind, actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
			if err := cluster.StateOf(ctx).Save(context.Background(), []byte("x")); err != nil {
				t.Error(err)
			}
			ctx.Send(listener, m)
			ctx.Respond(m)
			lease.Set(driver.LeaseFenced)
		}
	}), cluster.WithStrict(store)))
	if sum, err := pay(client, 1, cluster.WithTimeout(time.Minute)); !errors.Is(err, cluster.ErrUnknownOutcome) {
		t.Errorf("%d, %v; want ErrUnknownOutcome", sum, err)
	}
	if len(heard) > 0 {
		t.Errorf("the listener heard %d after the lease", <-heard)
	}
	if c := member.Counters(); c.Withheld != 2 {
		t.Errorf("%+v; want a reply and a message withheld", c)
	}
}

// scribe writes down how a store is used.
type scribe struct {
	*clustertest.FencedStore
	calls     []string // by the grain's goroutine, one turn at a time
	failOpens int
}

func (s *scribe) Open(ctx context.Context, id driver.Identity, f driver.Fence) ([]byte, error) {
	s.calls = append(s.calls, "open")
	if s.failOpens > 0 {
		s.failOpens--
		return nil, clustertest.ErrInjected
	}
	return s.FencedStore.Open(ctx, id, f)
}

func (s *scribe) Write(ctx context.Context, id driver.Identity, f driver.Fence, value []byte) error {
	s.calls = append(s.calls, "write")
	return s.FencedStore.Write(ctx, id, f, value)
}

// The first Save of an activation opens the value, also without a Load, and so
// does one after a Save of unknown fate; if that fails the turn lets nothing out.
func TestSaveOpens(t *testing.T) {
	w, store := newWorld(t), &scribe{FencedStore: clustertest.NewFencedStore()}
	member := w.leased(clustertest.NewLease(), cluster.NewKind(ledgerKind, actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
			_ = cluster.StateOf(ctx).Save(context.Background(), []byte("x"))
			ctx.Respond(m)
		}
	}), cluster.WithStrict(store)))
	for _, step := range []struct {
		name    string
		prepare func()
		stored  bool
		want    string
	}{
		{"an open that fails", func() { store.failOpens = 1 }, false, "[open]"},
		{"the first", func() {}, true, "[open write]"},
		{"the next", func() {}, true, "[write]"},
		{"one whose reply is lost", func() { store.LoseReplies(1) }, false, "[write]"},
		{"the one after", func() {}, true, "[open write]"},
	} {
		store.calls = nil
		step.prepare()
		_, err := pay(member, 1)
		if stored := err == nil; stored != step.stored || !stored && !errors.Is(err, cluster.ErrUnknownOutcome) {
			t.Errorf("%s: %v", step.name, err)
		}
		if got := fmt.Sprint(store.calls); got != step.want {
			t.Errorf("%s: %s; want %s", step.name, got, step.want)
		}
	}
}

// A grain whose lease has ended does not call other grains with its context,
// though it keeps that from being cancelled.
func TestFencedGrainDoesNotCallGrains(t *testing.T) {
	w, lease := newWorld(t), clustertest.NewLease()
	w.member(subjects(nil))
	called := make(chan error, 1)
	desc := &cluster.GrainDesc[*subject]{Kind: "Late", GoName: "Late", Methods: []cluster.GrainMethod[*subject]{{
		Name: "Go", Request: newInt, Call: func(_ *subject, req proto.Message, ctx cluster.GrainContext) (proto.Message, error) {
			kept := context.WithoutCancel(ctx)
			if _, err := callSubject(kept, ctx.Cluster(), "x", "Run", req); err != nil {
				t.Errorf("before the lease ended: %v", err)
			}
			lease.Set(driver.LeaseFenced)
			_, err := callSubject(kept, ctx.Cluster(), "x", "Run", req)
			called <- err
			return req, nil
		},
	}}}
	w.leased(lease, cluster.NewGrainKind("Late", func() actor.Actor {
		var host cluster.GrainHost[*subject]
		return actor.ReceiveFunc(func(ctx actor.Context) { host.Receive(ctx, desc, func() *subject { return new(subject) }, 0) })
	}))
	client := w.client()
	if _, err := cluster.CallGrain[proto.Message](t.Context(), client, "Late", "a", "Go", wrapperspb.Int64(1)); !errors.Is(err, cluster.ErrUnknownOutcome) {
		t.Errorf("its caller: %v; want ErrUnknownOutcome", err)
	}
	if err := <-called; err == nil || !strings.Contains(err.Error(), cluster.ReasonFenced) {
		t.Errorf("its call: %v; want %q", err, cluster.ReasonFenced)
	}
}

// A grain that goes on with others while it waits has the gate before its
// continuation, too: it does not run after the lease has ended, and its caller
// learns that the outcome is unknown, since the first half has run.
func TestContinuationAfterTheLease(t *testing.T) {
	w, lease := newWorld(t), clustertest.NewLease()
	client := w.client()
	began := make(chan *actor.Future, 1)
	w.leased(lease, cluster.NewKind(ledgerKind, actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
			f := actor.NewFuture(ctx.ActorSystem(), 0)
			ctx.ReenterAfter(f, func(any, error) {
				t.Error("the continuation ran")
				ctx.Respond(m)
			})
			began <- f
		}
	})))
	done := make(chan error, 1)
	go func() {
		_, err := pay(client, 1, cluster.WithTimeout(time.Minute))
		done <- err
	}()
	f := <-began
	lease.Set(driver.LeaseFenced)
	f.Cancel()
	if err := <-done; !errors.Is(err, cluster.ErrUnknownOutcome) || errors.Is(err, cluster.ErrTimeout) {
		t.Errorf("%v; want ErrUnknownOutcome", err)
	}
}

// What a strict grain's continuation sends waits for the write of its own turn.
func TestContinuationOfAStrictGrain(t *testing.T) {
	w, store := newWorld(t), clustertest.NewFencedStore()
	client := w.client()
	w.leased(clustertest.NewLease(), cluster.NewKind(ledgerKind, actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
			_ = cluster.StateOf(ctx).Save(context.Background(), []byte("x"))
			f := actor.NewFuture(ctx.ActorSystem(), 0)
			ctx.ReenterAfter(f, func(any, error) {
				ctx.Respond(m)
				store.FailWrites(1)
				_ = cluster.StateOf(ctx).Save(context.Background(), []byte("y"))
			})
			f.Cancel()
		}
	}), cluster.WithStrict(store)))
	if sum, err := pay(client, 1, cluster.WithTimeout(time.Minute)); !errors.Is(err, cluster.ErrUnknownOutcome) || errors.Is(err, cluster.ErrTimeout) {
		t.Errorf("%d, %v; want ErrUnknownOutcome", sum, err)
	}
}
