package actor_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
)

var (
	soakActors = flag.Int("soak.actors", 20_000, "how many actors TestSoak spawns; make soak sets eight million")
	soakSeed   = flag.Uint64("soak.seed", 1, "the seed of TestSoak")
)

const (
	soakers     = 8    // goroutines that spawn, send and stop
	soakAlive   = 2000 // actors that one of them keeps alive at a time
	soakPhases  = 4    // between them everything is stopped and the memory looked at
	soakMaxHeap = 4 << 20
)

// soak is the world of TestSoak: what was sent, and what became of it.
type soak struct {
	system *actor.ActorSystem
	kinds  []*actor.Props

	spawned, crashes           atomic.Int64
	sent, handled, dead        soakTally
	requests, ran, undelivered soakTally // requests alone: sent, handled, dead
	answered, refused          atomic.Int64
	// Continuations: begun, run, and void because their instance was gone.
	begun, continued, void atomic.Int64
	// Instances: each is born, and hears last that it is restarted or stopped.
	born, restarted, stopped atomic.Int64
}

// soakTally counts messages, and adds up their ids, so that one that was lost is not
// made up for by another that came twice.
type soakTally struct {
	n   atomic.Int64
	ids atomic.Uint64
}

func (a *soakTally) add(m *soakMessage) {
	a.n.Add(1)
	a.ids.Add(m.id)
}

// soakMessage is handled or a dead letter, once.
type soakMessage struct {
	what soakKind
	id   uint64
}

type soakKind uint8

const (
	soakPlain soakKind = iota
	soakUrgent
	soakCrash
	soakLater   // is stashed a few times
	soakRequest // is answered
	soakReenter // begins a continuation
	soakChild   // spawns a child, which gets a message
)

// Priority implements actor.PriorityMessage.
func (m *soakMessage) Priority() int {
	if m.what == soakUrgent {
		return 1
	}
	return 0
}

var soakIDs atomic.Uint64

// message makes one, and books it as sent.
func (w *soak) message(what soakKind) *soakMessage {
	m := &soakMessage{what, soakIDs.Add(1)}
	w.sent.add(m)
	if what == soakRequest {
		w.requests.add(m)
	}
	return m
}

// soaked is the actor.
type soaked struct {
	w     *soak
	later int // how many are stashed
}

func (a *soaked) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Stopped:
		a.w.stopped.Add(1)
	case *actor.Restarting:
		a.w.restarted.Add(1)
	case *soakMessage:
		if m.what == soakLater && a.later < 3 {
			a.later++
			_ = ctx.Stash() // if there is no room it is a dead letter
			return
		}
		a.w.handled.add(m)
		a.handle(ctx, m)
	}
}

func (a *soaked) handle(ctx actor.Context, m *soakMessage) {
	switch m.what {
	case soakPlain, soakUrgent:
		if a.later > 0 {
			a.later = 3
			ctx.UnstashAll()
		}
	case soakCrash:
		panic("crash")
	case soakRequest:
		a.w.ran.add(m)
		ctx.Respond("answer")
	case soakReenter:
		other := ctx.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if ctx.Message() == "ask" {
				ctx.Respond("answer")
				ctx.Stop(ctx.Self())
			}
		}))
		a.w.begun.Add(1)
		ctx.ReenterAfter(ctx.RequestFuture(other, "ask", 0), func(any, error) { a.w.continued.Add(1) })
	case soakChild:
		child := ctx.Spawn(a.w.kinds[0])
		a.w.spawned.Add(1)
		ctx.Send(child, a.w.message(soakPlain))
	}
}

