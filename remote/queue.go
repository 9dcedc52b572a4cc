package remote

// keptQueue is the most entries for which a queue keeps its memory.
const keptQueue = 1 << 14

// queue holds what waits to be written to a peer. It belongs to an endpoint,
// whose mutex guards it.
type queue struct {
	maxMessages, maxBytes int
	maxSystem             int

	items []outbound
	spare []outbound
	// What is in items, and what was taken and is not yet written.
	messages, bytes int
	// The system messages in items.
	system int
}

// push appends o; false if the queue is full. One message always fits. System
// messages have a bound of their own: they fit where others do not.
func (q *queue) push(o *outbound) bool {
	switch {
	case o.system:
		if q.system >= q.maxSystem {
			return false
		}
		q.system++
	case q.messages > 0 && (q.messages >= q.maxMessages || q.bytes+o.size > q.maxBytes):
		return false
	}
	q.messages++
	q.bytes += o.size
	q.items = append(q.items, *o)
	return true
}

// take hands out all that waits. It counts as queued until written is called.
func (q *queue) take() []outbound {
	items := q.items
	q.items, q.spare = q.spare, nil
	q.system = 0
	return items
}

func (q *queue) written(messages, bytes int) {
	q.messages -= messages
	q.bytes -= bytes
}

// giveBack takes the memory of what take handed out.
func (q *queue) giveBack(items []outbound) {
	clear(items)
	if cap(items) <= keptQueue {
		q.spare = items[:0]
	}
}

// drain empties the queue for good: it returns what waits, and forgets what was
// taken.
func (q *queue) drain() []outbound {
	items := q.items
	q.items, q.spare = nil, nil
	q.messages, q.bytes, q.system = 0, 0, 0
	return items
}
