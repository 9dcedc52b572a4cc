package remote

import (
	"errors"

	"github.com/granary-go/granary/actor"
)

// keptFlight is the most messages for which a flight keeps its memory.
const keptFlight = 1 << 14

// flying is what is kept of a message when it is, or is about to be, handed to the
// transport: for a dead letter of it.
type flying struct {
	target *actor.PID // nil if it was disposed of
	env    actor.MessageEnvelope
	system bool
	size   int
}

func (o *outbound) flying() flying {
	return flying{target: o.target, env: o.env, system: o.system, size: o.size}
}

// flight holds what was handed to the transport and is not acknowledged, in the
// order of writing. Each message has a number, one higher than that of the message
// before, over all connections to the peer. It belongs to an endpoint, whose mutex
// guards it.
type flight struct {
	maxMessages, maxBytes int

	next  uint64   // the number of the next message
	items []flying // what is not acknowledged: the last one has number next-1
	head  int      // items before it are acknowledged, and cleared
	bytes int      // in items
}

var errAcknowledged = errors.New("the peer acknowledged what was never sent to it")

func (f *flight) len() int { return len(f.items) - f.head }

// fits reports whether so much more may be under way. Whatever it is, it may if
// nothing else is.
func (f *flight) fits(messages, bytes int) bool {
	return f.len() == 0 || f.len()+messages <= f.maxMessages && f.bytes+bytes <= f.maxBytes
}

// add takes the messages of a batch that is about to be written.
func (f *flight) add(batch []flying) {
	if f.head > len(f.items)/2 {
		kept := copy(f.items, f.items[f.head:])
		clear(f.items[kept:])
		f.items, f.head = f.items[:kept], 0
	}
	f.items = append(f.items, batch...)
	f.next += uint64(len(batch))
	for i := range batch {
		f.bytes += batch[i].size
	}
}

// withdraw forgets the n messages that were added last: they were not written. It
// returns how many there were: a peer may have acknowledged some before the transport
// said that it failed.
func (f *flight) withdraw(n int) int {
	n = min(n, f.len())
	last := f.items[len(f.items)-n:]
	for i := range last {
		f.bytes -= last[i].size
	}
	clear(last)
	f.items = f.items[:len(f.items)-n]
	f.next -= uint64(n)
	return n
}

// acknowledge forgets those with a lower number than upTo. What is acknowledged
// twice is not an error; what was never written is.
func (f *flight) acknowledge(upTo uint64) error {
	if upTo > f.next {
		return errAcknowledged
	}
	first := f.next - uint64(f.len())
	if upTo <= first {
		return nil
	}
	done := f.items[f.head:][:upTo-first]
	for i := range done {
		f.bytes -= done[i].size
	}
	clear(done)
	f.head += len(done)
	if f.head == len(f.items) {
		f.items, f.head = f.items[:0], 0
	}
	if cap(f.items) > keptFlight && f.len() == 0 {
		f.items = nil
	}
	return nil
}

// land ends the connection: it returns what was not acknowledged, and the number of
// the first of it.
func (f *flight) land() (items []flying, first uint64) {
	items = f.items[f.head:]
	first = f.next - uint64(len(items))
	f.items, f.head, f.bytes = nil, 0, 0
	return items, first
}
