// Command floor runs the workloads on what a Go programmer writes by hand instead of an actor system, to show what there is
// to win: a buffered channel and a goroutine for each actor (-floor=channel), or a queue of many producers and a goroutine that
// parks while it is empty (-floor=queue).
package main

import (
	"fmt"
	"os"
	"sync"

	"github.com/granary-go/granary/bench/workload"
)

func main() {
	// The first argument chooses the floor; the others are those of every peer.
	kind := ""
	if len(os.Args) > 1 {
		kind = os.Args[1]
		os.Args = append(os.Args[:1], os.Args[2:]...)
	}
	workload.Main(func() (workload.Peer, error) {
		switch kind {
		case "channel":
			return peer{func() inbox { return make(channel, depth) }}, nil
		case "queue":
			return peer{func() inbox { return newQueue() }}, nil
		default:
			return nil, fmt.Errorf("the first argument is %q; it must be channel or queue", kind)
		}
	})
}

// depth is how many messages a channel holds.
const depth = 1024

// envelope is a message, and where its answer goes.
type envelope struct {
	message any
	answer  chan any
}

// inbox is what an actor reads. An envelope without a message ends it.
type inbox interface {
	put(e envelope)
	get() envelope
}

type channel chan envelope

func (c channel) put(e envelope) { c <- e }
func (c channel) get() envelope  { return <-c }

// queue is a slice that its one reader takes as a whole.
type queue struct {
	mu     sync.Mutex // guards the fields below
	filled []envelope
	parked bool

	wake chan struct{}
	mine []envelope // the reader's: what it took
	next int
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

func (q *queue) put(e envelope) {
	q.mu.Lock()
	q.filled = append(q.filled, e)
	wake := q.parked
	q.parked = false
	q.mu.Unlock()
	if wake {
		q.wake <- struct{}{}
	}
}

func (q *queue) get() envelope {
	for q.next == len(q.mine) {
		q.mu.Lock()
		clear(q.mine)
		q.mine, q.filled, q.next = q.filled, q.mine[:0], 0
		q.parked = len(q.mine) == 0
		parked := q.parked
		q.mu.Unlock()
		if parked {
			<-q.wake
		}
	}
	q.next++
	return q.mine[q.next-1]
}

type peer struct{ make func() inbox }

// of gives what Spawn gave.
func of(r workload.Ref) *worker {
	w, _ := r.(*worker)
	return w
}

// worker is an actor, and the context of its handler.
type worker struct {
	peer  peer
	inbox inbox
	now   envelope
	ended chan struct{}
}

func (p peer) Spawn(h workload.Handler) workload.Ref {
	w := &worker{peer: p, inbox: p.make(), ended: make(chan struct{})}
	go func() { // ends with Stop, or the process
		defer close(w.ended)
		for w.now = w.inbox.get(); w.now.message != nil; w.now = w.inbox.get() {
			h(w, w.now.message)
		}
	}()
	return w
}

func (peer) Tell(to workload.Ref, m any) { of(to).inbox.put(envelope{message: m}) }

var answers = sync.Pool{New: func() any { return make(chan any, 1) }}

func (peer) Ask(to workload.Ref, m any) (any, error) {
	answer, _ := answers.Get().(chan any)
	of(to).inbox.put(envelope{m, answer})
	got := <-answer
	answers.Put(answer)
	return got, nil
}

func (peer) Stop(r workload.Ref) {
	w := of(r)
	w.inbox.put(envelope{})
	<-w.ended
}

func (peer) Close() {} // the process ends

func (w *worker) Self() workload.Ref                    { return w }
func (w *worker) Tell(to workload.Ref, m any)           { w.peer.Tell(to, m) }
func (w *worker) Reply(m any)                           { w.now.answer <- m }
func (w *worker) Spawn(h workload.Handler) workload.Ref { return w.peer.Spawn(h) }
