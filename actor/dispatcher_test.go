package actor

import (
	"log/slog"
	"maps"
	"sync"
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
