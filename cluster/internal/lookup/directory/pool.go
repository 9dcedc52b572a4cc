package directory

import (
	"context"
	"sync"
)

// pool runs jobs, at most so many at a time, the others in the order in which
// they came.
type pool struct {
	wg *sync.WaitGroup

	mu    sync.Mutex // guards the fields below
	limit int
	busy  int
	queue []func()
	rests chan struct{} // closed when nothing runs any more; nil if nobody waits
}

// submit has a job run. It does not wait for it.
func (p *pool) submit(job func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy == p.limit {
		p.queue = append(p.queue, job)
		return
	}
	p.busy++
	p.wg.Go(func() {
		for next := job; next != nil; next = p.next() {
			next()
		}
	})
}

// next gives the next job to a goroutine that has done one.
func (p *pool) next() func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) > 0 {
		job := p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		return job
	}
	if p.busy--; p.busy == 0 && p.rests != nil {
		close(p.rests)
		p.rests = nil
	}
	return nil
}

// idle waits until nothing runs, or the context is done.
func (p *pool) idle(ctx context.Context) {
	p.mu.Lock()
	if p.busy == 0 {
		p.mu.Unlock()
		return
	}
	if p.rests == nil {
		p.rests = make(chan struct{})
	}
	rests := p.rests
	p.mu.Unlock()
	select {
	case <-rests:
	case <-ctx.Done():
	}
}