func newSoak(logger *slog.Logger) *soak {
	w := &soak{system: actor.NewActorSystem(actor.WithLogger(logger))}
	actor.SubscribeTo(w.system.EventStream, func(e *actor.DeadLetterEvent) {
		switch m := e.Message.(type) {
		case *soakMessage:
			w.dead.add(m)
			if m.what == soakRequest {
				w.undelivered.add(m)
			}
		case *actor.Continuation:
			w.void.Add(1)
		}
	})
	produce := func() actor.Actor {
		w.born.Add(1)
		return &soaked{w: w}
	}
	for _, opts := range [][]actor.PropsOption{
		nil,
		{actor.WithMailbox(actor.Bounded(4, actor.OverflowReject))},
		{actor.WithMailbox(actor.Bounded(4, actor.OverflowDropOldest)), actor.WithGuardian(actor.NewRestartingStrategy())},
		{actor.WithMailbox(actor.Bounded(4, actor.OverflowWait)), actor.WithStashCapacity(1)},
		{actor.WithMailbox(actor.UnboundedPriority())},
		{actor.WithDispatcher(actor.DispatcherDedicated)},
		{actor.WithGuardian(actor.NewOneForOneStrategy(0, 0, nil))},
		{actor.WithGuardian(actor.NewExponentialBackoffStrategy(time.Millisecond, time.Microsecond))},
	} {
		w.kinds = append(w.kinds, actor.PropsFromProducer(produce, opts...))
	}
	return w
}

// soaker is one goroutine's part.
type soaker struct {
	w       *soak
	r       *rand.Rand
	alive   []*actor.PID
	futures []*actor.Future
}

func (k *soaker) run(spawns int) {
	for spawns > 0 {
		if len(k.alive) < soakAlive {
			k.alive = append(k.alive, k.w.system.Root.Spawn(k.w.kinds[k.r.IntN(len(k.w.kinds))]))
			k.w.spawned.Add(1)
			spawns--
		}
		for range k.r.IntN(12) {
			k.act(k.r.IntN(len(k.alive)))
			if len(k.alive) == 0 {
				break
			}
		}
		if len(k.alive) == soakAlive {
			k.stop(k.r.IntN(len(k.alive)))
		}
	}
	for len(k.alive) > 0 {
		k.stop(len(k.alive) - 1)
	}
	k.await()
}

// act does something to the i-th actor.
func (k *soaker) act(i int) {
	root, pid := k.w.system.Root, k.alive[i]
	switch n := k.r.IntN(1000); {
	case n < 2:
		k.w.crashes.Add(1)
		root.Send(pid, k.w.message(soakCrash))
	case n < 30:
		k.stop(i)
	case n < 60:
		root.Send(pid, k.w.message(soakLater))
	case n < 90:
		root.Send(pid, k.w.message(soakUrgent))
	case n < 100:
		root.Send(pid, k.w.message(soakChild))
	case n < 200:
		k.futures = append(k.futures, root.RequestFuture(pid, k.w.message(soakRequest), 0))
	case n < 205:
		root.Send(pid, k.w.message(soakReenter))
	default:
		root.Send(pid, k.w.message(soakPlain))
	}
	if len(k.futures) > 1000 {
		k.await()
	}
}

func (k *soaker) stop(i int) {
	pid := k.alive[i]
	k.alive[i] = k.alive[len(k.alive)-1]
	k.alive = k.alive[:len(k.alive)-1]
	if k.r.IntN(2) == 0 {
		k.w.system.Root.Stop(pid)
		return
	}
	k.w.system.Root.Poison(pid)
}

// await waits for every answer: each request has one, or an error that says that
// it did not run.
func (k *soaker) await() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, f := range k.futures {
		switch _, err := f.ResultContext(ctx); {
		case err == nil:
			k.w.answered.Add(1)
		case errors.Is(err, actor.ErrDeadLetter):
			k.w.refused.Add(1)
		} // else it is in neither tally, which is found out
	}
	k.futures = nil
}

// settled reports whether all that was sent is accounted for and all actors are gone.
func (w *soak) settled() bool {
	return w.handled.n.Load()+w.dead.n.Load() == w.sent.n.Load() &&
		w.restarted.Load()+w.stopped.Load() == w.born.Load() &&
		w.continued.Load()+w.void.Load() == w.begun.Load()
}

