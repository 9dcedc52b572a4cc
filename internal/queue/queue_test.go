package queue

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

func TestQueueAgainstASlice(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var q Queue[int]
	var model []int
	next := 0
	for range 2000 {
		for range rng.IntN(1 << rng.IntN(12)) {
			q.Push(next)
			model = append(model, next)
			next++
		}
		if n := q.Len(math.MaxInt); n != len(model) {
			t.Fatalf("Len is %d with %d values queued", n, len(model))
		}
		if most := rng.IntN(100); q.Len(most) < min(most, len(model)) || q.Len(most) > len(model) {
			t.Fatalf("Len(%d) is %d with %d values queued", most, q.Len(most), len(model))
		}
		for range rng.IntN(1 << rng.IntN(13)) {
			v, ok := q.Pop()
			if ok != (len(model) > 0) {
				t.Fatalf("Pop reports %v with %d values queued", ok, len(model))
			}
			if !ok {
				if q.Pushed() {
					t.Fatal("Pushed after a Pop that found nothing")
				}
				break
			}
			if v != model[0] {
				t.Fatalf("Pop returned %d, want %d", v, model[0])
			}
			model = model[1:]
		}
	}
}

func TestListAgainstASlice(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var l List[int]
	var model []int
	for next := range 10_000 {
		if rng.IntN(2) == 0 {
			l.Push(next)
			model = append(model, next)
			if !l.Pushed() {
				t.Fatal("nothing pushed after a Push")
			}
			continue
		}
		v, ok := l.Pop()
		if ok != (len(model) > 0) {
			t.Fatalf("Pop reports %v with %d values queued", ok, len(model))
		}
		if ok {
			if v != model[0] {
				t.Fatalf("Pop returned %d, want %d", v, model[0])
			}
			model = model[1:]
		}
	}
}

type pushPop interface {
	Push(v [2]int)
	Pop() ([2]int, bool)
}

// Every value arrives once, those of one producer in their order.
func TestManyProducers(t *testing.T) {
	for name, q := range map[string]pushPop{"Queue": &Queue[[2]int]{}, "List": &List[[2]int]{}} {
		t.Run(name, func(t *testing.T) {
			const producers, each = 8, 20_000
			var wg sync.WaitGroup
			for p := range producers {
				wg.Go(func() {
					for n := range each {
						q.Push([2]int{p, n})
					}
				})
			}
			finished := make(chan struct{})
			go func() {
				wg.Wait()
				close(finished)
			}()
			var next [producers]int
			take := func() {
				for v, ok := q.Pop(); ok; v, ok = q.Pop() {
					if v[1] != next[v[0]] {
						t.Fatalf("producer %d: got %d, want %d", v[0], v[1], next[v[0]])
					}
					next[v[0]]++
				}
			}
			for open := true; open; {
				select {
				case <-finished:
					open = false
				default:
				}
				take()
			}
			for p, n := range next {
				if n != each {
					t.Errorf("producer %d: %d of %d values arrived", p, n, each)
				}
			}
		})
	}
}

func TestSteadyQueueDoesNotAllocate(t *testing.T) {
	for _, burst := range []int{1, firstSegment, keptSegment} {
		var q Queue[[4]int]
		round := func() {
			for range burst {
				q.Push([4]int{})
			}
			for ok := true; ok; {
				_, ok = q.Pop()
			}
		}
		for range 10 { // grows to its size
			round()
		}
		if n := testing.AllocsPerRun(100, round); n > 0 {
			t.Errorf("bursts of %d: %v allocations", burst, n)
		}
	}
}

// A backlog must not be paid for after it is gone.
func TestEmptiedQueueIsSmall(t *testing.T) {
	var q Queue[int]
	for i := range 1_000_000 {
		q.Push(i)
	}
	for {
		if _, ok := q.Pop(); !ok {
			break
		}
	}
	if q.out != nil || q.head != nil || q.tail != nil {
		t.Fatal("an emptied queue holds a chain")
	}
	kept := 0
	for s := q.free; s != nil; s = s.next {
		kept += cap(s.items)
	}
	if kept > keptSegment {
		t.Fatalf("an emptied queue holds room for %d values", kept)
	}
}

func TestFreeSegmentsAreBounded(t *testing.T) {
	var q Queue[int]
	for range 100 * lastSegment {
		q.Push(0)
	}
	for range 90 * lastSegment {
		q.Pop()
	}
	length := 0
	for s := q.free; s != nil; s = s.next {
		length++
		if len(s.items) != 0 || s.read != 0 || cap(s.items) != lastSegment {
			t.Fatalf("a free segment with %d items of %d, %d read", len(s.items), cap(s.items), s.read)
		}
	}
	if length != maxFree || q.nfree != maxFree {
		t.Fatalf("%d free segments, counted as %d, want %d", length, q.nfree, maxFree)
	}
}

// What was popped must be free for the collector at once.
func TestPopForgets(t *testing.T) {
	var q Queue[*int]
	for range 3 {
		q.Push(new(int))
	}
	q.Pop()
	if q.out.items[0] != nil {
		t.Fatal("a popped value is still referred to")
	}
}
