package workload

import "runtime"

func spawnStop(p Peer, n int) (Result, error) {
	h := func(Context, any) {}
	return Measure("spawn", n, func() error {
		for range n {
			p.Stop(p.Spawn(h))
		}
		return nil
	})
}

// level is how deep a skynet is below an actor, and which numbers its leaves have.
type level struct {
	parent Ref
	size   int // leaves
	first  int
}

// skynet makes a tree of actors, ten children each, whose leaves tell their numbers upwards; the sum is checked.
func skynet(p Peer, n int) (Result, error) {
	leaves, all := 1, 1
	for all+leaves*10 <= n {
		leaves *= 10
		all += leaves
	}
	done := make(chan int, 1)
	root := p.Spawn(func(_ Context, m any) {
		if sum, ok := m.(int); ok {
			done <- sum
		}
	})
	return Measure("skynet", all, func() error {
		p.Tell(p.Spawn(skynetActor()), &level{parent: root, size: leaves})
		return Expect("the sum of the leaves", <-done, leaves*(leaves-1)/2)
	})
}

func skynetActor() Handler {
	var parent Ref
	sum, left := 0, 0
	return func(c Context, m any) {
		switch m := m.(type) {
		case *level:
			if m.size == 1 {
				c.Tell(m.parent, m.first)
				return
			}
			parent, left = m.parent, 10
			for i := range 10 {
				size := m.size / 10
				c.Tell(c.Spawn(skynetActor()), &level{parent: c.Self(), size: size, first: m.first + i*size})
			}
		case int:
			sum += m
			if left--; left == 0 {
				c.Tell(parent, sum)
			}
		}
	}
}

// idle measures the heap of actors that have handled a message and wait.
func idle(p Peer, n int) (Result, error) {
	refs := make([]Ref, n)
	seen := make(chan struct{}, n)
	h := func(Context, any) { seen <- struct{}{} }
	m := &message{}
	before := heap()
	r, err := Measure("idle", n, func() error {
		for i := range refs {
			refs[i] = p.Spawn(h)
			p.Tell(refs[i], m)
		}
		for range refs {
			<-seen
		}
		return nil
	})
	r.Heap = float64(heap()-before) / float64(n)
	runtime.KeepAlive(refs)
	return r, err
}

// heap collects twice: what a pool keeps goes with the second time.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
