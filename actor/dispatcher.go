package actor

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// throughput is how many messages an actor handles before it lets others run.
const throughput = 300

// dispatcher decides where an actor that has something to do runs. schedule is
// called once for each time a cell wakes up, and calls cell.run or cell.turn until
// the cell is given up, in any goroutine but the caller's. by is the actor
// that woke it, nil if that is none.
type dispatcher interface {
	schedule(c, by *cell)
	// close lets go of what is kept for cells to come. Those that come
	// nevertheless run as ever.
	close()
}

const (
	// maxParked is how many runners wait for work at most; more end at once.
	maxParked = 64
	// lookEvery is how long after each other it is looked which of them nobody
	// needs.
	lookEvery = 50 * time.Millisecond
	// yieldEvery is how many cells a runner runs before it lets other goroutines
	// have its core.
	yieldEvery = 128
	// maxShards bounds the queues of cells that wait, as all are looked through.
	maxShards = 16
)

// goDispatcher runs woken cells in runners: goroutines that take cells from
// queues, of which there is one for each core. A cell that an actor wakes waits
// where that actor runs, so that the two meet on one core while all are busy.
//
// A handler may block for as long as it likes, and no cell waits for it: while
// cells wait, one runner searches, which means that it is awake and has taken
// none yet. When a handler blocks, or a core is idle, the Go scheduler runs the
// searcher; that takes a cell, and has another runner search in its place. So as
// many run as have something to do; but as long as handlers are short, a few
// runners do it all, and the Go scheduler has nothing to switch.
//
// A runner that finds nothing is parked for a moment: its stack has grown to what
// handlers need, and that of a new one would have to grow again, which takes
// longer than most messages. When nothing has happened for twice lookEvery, no
// goroutine is left.
type goDispatcher struct {
	shards    []shard
	searching atomic.Bool  // somebody searches, or is woken to
	turn      uint32       // the searcher's: the shard it looks at first
	yielding  atomic.Int32 // runners that gave up their core for a moment

	mu     sync.Mutex
	parked []*runner // who parked last is woken first
	spare  int       // the fewest that were parked at a time since the last look
	timer  bool      // a look is due
	closed bool      // nobody parks any more
}

// shard is a queue of cells that wait for a runner, first in first out.
type shard struct {
	mu         sync.Mutex
	head, tail *cell
	length     atomic.Int32 // written under mu
	runners    atomic.Int32 // whose home it is and that are not parked

	_ [64]byte // keeps neighbours off one cache line
}

// runner is a goroutine that runs cells, one after the other.
type runner struct {
	home *shard    // where it looks first
	wake chan bool // holds one; false ends the runner
}

func newGoDispatcher() *goDispatcher {
	return &goDispatcher{shards: make([]shard, min(runtime.GOMAXPROCS(0), maxShards))}
}

func (s *shard) push(c *cell) {
	s.mu.Lock()
	if s.head == nil {
		s.head = c
	} else {
		s.tail.next = c
	}
	s.tail = c
	s.length.Store(s.length.Load() + 1)
	s.mu.Unlock()
}

func (s *shard) pop() *cell {
	if s.length.Load() == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.head
	if c != nil {
		s.head, c.next = c.next, nil
		s.length.Store(s.length.Load() - 1)
	}
	return c
}

// schedule queues the cell where the one that woke it runs, or else where it ran
// itself.
func (d *goDispatcher) schedule(c, by *cell) {
	var home *shard
	if by != nil {
		home = by.home.Load()
	}
	if home == nil {
		home = c.home.Load()
	}
	if home == nil {
		home = &d.shards[0]
	}
	home.push(c)
	d.search()
}

// search sees to it that somebody searches. It is called after a cell was queued:
// a searcher that gives up says so before it looks for the last time.
func (d *goDispatcher) search() {
	if d.searching.Load() || !d.searching.CompareAndSwap(false, true) {
		return
	}
	if r := d.unpark(); r != nil {
		r.wake <- true
		return
	}
	go d.work(&runner{wake: make(chan bool, 1)})
}

