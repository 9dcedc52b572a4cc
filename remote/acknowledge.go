package remote

import (
	"sync/atomic"
	"time"
)

const (
	// owedMessages and owedBytes are what arrives at most before it is acknowledged,
	// owedFor is the longest time until it is.
	owedMessages = 2 << 10
	owedBytes    = 256 << 10
	owedFor      = 20 * time.Millisecond
)

// acknowledgements are what a connection owes its peer: the reader counts what
// arrives, and the writer says it, with its next batch or when it is due.
type acknowledgements struct {
	due chan struct{} // has room for one: tells the writer to say it

	arrived atomic.Uint64 // the number of the next message of the peer
	said    atomic.Uint64 // what was said last
	bytes   int           // that arrived since it was due; the reader's
	timer   *time.Timer
	armed   atomic.Bool // the timer runs
}

func (a *acknowledgements) begin(first uint64) {
	a.due = make(chan struct{}, 1)
	a.arrived.Store(first)
	a.said.Store(first)
	a.timer = time.AfterFunc(owedFor, func() {
		a.armed.Store(false)
		if a.arrived.Load() != a.said.Load() {
			nudge(a.due)
		}
	})
	a.timer.Stop()
}

func (a *acknowledgements) end() { a.timer.Stop() }

// count takes messages that have arrived; acknowledged, if the peer wants that.
func (a *acknowledgements) count(messages, bytes int, acknowledged bool) {
	arrived := a.arrived.Add(uint64(messages))
	if !acknowledged {
		return
	}
	a.bytes += bytes
	switch {
	case a.bytes >= owedBytes || arrived-a.said.Load() >= owedMessages:
		a.bytes = 0
		nudge(a.due)
	case !a.armed.Swap(true):
		a.timer.Reset(owedFor)
	}
}

// take returns what is to be said, 0 if there is nothing new.
func (a *acknowledgements) take(acknowledged bool) uint64 {
	arrived := a.arrived.Load()
	if !acknowledged || a.said.Swap(arrived) == arrived {
		return 0
	}
	return arrived
}
