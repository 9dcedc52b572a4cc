package remote

// blockMessages is how many messages the blocks of a queue may have, firstBlock how
// many the first one has room for at first, and keptBlocks how many empty ones are kept
// while others are in use.
const (
	blockMessages = 256
	firstBlock    = 16
	keptBlocks    = 32
)

// queue holds what waits to be written to a peer, in blocks: a queue that grows
// copies nothing. It belongs to an endpoint, whose mutex guards it.
type queue struct {
	maxMessages, maxBytes int
	maxSystem             int

	blocks [][]outbound // none is empty, and all but the last are full
	spare  [][]outbound
	// What is in blocks, and what was taken and is not yet written.
	messages, bytes int
	// The system messages in blocks.
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
	last := len(q.blocks) - 1
	if last < 0 || len(q.blocks[last]) == blockMessages {
		q.blocks = append(q.blocks, q.block())
		last++
	}
	q.blocks[last] = append(q.blocks[last], *o)
	return true
}

func (q *queue) block() []outbound {
	if last := len(q.spare) - 1; last >= 0 {
		b := q.spare[last]
		q.spare = q.spare[:last]
		return b
	}
	if len(q.blocks) == 0 {
		return make([]outbound, 0, firstBlock) // most peers never need more
	}
	return make([]outbound, 0, blockMessages)
}

// take hands out the oldest block, and says whether there are more. Its messages
// count as queued until written is called.
func (q *queue) take() (items []outbound, more bool) {
	if len(q.blocks) == 0 {
		return nil, false
	}
	items = q.blocks[0]
	q.blocks[0] = nil
	q.blocks = q.blocks[1:]
	for i := range items {
		if items[i].system {
			q.system--
		}
	}
	return items, len(q.blocks) > 0
}

func (q *queue) written(messages, bytes int) {
	q.messages -= messages
	q.bytes -= bytes
}

// giveBack takes the memory of what take handed out.
func (q *queue) giveBack(items []outbound) {
	if len(q.spare) < keptBlocks {
		q.spare = append(q.spare, items[:0])
	}
	if len(q.blocks) == 0 && len(q.spare) > 1 {
		clear(q.spare[1:])
		q.spare = q.spare[:1]
	}
}

// drain empties the queue for good: it returns what waits, and forgets what was
// taken.
func (q *queue) drain() (items []flying) {
	for _, block := range q.blocks {
		for i := range block {
			items = append(items, block[i].flying())
		}
	}
	q.blocks, q.spare = nil, nil
	q.messages, q.bytes, q.system = 0, 0, 0
	return items
}
