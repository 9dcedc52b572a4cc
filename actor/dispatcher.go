package actor

import (
	"slices"
	"sync"
	"time"
)

// throughput is how many messages an actor handles before it lets others run.
const throughput = 300

// dispatcher decides where an actor that has something to do runs. schedule is
// called once for each time a cell wakes up, and calls cell.run exactly once, in
// any goroutine but the caller's.
type dispatcher interface {
	schedule(c *cell)
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
)

// goDispatcher runs each woken cell in a goroutine of its own until the cell is
// idle again. There is no bound on how many run, so a handler may block. A
// goroutine that has nothing to do is parked for a moment: its stack has grown to
// what handlers need, and that of a new one would have to grow again, which takes
// longer than most messages. When nothing has happened for twice lookEvery,
// no goroutine is left.
type goDispatcher struct {
	mu     sync.Mutex
	parked []*runner // who parked last is woken first
	spare  int       // the fewest that were parked at a time since the last look
	timer  bool      // a look is due
	closed bool      // nobody parks any more
}

// runner is a goroutine that runs cells, one after the other.
type runner struct {
	next chan *cell // holds one; nil ends the runner
}

func newGoDispatcher() *goDispatcher { return &goDispatcher{} }

func (d *goDispatcher) schedule(c *cell) {
	r := d.unpark()
	if r == nil {
		r = &runner{next: make(chan *cell, 1)}
		go d.work(r)
	}
	r.next <- c
}

// work runs cells until the runner is not needed. A handler that calls
// runtime.Goexit ends it, too; then it is not parked.
func (d *goDispatcher) work(r *runner) {
	for c := <-r.next; c != nil; c = <-r.next {
		c.run()
		if !d.park(r) {
			return
		}
	}
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
		r.next <- nil
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
