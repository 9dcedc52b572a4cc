package workload

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// batch is how many messages a credit is for, and credits how many there are: what may be in flight.
	batch   = 1024
	credits = 64
)

// message is what is sent. It is allocated once.
type message struct{}

// bound is what may be in flight to one receiver.
type bound chan struct{}

func newBound() bound {
	b := make(bound, credits)
	for range credits {
		b <- struct{}{}
	}
	return b
}

// receiver counts messages, and gives the credit back for each batch.
func (b bound) receiver(n int, done chan<- int) Handler {
	seen := 0
	return func(Context, any) {
		if seen++; seen%batch == 0 {
			b <- struct{}{}
		}
		if seen == n {
			done <- seen
		}
	}
}

func (b bound) send(p Peer, to Ref, n int) {
	m := &message{}
	for i := range n {
		if i%batch == 0 {
			<-b
		}
		p.Tell(to, m)
	}
}

func tell(p Peer, n int) (Result, error) {
	done, b := make(chan int, 1), newBound()
	to := p.Spawn(b.receiver(n, done))
	return Measure("tell", n, func() error {
		b.send(p, to, n)
		return Expect("messages received", <-done, n)
	})
}

func fanIn(p Peer, n int) (Result, error) {
	const senders = 8
	n = max(n/senders/batch, 1) * senders * batch // whole batches, so that all credits come back
	done, b := make(chan int, 1), newBound()
	to := p.Spawn(b.receiver(n, done))
	return Measure("fanin", n, func() error {
		var all sync.WaitGroup
		for range senders {
			all.Go(func() { b.send(p, to, n/senders) })
		}
		all.Wait()
		return Expect("messages received", <-done, n)
	})
}

func fanOut(p Peer, n int) (Result, error) {
	const receivers = 10_000
	rounds := max(n/receivers, 1)
	var ended sync.WaitGroup
	var wrong atomic.Int64
	refs := make([]Ref, receivers)
	for i := range refs {
		seen := 0
		refs[i] = p.Spawn(func(Context, any) {
			switch seen++; {
			case seen == rounds:
				ended.Done()
			case seen > rounds:
				wrong.Add(1)
			}
		})
	}
	m := &message{}
	sender := p.Spawn(func(c Context, _ any) {
		for _, to := range refs {
			c.Tell(to, m)
		}
	})
	ended.Add(receivers)
	return Measure("fanout", rounds*receivers, func() error {
		for range rounds {
			p.Tell(sender, m)
		}
		ended.Wait()
		return Expect("messages too many", int(wrong.Load()), 0)
	})
}

// work gives eight actors messages that cost time each.
func work(each time.Duration) func(p Peer, n int) (Result, error) {
	const actors = 8
	return func(p Peer, n int) (Result, error) {
		n = max(n/actors/batch, 1) * batch
		done := make(chan int, actors)
		bounds, refs := make([]bound, actors), make([]Ref, actors)
		for i := range refs {
			bounds[i] = newBound()
			count := bounds[i].receiver(n, done)
			refs[i] = p.Spawn(func(c Context, m any) {
				for begin := time.Now(); time.Since(begin) < each; {
				}
				count(c, m)
			})
		}
		return Measure("work", n*actors, func() error {
			for i := range refs {
				go bounds[i].send(p, refs[i], n) // ends before its messages have come
			}
			sum := 0
			for range refs {
				sum += <-done
			}
			return Expect("messages received", sum, n*actors)
		})
	}
}
