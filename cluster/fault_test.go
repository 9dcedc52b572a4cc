package cluster_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/remote"
)

// on makes a kind of what handles its user messages.
func on(name string, handle func(ctx actor.Context)) *cluster.Kind {
	return cluster.NewKind(name, actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
			handle(ctx)
		}
	}))
}

// A PID that Get gave is not given for ever: the owner soon hears that its
// activation has ended.
func TestGetAfterTheGrainStopped(t *testing.T) {
	w := newWorld(t)
	member := w.member()
	for _, c := range []*cluster.Cluster{member, w.client()} {
		first := c.Get("x", counterKind)
		end, err := c.ActorSystem().Root.PoisonFuture(first).ResultContext(t.Context())
		if m, ok := end.(*actor.Terminated); err != nil || !ok || m.Why != actor.TerminatedReasonStopped {
			t.Fatalf("the grain that Get gave ended with %+v, %v", end, err)
		}
		second := c.Get("x", counterKind)
		for deadline := time.Now().Add(20 * time.Second); second.Equal(first); second = c.Get("x", counterKind) {
			if time.Now().After(deadline) {
				t.Fatal("Get goes on giving the PID of an activation that has ended")
			}
		}
		if _, err := actor.Ask[*wrapperspb.Int64Value](t.Context(), c.ActorSystem().Root, second, wrapperspb.Int64(1)); err != nil {
			t.Error(err)
		}
	}
}

// A dead letter of somebody else does not say that the call has not run.
func TestGrainThatForwardsToADeadActor(t *testing.T) {
	w := newWorld(t)
	var ran atomic.Int64
	c := w.member(on("Forwarder", func(ctx actor.Context) {
		ran.Add(1)
		ctx.Forward(ctx.ActorSystem().NewLocalPID("nobody"))
	}))
	_, err := c.Call("x", "Forwarder", wrapperspb.Int64(1))
	if !errors.Is(err, cluster.ErrUnknownOutcome) || ran.Load() != 1 {
		t.Errorf("%v after %d runs; want ErrUnknownOutcome after one", err, ran.Load())
	}
}

// A try that is not answered is given up after its own time-out, and the next one counts.
func TestTryTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		const patience = 70 * time.Millisecond
		var tries atomic.Int64
		c := b.process(cluster.WithTryTimeout(patience), on("Deaf", func(ctx actor.Context) {
			if tries.Add(1) > 1 {
				ctx.Respond(wrapperspb.Int64(1))
			}
		}))
		began := time.Now()
		_, err := c.Call("x", "Deaf", wrapperspb.Int64(1), cluster.WithRetry(1))
		if took := time.Since(began); err != nil || tries.Load() != 2 || took < patience || took > cluster.DefaultTryTimeout/2 {
			t.Errorf("%v after %d tries and %v; want an answer to the second, which comes after %v", err, tries.Load(), took, patience)
		}
	})
}

// A call whose context has ended is not sent, also where the grain is known.
func TestCallAfterTheEndOfItsContext(t *testing.T) {
	w := newWorld(t)
	c := w.member()
	add(t, c, "x", 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.CallContext(ctx, "x", counterKind, wrapperspb.Int64(1))
	if !errors.Is(err, context.Canceled) || errors.Is(err, cluster.ErrUnknownOutcome) {
		t.Errorf("%v; want context.Canceled and no doubt", err)
	}
	if got := add(t, c, "x", 0); got != 1 {
		t.Errorf("sum %d: the call ran", got)
	}
}

// A producer that takes its time holds up its own grain and nothing else.
func TestSlowProducerHoldsUpItsOwnGrainOnly(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	slow := cluster.NewKind("Slow", actor.PropsFromProducer(func() actor.Actor {
		<-release
		return &counter{world: w}
	}))
	c := w.member(slow, w.kind())
	slowDone := make(chan error, 1)
	go func() {
		_, err := c.Call("x", "Slow", wrapperspb.Int64(1))
		slowDone <- err
	}()
	each(identities(20), func(id string) { add(t, c, id, 1) })
	close(release)
	if err := <-slowDone; err != nil {
		t.Error(err)
	}
}

// A producer that fails is an answer, and is tried again.
func TestProducerThatFailsAtFirst(t *testing.T) {
	for what, fails := range map[string]func() actor.Actor{
		"returns nil": func() actor.Actor { return nil },
		"panics":      func() actor.Actor { panic("no state to load") },
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			var broken atomic.Bool
			broken.Store(true)
			c := w.member(cluster.NewKind(counterKind, actor.PropsFromProducer(func() actor.Actor {
				if broken.Load() {
					return fails()
				}
				return &counter{world: w}
			})))
			_, err := tryAdd(c, "x", 1)
			if ge, ok := errors.AsType[*cluster.GrainError](err); !ok || ge.Code != cluster.CodeActivation {
				t.Fatalf("%v; want CodeActivation", err)
			}
			broken.Store(false)
			for deadline := time.Now().Add(20 * time.Second); ; {
				if _, err = tryAdd(c, "x", 1); err == nil {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("calls without a pause keep the failed activation: %v", err)
				}
			}
		})
	}
}