// work searches, and runs cells until none waits, as often as it is woken. A
// handler that calls runtime.Goexit ends it, too.
func (d *goDispatcher) work(r *runner) {
	for {
		d.settle(r)
		if c := d.find(); c != nil {
			d.runAll(r, c)
		}
		r.home.runners.Add(-1)
		if !d.park(r) || !<-r.wake {
			return
		}
	}
}

// settle gives a runner the less busy of two shards for its home. It is called by
// the searcher.
func (d *goDispatcher) settle(r *runner) {
	d.turn++
	n := uint32(len(d.shards))
	a, b := &d.shards[d.turn%n], &d.shards[(d.turn+1)%n]
	if b.runners.Load() < a.runners.Load() {
		a = b
	}
	a.runners.Add(1)
	r.home = a
}

// find gives the searcher a cell, nil if none waits. Who gets one searches no
// more. If a runner wants its core back, there is nobody to stand in for.
func (d *goDispatcher) find() *cell {
	for d.yielding.Load() > 0 {
		runtime.Gosched()
	}
	for {
		if c := d.steal(d.turn); c != nil {
			d.searching.Store(false)
			if d.waiting() {
				d.search()
			}
			return c
		}
		if d.giveUp() {
			return nil
		}
	}
}

// giveUp ends a search, unless a cell was queued by somebody who relied on it.
func (d *goDispatcher) giveUp() bool {
	d.searching.Store(false)
	return !d.waiting() || !d.searching.CompareAndSwap(false, true)
}

// runAll runs cells, c first, until none waits.
func (d *goDispatcher) runAll(r *runner, c *cell) {
	for n := 1; c != nil; n++ {
		if c.home.Load() != r.home {
			c.home.Store(r.home)
		}
		again := c.turn()
		if again {
			r.home.push(c)
		}
		if again || n%yieldEvery == 0 {
			d.yielding.Add(1)
			runtime.Gosched()
			d.yielding.Add(-1)
		}
		if c = r.home.pop(); c == nil {
			c = d.steal(uint32(n))
		}
	}
}

// steal gives a cell that waits in any shard, looking at one of them first.
func (d *goDispatcher) steal(first uint32) *cell {
	n := uint32(len(d.shards))
	for i := range n {
		if c := d.shards[(first+i)%n].pop(); c != nil {
			return c
		}
	}
	return nil
}

func (d *goDispatcher) waiting() bool {
	for i := range d.shards {
		if d.shards[i].length.Load() > 0 {
			return true
		}
	}
	return false
}

// unpark gives a parked runner, or nil if there is none.
func (d *goDispatcher) unpark() *runner {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := len(d.parked) - 1
	if last < 0 {
		return nil
	}
	r := d.parked[last]
	d.parked[last] = nil
	d.parked = d.parked[:last]
	d.spare = min(d.spare, last)
	return r
}

// park keeps a runner that has nothing to do, unless there are enough.
func (d *goDispatcher) park(r *runner) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || len(d.parked) == maxParked {
		return false
	}
	d.parked = append(d.parked, r)
	if !d.timer {
		d.lookLater()
	}
	return true
}

func (d *goDispatcher) lookLater() {
	d.timer, d.spare = true, len(d.parked)
	time.AfterFunc(lookEvery, d.look)
}

// look ends the runners that were parked all the time since the last look: those
// at the front.
func (d *goDispatcher) look() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.endParked(d.spare)
	d.timer = false
	if len(d.parked) > 0 {
		d.lookLater()
	}
}

// endParked ends the first n that are parked. The lock is held.
func (d *goDispatcher) endParked(n int) {
	for _, r := range d.parked[:n] {
		r.wake <- false
	}
	d.parked = slices.Delete(d.parked, 0, n)
}

func (d *goDispatcher) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.endParked(len(d.parked))
	d.spare = 0
}