func (w *soak) String() string {
	return fmt.Sprintf("seed %d: %d actors; %d messages: %d handled, %d dead letters; %d crashes, of %d instances %d restarted and %d stopped; "+
		"%d requests: %d answered, %d refused; %d continuations: %d ran, %d void", *soakSeed, w.spawned.Load(),
		w.sent.n.Load(), w.handled.n.Load(), w.dead.n.Load(), w.crashes.Load(), w.born.Load(), w.restarted.Load(), w.stopped.Load(),
		w.requests.n.Load(), w.answered.Load(), w.refused.Load(), w.begun.Load(), w.continued.Load(), w.void.Load())
}

// settle waits until all is settled.
func (w *soak) settle(t *testing.T, dropped *dropCount) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(time.Minute)
	for !w.settled() {
		if time.Now().After(deadline) {
			t.Fatalf("it does not settle (lines about dead letter events that were dropped: %d): %v", dropped.lines.Load(), w)
		}
		<-tick.C
	}
}

// check looks at the tallies of a world that has settled.
func (w *soak) check(t *testing.T) {
	t.Helper()
	if got, want := w.handled.ids.Load()+w.dead.ids.Load(), w.sent.ids.Load(); got != want {
		t.Errorf("messages were lost, and others came twice: ids add up to %d, not %d: %v", got, want, w)
	}
	if w.ran.n.Load() != w.answered.Load() || w.undelivered.n.Load() != w.refused.Load() {
		t.Errorf("%d requests ran and %d were dead letters: %v", w.ran.n.Load(), w.undelivered.n.Load(), w)
	}
	if w.dead.n.Load() == 0 || w.restarted.Load() == 0 || w.refused.Load() == 0 || w.continued.Load() == 0 || w.void.Load() == 0 {
		t.Errorf("something did not happen at all: this soaks nothing: %v", w)
	}
}

// A message that was accepted is handled or a dead letter, a request is answered
// or refused, whatever happens to actors meanwhile; and nothing is left of them.
func TestSoak(t *testing.T) {
	dropped := &dropCount{}
	before := runtime.NumGoroutine()
	w := newSoak(slog.New(dropped))
	start := time.Now()
	var heap [soakPhases]uint64
	for phase := range soakPhases {
		var wg sync.WaitGroup
		for i := range soakers {
			k := &soaker{w: w, r: rand.New(rand.NewPCG(*soakSeed, uint64(phase*soakers+i)))}
			wg.Go(func() { k.run(*soakActors / soakPhases / soakers) })
		}
		wg.Wait()
		w.settle(t, dropped)
		heap[phase] = heapInUse()
	}
	t.Logf("%v in %v", w, time.Since(start).Round(time.Millisecond))
	t.Logf("heap after each quarter, everything stopped: %d KiB", scaled(heap[:]))
	w.check(t)
	for phase := 1; phase < soakPhases; phase++ {
		if heap[phase] > heap[0]+soakMaxHeap {
			t.Errorf("the heap grows: %d KiB", scaled(heap[:]))
		}
	}
	if err := w.system.ShutdownContext(t.Context()); err != nil {
		t.Error(err)
	}
	w.check(t) // nothing came twice meanwhile
	if leaked(before) {
		t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
	}
}

// dropCount is a log that counts the dead letter events that were dropped.
type dropCount struct{ lines atomic.Int64 }

func (d *dropCount) Enabled(context.Context, slog.Level) bool { return true }
func (d *dropCount) WithAttrs([]slog.Attr) slog.Handler       { return d }
func (d *dropCount) WithGroup(string) slog.Handler            { return d }

func (d *dropCount) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "event is dropped") {
		d.lines.Add(1)
	}
	return nil
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // finalizers and pools of the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func scaled(bytes []uint64) []uint64 {
	kib := make([]uint64, len(bytes))
	for i, n := range bytes {
		kib[i] = n >> 10
	}
	return kib
}
