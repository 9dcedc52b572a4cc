package actor

import (
	"sync"
	"sync/atomic"
	"time"
)

// timeouts ends futures that have waited for too long. A timer for each would cost
// nearly as much as the rest of a request, and nearly none of them ever fires. But
// most requests of a program wait equally long: those of one duration are in one
// queue, in the order of their deadlines, and the queue has one timer.
type timeouts struct {
	last   atomic.Pointer[timeoutQueue] // used last
	mu     sync.Mutex
	queues map[time.Duration]*timeoutQueue // guarded by mu
}

// maxTimeoutQueues bounds the durations that have a queue. Others, and those that are
// no whole milliseconds, as what is left of some deadline, have a timer for each future.
const maxTimeoutQueues = 64

// of returns the queue for a duration, nil if it is to have none.
func (t *timeouts) of(after time.Duration) *timeoutQueue {
	if q := t.last.Load(); q != nil && q.after == after {
		return q
	}
	if after%time.Millisecond != 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.queues[after]
	if q == nil {
		if len(t.queues) == maxTimeoutQueues {
			return nil
		}
		if t.queues == nil {
			t.queues = make(map[time.Duration]*timeoutQueue)
		}
		q = &timeoutQueue{after: after}
		t.queues[after] = q
	}
	t.last.Store(q)
	return q
}

// timeoutQueue holds the futures of one duration that are not complete. They are
// linked by their own fields, so that one that completes leaves at once.
type timeoutQueue struct {
	after time.Duration

	mu         sync.Mutex
	head, tail *Future     // guarded by mu
	timer      *time.Timer // guarded by mu
	armed      bool        // guarded by mu: the timer runs, to the deadline of the head or before
}

// timeoutLink is a future's place in a queue; it is guarded by the queue's mutex.
type timeoutLink struct {
	prev, next *Future
	deadline   time.Time
	in         bool
}

func (q *timeoutQueue) add(f *Future) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f.link = timeoutLink{prev: q.tail, deadline: time.Now().Add(q.after), in: true}
	if q.tail == nil {
		q.head = f
	} else {
		q.tail.link.next = f
	}
	q.tail = f
	if !q.armed {
		q.arm(q.after)
	}
}

// arm sets the timer. The lock is held.
func (q *timeoutQueue) arm(after time.Duration) {
	q.armed = true
	if q.timer == nil {
		q.timer = time.AfterFunc(after, q.fire)
		return
	}
	q.timer.Reset(after)
}

// remove takes a future out that is complete, if it is still there.
func (q *timeoutQueue) remove(f *Future) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if f.link.in {
		q.unlink(f)
	}
}

// unlink takes a future out. The lock is held.
func (q *timeoutQueue) unlink(f *Future) {
	l := &f.link
	if l.prev == nil {
		q.head = l.next
	} else {
		l.prev.link.next = l.next
	}
	if l.next == nil {
		q.tail = l.prev
	} else {
		l.next.link.prev = l.prev
	}
	*l = timeoutLink{}
}

// fire completes what has waited for too long. Mostly nothing has: what the timer was
// set for has been answered.
func (q *timeoutQueue) fire() {
	// First all of them, then what is to be done on that: it may wait for another.
	var then []func(any, error)
	for _, f := range q.expired() {
		do, _ := f.finish(nil, ErrTimeout)
		then = append(then, do...)
	}
	for _, do := range then {
		do(nil, ErrTimeout)
	}
}

// expired takes out the futures whose time is over, and sets the timer anew.
func (q *timeoutQueue) expired() (all []*Future) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for f := q.head; f != nil && !f.link.deadline.After(now); f = q.head {
		q.unlink(f)
		all = append(all, f)
	}
	q.armed = false
	if q.head != nil {
		q.arm(q.head.link.deadline.Sub(now))
	}
	return all
}
