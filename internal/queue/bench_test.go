package queue

import (
	"sync"
	"testing"
)

// envelope is as large as a mailbox's.
type envelope [4]uintptr

func BenchmarkQueuePushPop(b *testing.B) {
	b.ReportAllocs()
	var q Queue[envelope]
	for b.Loop() {
		q.Push(envelope{})
		q.Pop()
	}
}

func BenchmarkListPushPop(b *testing.B) {
	b.ReportAllocs()
	var l List[any]
	for b.Loop() {
		l.Push(nil)
		l.Pop()
	}
}

func BenchmarkQueueBacklog(b *testing.B) {
	b.ReportAllocs()
	var q Queue[envelope]
	for range b.N {
		q.Push(envelope{})
	}
	for range b.N {
		q.Pop()
	}
}

func BenchmarkQueueFanIn(b *testing.B) {
	b.ReportAllocs()
	const producers = 8
	var q Queue[envelope]
	each := b.N/producers + 1
	var wg sync.WaitGroup
	for range producers {
		wg.Go(func() {
			for range each {
				q.Push(envelope{})
			}
		})
	}
	for n := 0; n < each*producers; {
		if _, ok := q.Pop(); ok {
			n++
		}
	}
	wg.Wait()
}
