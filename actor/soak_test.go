package actor_test

import (
	"context"
	"flag"
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
	soakActors = flag.Int("soak.actors", 20_000, "how many actors TestSoak spawns; make soak sets a million")
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

	spawned, sent, crashes, requests atomic.Int64
	handled, dead, answered, refused atomic.Int64
	// Instances: each is born, and hears last that it is restarted or stopped.
	born, restarted, stopped atomic.Int64
}

// Messages of the soak. Each that is sent is handled or a dead letter, and counted
// there.
type (
	soakPlain   struct{}
	soakCrash   struct{}
	soakLater   struct{} // is stashed once
	soakRequest struct{} // is answered
	soakReenter struct{} // is answered after something else was
	soakUrgent  struct{}
	soakChild   struct{} // spawns a child, which gets a message
	soakAnswer  struct{} // is one, and does not count
)

func (soakUrgent) Priority() int { return 1 }

func soakMessage(m any) bool {
	switch m.(type) {
	case soakPlain, soakCrash, soakLater, soakRequest, soakReenter, soakUrgent, soakChild:
		return true
	default:
		return false
	}
}

// soaked is the actor.
type soaked struct {
	w     *soak
	later int // how many are stashed
}

func (a *soaked) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Stopped:
		a.w.stopped.Add(1)
	case *actor.Restarting:
		a.w.restarted.Add(1)
	case soakLater:
		if a.later < 3 {
			a.later++
			if ctx.Stash() == nil {
				return
			}
			a.w.handled.Add(-1) // no place in the stash: it is a dead letter, too
		}
		a.w.handled.Add(1)
	case soakPlain, soakUrgent:
		a.w.handled.Add(1)
		if a.later > 0 {
			a.later = 3
			ctx.UnstashAll()
		}
	case soakCrash:
		a.w.handled.Add(1)
		panic("crash")
	case soakRequest:
		a.w.handled.Add(1)
		ctx.Respond(soakAnswer{})
	case soakReenter:
		a.w.handled.Add(1)
		other := ctx.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			if ctx.Message() == "ask" {
				ctx.Respond("answer")
				ctx.Stop(ctx.Self())
			}
		}))
		ctx.ReenterAfter(ctx.RequestFuture(other, "ask", 0), func(any, error) { ctx.Respond(soakAnswer{}) })
	case soakChild:
		a.w.handled.Add(1)
		child := ctx.Spawn(a.w.kinds[0])
		a.w.spawned.Add(1)
		a.w.sent.Add(1)
		ctx.Send(child, soakPlain{})
	}
}

func newSoak(logger *slog.Logger) *soak {
	w := &soak{system: actor.NewActorSystem(actor.WithLogger(logger))}
	actor.SubscribeTo(w.system.EventStream, func(e *actor.DeadLetterEvent) {
		if soakMessage(e.Message) {
			w.dead.Add(1)
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
	send := func(message any) {
		k.w.sent.Add(1)
		root.Send(pid, message)
	}
	switch n := k.r.IntN(1000); {
	case n < 2:
		k.w.crashes.Add(1)
		send(soakCrash{})
	case n < 30:
		k.stop(i)
	case n < 60:
		send(soakLater{})
	case n < 90:
		send(soakUrgent{})
	case n < 100:
		send(soakChild{})
	case n < 200:
		k.w.sent.Add(1)
		k.w.requests.Add(1)
		k.futures = append(k.futures, root.RequestFuture(pid, soakRequest{}, 0))
	case n < 205:
		send(soakReenter{})
	default:
		send(soakPlain{})
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
	for _, f := range k.futures {
		if _, err := f.Result(); err != nil {
			k.w.refused.Add(1)
		} else {
			k.w.answered.Add(1)
		}
	}
	k.futures = nil
}

// settle waits until all that was sent is accounted for and all actors are gone.
func (w *soak) settle(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(time.Minute)
	for w.handled.Load()+w.dead.Load() != w.sent.Load() || w.restarted.Load()+w.stopped.Load() != w.born.Load() {
		if time.Now().After(deadline) {
			t.Fatalf("seed %d: %d messages were sent, %d handled, %d dead letters; of %d instances %d were restarted and %d have stopped",
				*soakSeed, w.sent.Load(), w.handled.Load(), w.dead.Load(), w.born.Load(), w.restarted.Load(), w.stopped.Load())
		}
		<-tick.C
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
		w.settle(t)
		heap[phase] = heapInUse()
	}
	t.Logf("seed %d: %d actors in %v, %d messages: %d handled, %d dead letters; %d crashes, %d restarts; %d requests: %d answered, %d refused",
		*soakSeed, w.spawned.Load(), time.Since(start).Round(time.Millisecond), w.sent.Load(), w.handled.Load(), w.dead.Load(),
		w.crashes.Load(), w.restarted.Load(), w.requests.Load(), w.answered.Load(), w.refused.Load())
	t.Logf("heap after each quarter, everything stopped: %d KiB", scaled(heap[:]))
	if n := dropped.events.Load(); n > 0 {
		t.Errorf("%d dead letter events were dropped, so that the count above is none", n)
	}
	if w.answered.Load()+w.refused.Load() != w.requests.Load() {
		t.Error("requests without an outcome")
	}
	if w.dead.Load() == 0 || w.restarted.Load() == 0 || w.refused.Load() == 0 {
		t.Error("nothing was refused, lost or restarted: this soaks nothing")
	}
	for phase := 1; phase < soakPhases; phase++ {
		if heap[phase] > heap[0]+soakMaxHeap {
			t.Errorf("the heap grows: %d KiB", scaled(heap[:]))
		}
	}
	w.system.Shutdown()
	if leaked(before) {
		t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
	}
}

// dropCount is a log that counts the dead letter events that were dropped.
type dropCount struct{ events atomic.Int64 }

func (d *dropCount) Enabled(context.Context, slog.Level) bool { return true }
func (d *dropCount) WithAttrs([]slog.Attr) slog.Handler       { return d }
func (d *dropCount) WithGroup(string) slog.Handler            { return d }

func (d *dropCount) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "event is dropped") {
		d.events.Add(1)
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
