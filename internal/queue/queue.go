package queue

import "sync"

const (
	// firstSegment is the capacity of a queue's first segment: small, since
	// most queues of a system with many actors are nearly always empty.
	firstSegment = 2
	// lastSegment bounds the doubling, so that a backlog of millions is a
	// chain of chunks the allocator likes and the collector can free one by one.
	lastSegment = 1024
	// keptSegment is the largest segment that an emptied queue holds on to.
	keptSegment = 64
	// maxFree bounds how many used segments wait for reuse while there is a backlog.
	maxFree = 8
)

// Queue is an unbounded queue for many producers and one consumer. Push may be
// called by anyone; Pop belongs to the consumer, who may change over time as
// long as the hand-over is synchronised.
//
// Producers append to a chain of segments under a mutex. The consumer takes the
// whole chain at once and reads it without the mutex, so the two meet once a
// chain and not once a value.
type Queue[T any] struct {
	mu    sync.Mutex
	head  *segment[T] // guarded by mu: the oldest segment that was not taken
	tail  *segment[T] // guarded by mu: the segment being filled
	free  *segment[T] // guarded by mu: emptied segments for reuse
	nfree int         // guarded by mu: the length of free

	out *segment[T] // the consumer's: what it took and has not read
}

type segment[T any] struct {
	next  *segment[T]
	items []T
	read  int // the consumer's: how many items it has read
}

// Push appends v. It never blocks longer than another producer's append.
func (q *Queue[T]) Push(v T) {
	q.mu.Lock()
	t := q.tail
	if t == nil || len(t.items) == cap(t.items) {
		t = q.grow(t)
	}
	t.items = append(t.items, v)
	q.mu.Unlock()
}

// grow appends a segment to the chain and returns it. The caller holds mu.
func (q *Queue[T]) grow(tail *segment[T]) *segment[T] {
	size := firstSegment
	if tail != nil {
		size = min(2*cap(tail.items), lastSegment)
	}
	s := q.free
	if s != nil && (tail == nil || cap(s.items) >= size) {
		q.free, s.next = s.next, nil
		q.nfree--
	} else {
		s = &segment[T]{items: make([]T, 0, size)}
	}
	if tail == nil {
		q.head = s
	} else {
		tail.next = s
	}
	q.tail = s
	return s
}

// Pop removes the oldest value; ok is false when the queue is empty.
func (q *Queue[T]) Pop() (v T, ok bool) {
	s := q.out
	if s == nil || s.read == len(s.items) {
		if s = q.advance(s); s == nil {
			return v, false
		}
	}
	var zero T
	v, s.items[s.read] = s.items[s.read], zero
	s.read++
	return v, true
}

// advance gives used back and returns the next segment with something to read,
// or nil when the queue is empty.
func (q *Queue[T]) advance(used *segment[T]) *segment[T] {
	var next *segment[T]
	if used != nil {
		next, used.next = used.next, nil
	}
	if used == nil || next == nil || cap(used.items) == lastSegment {
		q.mu.Lock()
		if next == nil {
			next = q.head
			q.head, q.tail = nil, nil
		}
		q.recycle(used, next == nil)
		q.mu.Unlock()
	}
	q.out = next
	return next
}

// recycle keeps a used segment for the producers, the largest ones first. An
// empty queue keeps one small segment and lets the rest go: an idle actor costs
// little, whatever its backlog once was. The caller holds mu.
func (q *Queue[T]) recycle(used *segment[T], empty bool) {
	if empty {
		q.free, q.nfree = nil, 0
	}
	if used == nil || (empty && cap(used.items) > keptSegment) {
		return
	}
	if q.free != nil && cap(q.free.items) < cap(used.items) {
		q.free, q.nfree = nil, 0
	}
	if q.nfree == maxFree || (q.free != nil && cap(q.free.items) > cap(used.items)) {
		return
	}
	used.items, used.read = used.items[:0], 0
	used.next, q.free = q.free, used
	q.nfree++
}

// Pushed reports whether there is something that no Pop has come to yet. Unlike
// Pop it may be called by anyone: a consumer whose Pop found nothing asks it
// after it gave up its turn, to learn whether it needs another one.
func (q *Queue[T]) Pushed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.head != nil
}

// Len counts what no Pop has come to yet; above most it may stop counting, and
// returns at least most. It belongs to the consumer, as Pop does.
func (q *Queue[T]) Len(most int) (n int) {
	for s := q.out; s != nil && n < most; s = s.next {
		n += len(s.items) - s.read
	}
	if n >= most {
		return n
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for s := q.head; s != nil && n < most; s = s.next {
		n += len(s.items)
	}
	return n
}
