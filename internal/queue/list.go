package queue

import "sync/atomic"

// List is an unbounded queue for many producers and one consumer that takes
// two words when empty and allocates a node for each value. Push may be called
// by anyone; Pop belongs to the consumer.
type List[T any] struct {
	pushed atomic.Pointer[node[T]] // newest first
	taken  *node[T]                // the consumer's: oldest first
}

type node[T any] struct {
	next  *node[T]
	value T
}

// Push appends v. It never blocks.
func (l *List[T]) Push(v T) {
	n := &node[T]{value: v}
	for {
		n.next = l.pushed.Load()
		if l.pushed.CompareAndSwap(n.next, n) {
			return
		}
	}
}

// Pop removes the oldest value; ok is false when the list is empty.
func (l *List[T]) Pop() (v T, ok bool) {
	if l.taken == nil {
		if l.pushed.Load() == nil {
			return v, false
		}
		for n := l.pushed.Swap(nil); n != nil; {
			older := n.next
			n.next, l.taken = l.taken, n
			n = older
		}
	}
	n := l.taken
	l.taken = n.next
	return n.value, true
}

// Pushed is [Queue.Pushed] for a list.
func (l *List[T]) Pushed() bool { return l.pushed.Load() != nil }
