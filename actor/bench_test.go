package actor_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/granary-go/granary/actor"
)

// benchSystem is without a helper's log: what is logged would be measured.
func benchSystem(b *testing.B) *actor.ActorSystem {
	s := actor.NewActorSystem(actor.WithLogger(discard))
	b.Cleanup(s.Shutdown)
	b.ReportAllocs()
	return s
}

type ping struct{}

// counter closes done when it has seen n messages.
func counter(n int, done chan<- struct{}) *actor.Props {
	seen := 0
	return actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*ping); ok {
			if seen++; seen == n {
				close(done)
			}
		}
	})
}

// BenchmarkTell is one sender outside the system and one actor.
func BenchmarkTell(b *testing.B) {
	s := benchSystem(b)
	done := make(chan struct{})
	pid := s.Root.Spawn(counter(b.N, done))
	msg := &ping{}
	b.ResetTimer()
	for range b.N {
		s.Root.Send(pid, msg)
	}
	<-done
}

// BenchmarkFanIn is eight senders and one actor.
func BenchmarkFanIn(b *testing.B) {
	s := benchSystem(b)
	const senders = 8
	done := make(chan struct{})
	each := (b.N + senders - 1) / senders
	pid := s.Root.Spawn(counter(each*senders, done))
	msg := &ping{}
	b.ResetTimer()
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for range each {
				s.Root.Send(pid, msg)
			}
		})
	}
	wg.Wait()
	<-done
}

func echo(ctx actor.Context) {
	if m, ok := ctx.Message().(*ping); ok {
		ctx.Respond(m)
	}
}

// BenchmarkAsk is a request and the wait for its answer.
func BenchmarkAsk(b *testing.B) {
	s := benchSystem(b)
	pid := s.Root.Spawn(actor.PropsFromFunc(echo))
	ctx := context.Background()
	msg := &ping{}
	for b.Loop() {
		if _, err := actor.Ask[*ping](ctx, s.Root, pid, msg); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAskParallel is as many askers as there are cores.
func BenchmarkAskParallel(b *testing.B) {
	s := benchSystem(b)
	pid := s.Root.Spawn(actor.PropsFromFunc(echo))
	msg := &ping{}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := actor.Ask[*ping](context.Background(), s.Root, pid, msg); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkPingPong is pairs of actors that send one message to and fro.
func BenchmarkPingPong(b *testing.B) {
	for _, pairs := range []int{1, 16} {
		b.Run(fmt.Sprintf("pairs=%d", pairs), func(b *testing.B) { pingPong(b, pairs) })
	}
}

func pingPong(b *testing.B, pairs int) {
	s := benchSystem(b)
	each := b.N/pairs + 1
	var wg sync.WaitGroup
	wg.Add(pairs)
	pong := actor.PropsFromFunc(echo)
	player := func() *actor.Props {
		left := each
		var partner *actor.PID
		return actor.PropsFromFunc(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.PID:
				partner = m
				ctx.Request(partner, &ping{})
			case *ping:
				if left--; left > 0 {
					ctx.Request(partner, m)
				} else {
					wg.Done()
				}
			}
		})
	}
	players := make([]*actor.PID, pairs)
	for i := range players {
		players[i] = s.Root.Spawn(player())
	}
	b.ResetTimer()
	for _, p := range players {
		s.Root.Send(p, s.Root.Spawn(pong))
	}
	wg.Wait()
}

// BenchmarkSpawnStop is an actor's whole life.
func BenchmarkSpawnStop(b *testing.B) {
	s := benchSystem(b)
	props := actor.PropsFromFunc(func(actor.Context) {})
	for b.Loop() {
		if err := s.Root.StopFuture(s.Root.Spawn(props)).Wait(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDeadLetter is a message to an actor that is gone.
func BenchmarkDeadLetter(b *testing.B) {
	s := benchSystem(b)
	pid := s.NewLocalPID("nobody")
	msg := &ping{}
	for b.Loop() {
		s.Root.Send(pid, msg)
	}
}

// BenchmarkIdleActor is the heap that an actor takes which has nothing to do.
func BenchmarkIdleActor(b *testing.B) {
	s := benchSystem(b)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	props := actor.PropsFromFunc(echo)
	before := heap()
	var last *actor.PID
	for range b.N {
		last = s.Root.Spawn(props)
		s.Root.Send(last, &ping{})
	}
	_ = s.Root.RequestFuture(last, &ping{}, 0).Wait()
	b.ReportMetric(float64(heap()-before)/float64(b.N), "heap-B/actor")
}
