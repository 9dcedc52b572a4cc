package view

import (
	"container/heap"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

const (
	ms     = Time(1_000_000)
	second = 1000 * ms
)

var (
	seeds     = flag.Uint64("seeds", 50, "how many seeds the simulation runs")
	firstSeed = flag.Uint64("seed", 0, "the first of them")
)

// world is a simulated network of processes. Everything that happens in it
// follows from its seed.
type world struct {
	t     *testing.T
	seed  uint64
	rng   *rand.Rand
	now   Time
	queue events
	order int
	nodes []*node

	loss  float64
	delay Time
	// cut holds ordered pairs of nodes between which nothing passes.
	cut   map[[2]int]bool
	trace []string
}

// node is a place where a process may run: one address and one ping address.
type node struct {
	w     *world
	index int
	hosts []string
	// life counts the processes that ran here; events of an earlier one are
	// void.
	life    int
	machine *Machine
	epochs  map[driver.MemberID]uint64
	joined  bool
	left    bool
	held    string
	wake    Time
}

type event struct {
	at    Time
	order int
	do    func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func newWorld(t *testing.T, seed uint64, size int) *world {
	w := &world{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), cut: make(map[[2]int]bool), delay: 5 * ms, now: second}
	var all []string
	for i := range size {
		all = append(all, fmt.Sprintf("n%d:2", i))
	}
	for i := range size {
		w.nodes = append(w.nodes, &node{w: w, index: i, hosts: all, epochs: make(map[driver.MemberID]uint64)})
	}
	return w
}

func (w *world) at(d Time, do func()) {
	w.order++
	heap.Push(&w.queue, event{w.now + d, w.order, do})
}

func (w *world) run(d Time) {
	end := w.now + d
	for len(w.queue) > 0 && w.queue[0].at <= end {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.do()
	}
	w.now = end
}

func (w *world) logf(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%8.3f ", float64(w.now)/float64(second))+fmt.Sprintf(format, args...))
}

func (w *world) failf(format string, args ...any) {
	w.t.Helper()
	tail := w.trace[max(0, len(w.trace)-60):]
	w.t.Fatalf("seed %d: %s\n%s", w.seed, fmt.Sprintf(format, args...), strings.Join(tail, "\n"))
}

// lag is how long a packet takes from one node to another; negative if it is
// lost.
func (w *world) lag(from, to int) Time {
	if w.cut[[2]int{from, to}] || w.rng.Float64() < w.loss {
		return -1
	}
	return 1 + Time(w.rng.Int64N(int64(w.delay)))
}

func (n *node) start() {
	n.life++
	id := driver.MemberID(fmt.Sprintf("%04x-n%d.%d", n.w.rng.IntN(1<<16), n.index, n.life))
	n.machine = New(Config{
		Cluster: "c",
		Self: Entry{
			Member: driver.Member{ID: id, Address: fmt.Sprintf("n%d:1", n.index)},
			Ping:   fmt.Sprintf("n%d:2", n.index),
		},
		Hosts: n.hosts, Interval: second, Quick: 200 * ms, Missed: 3,
		Incarnation: "by-" + string(id), UnixMilli: int64(n.w.now / ms), Start: n.w.now,
	})
	n.joined, n.left, n.held, n.wake = false, false, "", 0
	n.w.logf("n%d starts as %s", n.index, id)
	for _, h := range n.hosts {
		n.step(Resolved{Host: h, Addresses: []string{h}})
	}
}

func (n *node) crash() {
	n.w.logf("n%d ends", n.index)
	n.life++
	n.machine = nil
}

func (n *node) id() driver.MemberID { return n.machine.self.Member.ID }

// step feeds the machine and carries out what it wants.
func (n *node) step(e Event) (answer *Greeting) {
	life := n.life
	for _, f := range n.machine.Step(n.w.now, e) {
		switch f := f.(type) {
		case Answer:
			answer = &f.Greeting
		case Send:
			n.send(f)
		case Publish:
			n.published(f.View)
		case Removed:
			n.w.logf("n%d %s is removed", n.index, n.id())
			if !n.machine.quitting {
				n.w.at(50*ms, func() {
					if n.life == life {
						n.start()
					}
				})
			}
		case Left:
			n.left = true
		case Held:
			n.held = f.Why
		case Note:
			n.w.logf("n%d %s %s %v", n.index, n.id(), f.Text, f.Args)
		}
	}
	n.rouse()
	return answer
}

// rouse sees to it that the machine gets its next tick.
func (n *node) rouse() {
	wake, wanted := n.machine.Wake()
	if !wanted || n.wake > n.w.now && n.wake <= wake {
		return
	}
	life := n.life
	n.wake = max(wake, n.w.now+1)
	n.w.at(n.wake-n.w.now, func() {
		if n.life == life && n.w.now >= n.wake {
			n.wake = 0
			n.step(Tick{})
			if again, wanted := n.machine.Wake(); wanted && again <= n.w.now {
				n.w.failf("n%d wants a tick at %d right after the one of %d: it would spin", n.index, again, n.w.now)
			}
		}
	})
}

func (n *node) published(v View) {
	if err := v.Validate(); err != nil {
		n.w.failf("n%d published: %v", n.index, err)
	}
	if _, in := v.Find(n.id()); !in {
		n.w.failf("n%d published a view without itself: %v", n.index, v)
	}
	if last := n.epochs[n.id()]; v.Epoch <= last {
		n.w.failf("n%d went from epoch %d to %d", n.index, last, v.Epoch)
	}
	n.epochs[n.id()] = v.Epoch
	n.joined = true
}

func (n *node) send(s Send) {
	w, life, done := n.w, n.life, false
	if err := s.Greeting.Validate(); err != nil {
		w.failf("n%d sent: %v", n.index, err)
	}
	end := func(e Event) {
		if !done && n.life == life {
			n.step(e)
		}
		done = true
	}
	w.at(second, func() { end(Failed{Address: s.Address, Seq: s.Seq, Why: "time-out"}) })
	var to *node
	for _, o := range w.nodes {
		if fmt.Sprintf("n%d:2", o.index) == s.Address {
			to = o
		}
	}
	there := w.lag(n.index, to.index)
	if there < 0 {
		return
	}
	w.at(there, func() {
		back := w.lag(to.index, n.index)
		if to.machine == nil {
			if back >= 0 {
				w.at(back, func() { end(Failed{Address: s.Address, Seq: s.Seq, Why: "refused", Dead: true}) })
			}
			return
		}
		if answer := to.step(Received{s.Greeting}); answer != nil && back >= 0 {
			w.at(back, func() { end(Answered{s.Address, s.Seq, *answer}) })
		}
	})
}

// split cuts the network in two, or opens it again if the set is empty.
func (w *world) split(side ...int) {
	clear(w.cut)
	for i := range w.nodes {
		for j := range w.nodes {
			if slices.Contains(side, i) != slices.Contains(side, j) {
				w.cut[[2]int{i, j}] = true
			}
		}
	}
	w.logf("split %v", side)
}

// agreed checks that all that run are in one view, which holds nobody else.
func (w *world) agreed() {
	w.t.Helper()
	var view View
	var live []driver.MemberID
	for _, n := range w.nodes {
		if n.machine == nil {
			continue
		}
		live = append(live, n.id())
		v, in := n.machine.View()
		switch {
		case !in:
			w.failf("n%d is in no view: %s", n.index, n.machine.Waiting())
		case view.Epoch == 0:
			view = v
		case v.Epoch != view.Epoch || v.Incarnation != view.Incarnation:
			w.failf("n%d has view %d, others %d", n.index, v.Epoch, view.Epoch)
		}
	}
	if len(view.Entries) != len(live) {
		w.failf("view %v, but live are %v", view, live)
	}
	for _, id := range live {
		if _, in := view.Find(id); !in {
			w.failf("view %v lacks %s", view, id)
		}
	}
}

func TestSimulation(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		w := newWorld(t, seed, 3+int(seed%5))
		if seed%2 == 1 {
			// A few are known to all; the rest is learnt.
			for _, n := range w.nodes {
				n.hosts = []string{"n0:2", "n1:2"}
			}
		}
		w.loss = w.rng.Float64() * 0.3
		w.delay = 1 + Time(w.rng.Int64N(int64(800*ms)))
		for range 40 {
			w.mischief()
			w.run(Time(w.rng.Int64N(int64(4 * second))))
		}
		w.loss, w.delay = 0, 5*ms
		w.split()
		w.run(5 * second)
		if w.nodes[0].machine == nil {
			w.nodes[0].start()
		}
		w.run(60 * second)
		w.agreed()
		epochs := make([]uint64, len(w.nodes))
		for i, n := range w.nodes {
			epochs[i] = n.epochs[n.safeID()]
		}
		w.run(60 * second)
		for i, n := range w.nodes {
			if n.epochs[n.safeID()] != epochs[i] {
				w.failf("the view changed at rest")
			}
		}
	}
}

func (n *node) safeID() driver.MemberID {
	if n.machine == nil {
		return ""
	}
	return n.id()
}

// mischief does one thing that may happen to a cluster.
func (w *world) mischief() {
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	switch kind := w.rng.IntN(10); {
	case n.machine == nil:
		n.start()
	case kind < 3:
		n.crash()
	case kind < 4:
		n.crash()
		n.start()
	case kind < 5:
		if n.joined {
			n.step(Drain{})
		}
	case kind < 6:
		life := n.life
		n.step(Leave{})
		w.at(2*second, func() {
			if n.life == life {
				n.crash()
			}
		})
	case kind < 8:
		w.split(w.rng.IntN(len(w.nodes)), w.rng.IntN(len(w.nodes)))
	case kind < 9:
		other := w.rng.IntN(len(w.nodes))
		if other != n.index {
			w.cut[[2]int{n.index, other}] = true
			w.logf("cut one way %d to %d", n.index, other)
		}
	default:
		w.split()
	}
}
