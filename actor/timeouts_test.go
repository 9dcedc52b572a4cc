package actor

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// Futures of many durations, made and completed at random moments, end exactly when
// their time is over, and no sooner; nothing is left of them.
func TestTimeoutsAreExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewActorSystem(WithLogger(slog.New(slog.DiscardHandler)))
		defer s.Shutdown()
		type asked struct {
			f    *Future
			ends time.Time
		}
		r := rand.New(rand.NewPCG(1, 2))
		var pending []asked
		timedOut, cancelled := 0, 0
		for range 5000 {
			after := time.Duration(1+r.IntN(5)) * 100 * time.Millisecond
			if r.IntN(10) == 0 {
				after += time.Duration(r.IntN(1000)) // most of these have a timer of their own
			}
			pending = append(pending, asked{NewFuture(s, after), time.Now().Add(after)})
			if r.IntN(3) == 0 {
				i := r.IntN(len(pending))
				pending[i].f.Cancel()
				pending = append(pending[:i], pending[i+1:]...)
				cancelled++
			}
			<-time.After(time.Duration(r.IntN(3_000_000)))
			synctest.Wait()
			left := pending[:0]
			for _, a := range pending {
				complete := false
				select {
				case <-a.f.Done():
					complete = true
				default:
				}
				switch {
				case complete != !time.Now().Before(a.ends):
					t.Fatalf("complete: %v at %v, and its time is over at %v", complete, time.Now(), a.ends)
				case complete:
					timedOut++
					if err := a.f.Wait(); !errors.Is(err, ErrTimeout) {
						t.Fatal(err)
					}
				default:
					left = append(left, a)
				}
			}
			pending = left
		}
		<-time.After(time.Second)
		synctest.Wait()
		if timedOut == 0 || cancelled == 0 {
			t.Error("timed out:", timedOut, "cancelled:", cancelled)
		}
		for after, q := range s.timeouts.queues {
			if q.head != nil || q.tail != nil || q.armed {
				t.Errorf("the queue of %v is not empty, or armed for nothing", after)
			}
		}
		if n := len(collect(s.ProcessRegistry, func(p Process) (*Future, bool) {
			f, ok := p.(*Future)
			return f, ok
		})); n != 0 {
			t.Errorf("%d futures are left in the registry", n)
		}
	})
}

// A program that asks with ever new durations does not get ever more queues.
func TestTimeoutQueuesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewActorSystem(WithLogger(slog.New(slog.DiscardHandler)))
		defer s.Shutdown()
		var all []*Future
		for i := range 3 * maxTimeoutQueues {
			all = append(all, NewFuture(s, time.Duration(i+1)*time.Millisecond))
		}
		if n := len(s.timeouts.queues); n != maxTimeoutQueues {
			t.Errorf("%d queues", n)
		}
		start := time.Now()
		for i, f := range all {
			if err := f.Wait(); !errors.Is(err, ErrTimeout) || time.Since(start) != time.Duration(i+1)*time.Millisecond {
				t.Fatalf("future %d: %v after %v", i, err, time.Since(start))
			}
		}
	})
}

// What is done on a timeout may wait for another future of the same moment.
func TestTimeoutsOfOneMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewActorSystem(WithLogger(slog.New(slog.DiscardHandler)))
		defer s.Shutdown()
		first, second := NewFuture(s, time.Second), NewFuture(s, time.Second)
		var seen error
		first.onComplete(func(any, error) { seen = second.Wait() })
		<-time.After(2 * time.Second)
		synctest.Wait()
		if !errors.Is(seen, ErrTimeout) {
			t.Error(seen)
		}
	})
}

// A future of an actor's end that nobody waits for any more leaves nothing with the
// actor, which may take long to end.
func TestCancelledStopFutures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewActorSystem(WithLogger(slog.New(slog.DiscardHandler)))
		defer s.Shutdown()
		release := make(chan struct{})
		pid := s.Root.Spawn(PropsFromFunc(func(ctx Context) {
			if _, ok := ctx.Message().(*Started); ok {
				ctx.Spawn(PropsFromFunc(func(ctx Context) {
					if _, ok := ctx.Message().(*Stopping); ok {
						<-release
					}
				}))
			}
		}))
		synctest.Wait()
		c := cellOf(t, s, pid)
		for range 10 {
			f := s.Root.StopFuture(pid)
			synctest.Wait()
			f.Cancel()
			synctest.Wait()
		}
		f := s.Root.StopFuture(pid)
		f.Cancel() // before the actor knows of it
		synctest.Wait()
		if n := c.extras.watchers.len(); n != 0 {
			t.Errorf("%d watchers are left", n)
		}
		last := s.Root.StopFuture(pid)
		close(release)
		if err := last.Wait(); err != nil {
			t.Error(err)
		}
	})
}
