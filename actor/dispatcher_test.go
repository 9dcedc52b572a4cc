package actor

import (
	"log/slog"
	"maps"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// count is how many runners wait for work.
func (d *goDispatcher) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.parked)
}

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

// inDispatcherBubble gives a system and its dispatcher.
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
		before := runtime.NumGoroutine()
		echo := s.Root.Spawn(PropsFromFunc(func(ctx Context) {
			if ctx.Message() == "m" {
				ctx.Respond("reply")
			}
		}))
		for range 100 {
			if err := s.Root.RequestFuture(echo, "m", time.Hour).Wait(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := runtime.NumGoroutine() - before; got > 1 {
				t.Fatalf("%d goroutines for one message at a time", got)
			}
		}
		if got := d.count(); got != 1 {
			t.Errorf("%d runners are parked, want the one", got)
		}
	})
}

// As many run as have something to do, and few of them are kept.
func TestRunnersOfHandlersThatBlock(t *testing.T) {
	inDispatcherBubble(t, func(s *ActorSystem, d *goDispatcher) {
		const actors = 3 * maxParked
		before := runtime.NumGoroutine()
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
		if got := d.count(); got != maxParked {
			t.Errorf("%d runners are parked, want %d", got, maxParked)
		}
		time.Sleep(2 * lookEvery)
		synctest.Wait()
		if got, left := d.count(), runtime.NumGoroutine()-before; got != 0 || left > 0 {
			t.Errorf("when nothing has happened for a while %d runners are parked, and %d goroutines are left", got, left)
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

func TestShutdownEndsRunners(t *testing.T) {
	inDispatcherBubble(t, func(s *ActorSystem, d *goDispatcher) {
		before := runtime.NumGoroutine()
		s.Root.Spawn(PropsFromFunc(func(Context) {}))
		synctest.Wait()
		s.Shutdown()
		synctest.Wait()
		if got, left := d.count(), runtime.NumGoroutine()-before; got != 0 || left > 0 {
			t.Errorf("%d runners are parked, and %d goroutines are left", got, left)
		}
	})
}