// A grain whose handler hangs does not make Shutdown hang.
func TestShutdownIsBounded(t *testing.T) {
	w := newWorld(t)
	entered, release := make(chan struct{}), make(chan struct{})
	c := w.make(on("Stuck", func(actor.Context) {
		close(entered)
		<-release
	}), cluster.WithShutdownTimeout(100*time.Millisecond))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	called := make(chan error, 1)
	go func() {
		_, err := c.Call("x", "Stuck", wrapperspb.Int64(1), cluster.WithTimeout(time.Second))
		called <- err
	}()
	<-entered
	err := c.Shutdown(true)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "Stuck/x") {
		t.Errorf("%v; want an error that names the grain that has not stopped", err)
	}
	close(release)
	if err := <-called; err == nil {
		t.Error("the call was answered by a grain that answers nothing")
	}
	c.ActorSystem().Shutdown()
}

// A grain that ends without having told anybody, as by runtime.Goexit in its
// last handler, does not make Shutdown spin.
func TestShutdownForgetsWhatEndedBadly(t *testing.T) {
	w := newWorld(t)
	var made atomic.Int64
	c := w.member(cluster.NewKind("Bad", actor.PropsFromProducer(func() actor.Actor {
		if made.Add(1) > 1 {
			panic("no second time")
		}
		return actor.ReceiveFunc(func(ctx actor.Context) {
			if _, ok := ctx.Message().(*wrapperspb.Int64Value); ok {
				panic("at work")
			}
		})
	})))
	if _, err := c.Call("x", "Bad", wrapperspb.Int64(1), cluster.WithTimeout(50*time.Millisecond)); err == nil {
		t.Error("a panic was an answer")
	}
	if err := c.Shutdown(true); err != nil {
		t.Error(err)
	}
}

func TestFailedStartIsRemembered(t *testing.T) {
	w := newWorld(t)
	first := w.member()
	port := portOf(t, first)
	c := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())),
		cluster.Configure("test", w.registry.Provider(), remote.Configure("127.0.0.1", port), w.kind()))
	if err := c.Start(); !errors.Is(err, remote.ErrPortInUse) {
		t.Fatalf("Start: %v", err)
	}
	_, called := tryAdd(c, "x", 1)
	for what, err := range map[string]error{"call": called, "Start": c.Start(), "Shutdown": c.Shutdown(true)} {
		if !errors.Is(err, cluster.ErrNotStarted) || !errors.Is(err, remote.ErrPortInUse) {
			t.Errorf("%s after a failed start: %v; want ErrNotStarted and its cause", what, err)
		}
	}
}

func TestTwoClustersOfOneSystem(t *testing.T) {
	w := newWorld(t)
	system := actor.NewActorSystem(actor.WithLogger(quiet()))
	config := cluster.Configure("test", w.registry.Provider(), remote.Configure("127.0.0.1", 0))
	first := cluster.New(system, config)
	cluster.New(system, config)
	if err := first.Start(); err == nil || !strings.Contains(err.Error(), "another cluster") {
		t.Errorf("Start: %v", err)
	}
}

// badViews is a provider whose views cannot be used.
type badViews struct {
	driver.Provider
	watches atomic.Int64
	back    bool // they repeat, after one that is good
}

func (p *badViews) Join(ctx context.Context, r driver.Request) (driver.Session, error) {
	s, err := p.Provider.Join(ctx, r)
	return &badSession{Session: s, provider: p}, err
}

type badSession struct {
	driver.Session
	provider *badViews
}

func (s *badSession) Watch(ctx context.Context, after uint64) (driver.View, error) {
	if n := s.provider.watches.Add(1); s.provider.back {
		if n == 1 {
			return s.Session.Watch(ctx, after)
		}
		return s.Session.Watch(ctx, 0) // the same again
	}
	return driver.View{Epoch: after + 1, Members: []driver.Member{{ID: "a", Address: "x:1"}, {ID: "b", Address: "x:1"}}}, nil
}

// Views that cannot be used are refused, without haste, and are no harm.
func TestViewsThatCannotBeUsed(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		p := &badViews{Provider: b.registry.Provider()}
		c := b.build(p, b.kind())
		defer c.ActorSystem().Shutdown()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		err := c.StartContext(ctx)
		if err == nil || !strings.Contains(err.Error(), "share the address") {
			t.Errorf("Start: %v; want what is wrong with the views", err)
		}
		if n := p.watches.Load(); n > 20 {
			t.Errorf("%d views were asked for in 300 ms", n)
		}
		if c := c.Counters(); c.RefusedViews == 0 {
			t.Errorf("%+v; want the views counted", c)
		}
	})
}

// A view that repeats, or goes back, is refused and counted; the member goes on
// with the last good one.
func TestViewsThatRepeat(t *testing.T) {
	w := newWorld(t)
	c := cluster.New(actor.NewActorSystem(actor.WithLogger(quiet())),
		cluster.Configure("test", &badViews{Provider: w.registry.Provider(), back: true}, remote.Configure("127.0.0.1", 0), w.kind()))
	if err := c.StartContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Shutdown(false) }()
	epoch := c.View().Epoch
	for range 100 {
		add(t, c, "x", 1)
	}
	if got := c.View().Epoch; got != epoch {
		t.Errorf("the epoch is %d; want %d", got, epoch)
	}
	for patience := time.Now().Add(20 * time.Second); c.Counters().RefusedViews == 0; runtime.Gosched() {
		if time.Now().After(patience) {
			t.Fatalf("%+v; want the views counted", c.Counters())
		}
	}
}
