package actor

import "sync"

// throughput is how many messages an actor handles before it lets others run.
const throughput = 300

// dispatcher decides where an actor that has something to do runs. schedule is
// called once for each time a cell wakes up, and calls cell.run exactly once, in
// any goroutine but the caller's.
type dispatcher interface {
	schedule(c *cell)
}

// goDispatcher runs each woken cell in a goroutine that ends when the cell is
// idle again.
type goDispatcher struct {
	runners sync.Pool // of *runner
}

// runner carries a cell into a goroutine without allocating a closure.
type runner struct {
	cell  *cell
	start func()
}

func newGoDispatcher() *goDispatcher {
	d := &goDispatcher{}
	d.runners.New = func() any {
		r := &runner{}
		r.start = func() {
			c := r.cell
			r.cell = nil
			d.runners.Put(r)
			c.run()
		}
		return r
	}
	return d
}

func (d *goDispatcher) schedule(c *cell) {
	r, _ := d.runners.Get().(*runner) // the pool holds nothing else
	r.cell = c
	go r.start()
}
