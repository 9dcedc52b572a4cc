package demo

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// caller calls a grain once, in as many tries as it takes.
type caller func(ctx context.Context, name string) (reply, error)

const (
	// paceEvery is how often the load looks at the clock.
	paceEvery = 5 * time.Millisecond
	// lastWait is how long the end of a load waits for calls under way.
	lastWait = 3 * time.Second
	// sweepers is how many grains are called at a time when all are to be
	// called as soon as it goes.
	sweepers = 64
)

// load calls grains at a steady rate: one after the other in an order that is
// shuffled each time round, without those that have not answered yet. A call
// that waits holds up no other.
type load struct {
	ledger *ledger
	call   caller
	rate   int
	stats  stats

	ctx    context.Context // of the calls
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex // guards what follows
	all   []int
	queue []int // what is left of this round
}

func newLoad(ctx context.Context, l *ledger, rate int, call caller) *load {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return &load{ledger: l, call: call, rate: rate, ctx: ctx, cancel: cancel}
}

// add calls grains for the first time and makes them part of the load. It
// returns the first error.
func (l *load) add(ctx context.Context, grains []int) error {
	err := l.sweep(ctx, grains)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, grains...)
	return err
}

// sweep calls grains once, as soon as it goes, except those that are being
// called. It returns the first error.
func (l *load) sweep(ctx context.Context, grains []int) error {
	queue := make(chan int, len(grains))
	for _, i := range grains {
		queue <- i
	}
	close(queue)
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	for range min(sweepers, len(grains)) {
		wg.Go(func() {
			for i := range queue {
				if ctx.Err() != nil {
					return
				}
				if err := l.one(l.ctx, i); err != nil {
					once.Do(func() { first = err })
				}
			}
		})
	}
	wg.Wait()
	if first == nil {
		first = ctx.Err()
	}
	return first
}

// run makes calls until the context is done, and waits for those under way.
func (l *load) run(ctx context.Context) {
	ticker := time.NewTicker(paceEvery)
	defer ticker.Stop()
	start, made := time.Now(), 0
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			due := int(time.Since(start).Seconds() * float64(l.rate))
			// What a pause of this process has put off is not made up for.
			for made = max(made, due-l.rate); made < due; made++ {
				l.start()
			}
		}
	}
	end := time.AfterFunc(lastWait, l.cancel)
	l.wg.Wait()
	end.Stop()
	l.cancel()
}

// start begins one call, of the first grain in line that is not being called.
func (l *load) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range 2 * len(l.all) {
		i := l.next()
		name, ok := l.ledger.begin(i)
		if !ok {
			continue
		}
		l.wg.Go(func() { _ = l.finish(l.ctx, i, name) }) // the error is in the stats
		return
	}
}

// next gives the grain that is in line.
func (l *load) next() int {
	if len(l.queue) == 0 {
		l.queue = slices.Clone(l.all)
		rand.Shuffle(len(l.queue), func(i, j int) { l.queue[i], l.queue[j] = l.queue[j], l.queue[i] })
	}
	i := l.queue[0]
	l.queue = l.queue[1:]
	return i
}

// one calls a grain, unless a call of it is under way.
func (l *load) one(ctx context.Context, i int) error {
	name, ok := l.ledger.begin(i)
	if !ok {
		return nil
	}
	return l.finish(ctx, i, name)
}

func (l *load) finish(ctx context.Context, i int, name string) error {
	began := l.stats.begin()
	r, err := l.call(ctx, name)
	if err != nil {
		l.ledger.fail(i)
	} else {
		l.ledger.acknowledge(i, r)
	}
	l.stats.end(began, err)
	return err
}
