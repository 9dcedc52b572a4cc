package actor_test

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
)

// Faults that were seen in other actor systems, as far as they are about local
// actors. Each has its test; those that other files hold are named here:
//
//	a second waiter of a future hangs, futures race   TestFutureWithManyWaiters
//	restart statistics grow without limit             TestRestartStatisticsAreBounded
//	handlers that block freeze a worker pool          TestBlockedHandlersFreezeNobody
//	"exponential" back-off that is linear             TestFaultExponentialBackoffIsLinear
//	a "bounded" inbox grows without limit             TestFaultBoundedMailboxGrows
//	an empty round-robin router divides by zero       router: TestFaultEmptyRouterCrashes
//	more restarts than allowed crash the process      TestTooManyFailuresStopTheActor

// The caller of an actor that stops waits out its timeout.
func TestFaultMessagesToAStoppingActorVanish(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		gate := make(chan struct{})
		pid := s.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
			switch ctx.Message().(type) {
			case string:
				<-gate
			case *actor.Stopping:
				<-gate
			}
		}))
		s.Root.Send(pid, "block")
		synctest.Wait()
		start := time.Now()
		queued := s.Root.RequestFuture(pid, "queued", time.Minute)
		gone := s.Root.StopFuture(pid)
		gate <- struct{}{} // the handler returns; now Stopping blocks
		if err := queued.Wait(); !errors.Is(err, actor.ErrDeadLetter) {
			t.Error("queued before the stop:", err)
		}
		if err := s.Root.RequestFuture(pid, "late", time.Minute).Wait(); !errors.Is(err, actor.ErrDeadLetter) {
			t.Error("sent while it stops:", err)
		}
		select {
		case <-gone.Done():
			t.Error("the actor has stopped before its time")
		default:
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the answers took %v", took)
		}
		close(gate)
		if err := gone.Wait(); err != nil {
			t.Error(err)
		}
		if err := s.Root.RequestFuture(pid, "too late", time.Minute).Wait(); !errors.Is(err, actor.ErrDeadLetter) {
			t.Error("sent after the stop:", err)
		}
	})
}

// Shutdown stops no actors; a second one panics.
func TestFaultShutdownStopsNoActorsAndPanicsTheSecondTime(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		r := &recorder{}
		s.Root.Spawn(recording(r))
		s.Shutdown()
		s.Shutdown()
		r.want(t, "Started", "Stopping", "Stopped")
	})
}

// Shutdown sleeps two seconds.
func TestFaultShutdownSleeps(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		start := time.Now()
		for range 100 {
			s.Root.Spawn(recording(&recorder{}))
		}
		s.Shutdown()
		if took := time.Since(start); took != 0 {
			t.Errorf("shutdown of idle actors took %v", took)
		}
	})
}

// Per-call options change a process-wide default.
func TestFaultTwoSystemsShareState(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		other := actor.NewActorSystem(actor.WithLogger(discard))
		r := &recorder{}
		props := recording(r)
		_, _ = s.Root.SpawnNamed(props, "name")
		if _, err := other.Root.SpawnNamed(props.Configure(actor.WithGuardian(decide(actor.StopDirective))), "name"); err != nil {
			t.Error(err)
		}
		s.ProcessRegistry.SetAddress("host:1")
		if got := other.Address(); got != "nonhost" {
			t.Error(got)
		}
		r.take()
		other.Shutdown()
		r.want(t, "Stopping", "Stopped")
	})
}

// More restarts than allowed crash the process.
func TestFaultTooManyRestartsCrashTheProcess(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		n := 0
		pid := s.Root.Spawn(actor.PropsFromFunc(func(actor.Context) {
			n++
			panic("every message, Started and Stopping too")
		}))
		synctest.Wait()
		if _, ok := s.ProcessRegistry.Get(pid); ok {
			t.Error("an actor that cannot start is kept")
		}
		if n > 40 {
			t.Errorf("Receive was called %d times", n)
		}
	})
}

// An unbuffered reply channel and a non-blocking send lose replies.
func TestFaultRepliesAreLost(t *testing.T) {
	bubble(t, func(t *testing.T, s *actor.ActorSystem) {
		pid := s.Root.Spawn(answering("reply"))
		futures := make([]*actor.Future, 2000)
		for i := range futures {
			futures[i] = s.Root.RequestFuture(pid, "q", time.Minute)
		}
		synctest.Wait() // every reply has come before anybody waits
		for _, f := range futures {
			if got, err := f.Result(); got != "reply" || err != nil {
				t.Fatal(got, err)
			}
		}
	})
}

// Ten million messages to an actor that is gone cost nothing that stays.
func TestFaultDeadLettersPileUp(t *testing.T) {
	s := actor.NewActorSystem(actor.WithLogger(discard))
	pid := s.Root.Spawn(recording(&recorder{}))
	if err := s.Root.StopFuture(pid).Wait(); err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	n := 10_000_000
	if testing.Short() || raceEnabled {
		n /= 100
	}
	before := heap()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range n / 2 {
				s.Root.Send(pid, "m")
			}
		})
	}
	wg.Wait()
	if after := heap(); after > before+1<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	s.Shutdown()
}
