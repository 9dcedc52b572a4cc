package actor

import (
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// runners are those that wait for work.
func (d *goDispatcher) runners() map[*runner]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make(map[*runner]bool)
	for _, r := range d.parked {
		all[r] = true
	}
	return all
}

// inDispatcherBubble gives a system and its dispatcher. The bubble fails if a
// runner is left behind.
func inDispatcherBubble(t *testing.T, f func(s *ActorSystem, d *goDispatcher)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := NewActorSystem(WithLogger(slog.New(slog.DiscardHandler)))
		defer s.Shutdown()
		d, ok := s.dispatcher.(*goDispatcher)
		if !ok {
			t.Fatalf("the dispatcher is a %T", s.dispatcher)
		}
		f(s, d)
	})
}

func TestOneRunnerAfterTheOther(t *testing.T) {
	inDispatcherBubble(t, func(s *ActorSystem, d *goDispatcher) {
		echo := s.Root.Spawn(PropsFromFunc(func(ctx Context) {
			if ctx.Message() == "m" {
				ctx.Respond("reply")
			}
		}))
		synctest.Wait()
		first := d.runners()
		for range 100 {
			if err := s.Root.RequestFuture(echo, "m", time.Hour).Wait(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if now := d.runners(); len(now) != 1 || !maps.Equal(now, first) {
				t.Fatalf("runners %v are parked for one message at a time, want the first: %v", now, first)
			}
		}
	})
}

// As many run as have something to do, and few of them are kept.
func TestRunnersOfHandlersThatBlock(t *testing.T) {
	inDispatcherBubble(t, func(s *ActorSystem, d *goDispatcher) {
		const actors = 3 * maxParked
		var busy sync.WaitGroup
		goOn := make(chan struct{})
		busy.Add(actors)
		for range actors {
			s.Root.Spawn(PropsFromFunc(func(ctx Context) {
				if _, ok := ctx.Message().(*Started); ok {
					busy.Done()
					<-goOn
				}
			}))
		}
		busy.Wait()
		close(goOn)
		synctest.Wait()
		if got := len(d.runners()); got != maxParked {
			t.Errorf("%d runners are parked, want %d", got, maxParked)
		}
		time.Sleep(2 * lookEvery)
		synctest.Wait()
		if got := len(d.runners()); got != 0 {
			t.Errorf("when nothing has happened for a while %d runners are parked", got)
		}
	})
}

// Who is needed now and then stays, the others go.
func TestRunnersThatAreNeeded(t *testing.T) {
	inDispatcherBubble(t, func(s *ActorSystem, d *goDispatcher) {
		pair := [2]*PID{}
		var both sync.WaitGroup
		for i := range pair {
			pair[i] = s.Root.Spawn(PropsFromFunc(func(ctx Context) {
				if ctx.Message() == "meet" {
					both.Done()
					both.Wait()
				}
			}))
		}
		synctest.Wait()
		var kept map[*runner]bool
		for range 10 {
			both.Add(2)
			s.Root.Send(pair[0], "meet")
			s.Root.Send(pair[1], "meet")
			synctest.Wait()
			now := d.runners()
			if len(now) != 2 || kept != nil && !maps.Equal(now, kept) {
				t.Fatalf("runners %v are parked, want the same two all the time: %v", now, kept)
			}
			kept = now
			time.Sleep(lookEvery - 1)
		}
	})
}

// A handler that has woken others and then blocks does not keep them.
func TestNobodyWaitsForWhoWokeThem(t *testing.T) {
	inDispatcherBubble(t, func(s *ActorSystem, _ *goDispatcher) {
		const others, depth = 100, 50
		var handled atomic.Int32
		goOn := make(chan struct{})
		var wakes func(ctx Context)
		wakes = func(ctx Context) {
			left, ok := ctx.Message().(int)
			if !ok {
				return
			}
			handled.Add(1)
			if left == 0 {
				return
			}
			for range others {
				ctx.Send(ctx.Spawn(PropsFromFunc(wakes)), 0)
			}
			ctx.Send(ctx.Spawn(PropsFromFunc(wakes)), left-1)
			<-goOn
		}
		s.Root.Send(s.Root.Spawn(PropsFromFunc(wakes)), depth)
		synctest.Wait()
		if got, want := handled.Load(), int32(depth*(others+1)+1); got != want {
			t.Errorf("%d messages are handled while %d handlers block, want %d", got, depth, want)
		}
		close(goOn)
	})
}

// Actors wake each other on all cores, handlers block now and then: each message
// is handled. A wake that is lost leaves a message behind, and the bubble notices
// that everybody waits.
func TestNoWakeIsLost(t *testing.T) {
	const actors, tokens, hops = 64, 48, 2000
	inDispatcherBubble(t, func(s *ActorSystem, d *goDispatcher) {
		var all [actors]*PID
		var ended sync.WaitGroup
		door := make(chan struct{}) // somebody who blocks at it is let through at once
		closed := make(chan struct{})
		var doorkeeper sync.WaitGroup
		doorkeeper.Go(func() {
			for {
				select {
				case <-door:
				case <-closed:
					return
				}
			}
		})
		for i := range all {
			chance := rand.New(rand.NewPCG(7, uint64(i)))
			all[i] = s.Root.Spawn(PropsFromFunc(func(ctx Context) {
				left, ok := ctx.Message().(int)
				switch {
				case !ok:
				case left == 0:
					ended.Done()
				default:
					if chance.IntN(8) == 0 {
						door <- struct{}{}
					}
					ctx.Send(all[chance.IntN(actors)], left-1)
				}
			}))
		}
		ended.Add(tokens)
		for i := range tokens {
			s.Root.Send(all[i%actors], hops)
		}
		ended.Wait()
		close(closed)
		doorkeeper.Wait()
		synctest.Wait()
		for i := range d.shards {
			if n := d.shards[i].runners.Load(); n != 0 || d.shards[i].length.Load() != 0 {
				t.Errorf("when all is over, shard %d counts %d runners and %d cells", i, n, d.shards[i].length.Load())
			}
		}
		if d.searching.Load() {
			t.Error("when all is over, somebody searches")
		}
	})
}

// Who queues a cell while somebody searches wakes nobody. So a searcher that found
// nothing must look once more when it has said that it gives up.
func TestSearcherThatGivesUp(t *testing.T) {
	inDispatcherBubble(t, func(_ *ActorSystem, d *goDispatcher) {
		s := &d.shards[len(d.shards)-1]
		d.searching.Store(true)
		if !d.giveUp() || d.searching.Load() {
			t.Error("a searcher that nobody waits for goes on")
		}
		d.searching.Store(true)
		s.push(&cell{})
		if d.giveUp() || !d.searching.Load() {
			t.Error("a searcher gives up while a cell waits that was queued before it said so")
		}
		s.pop()
		d.searching.Store(false)
	})
}

func TestShutdownEndsRunners(t *testing.T) {
	inDispatcherBubble(t, func(s *ActorSystem, d *goDispatcher) {
		s.Root.Spawn(PropsFromFunc(func(Context) {}))
		synctest.Wait()
		s.Shutdown()
		synctest.Wait()
		if got := len(d.runners()); got != 0 {
			t.Errorf("%d runners are parked", got)
		}
	})
}
