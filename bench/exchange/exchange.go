package exchange

import (
	"errors"
	"sync"
)

// Limits of a batch.
const (
	maxFrames = 1024
	maxBytes  = 1 << 20
)

// A Frame is a message on its way to a target, or an answer on its way back.
type Frame struct {
	Target uint32
	// ID is zero for a note. A question has another, and its answer the same.
	ID   uint64
	Data []byte
}

// A Link carries batches in both directions. Send and Receive are called by one goroutine each.
type Link interface {
	// Send writes some frames at once. It does not keep them.
	Send(frames []Frame) error
	// Receive reads what was sent at once. The frames may be kept.
	Receive() ([]Frame, error)
	// Close ends the link, and with it a Receive that waits.
	Close() error
}

// exchange is one end of a link.
type exchange struct {
	link Link

	mu      sync.Mutex // guards the fields below
	waiting []Frame
	wake    sync.Cond
	closed  bool
}

func newExchange(link Link) *exchange {
	x := &exchange{link: link}
	x.wake.L = &x.mu
	return x
}

func (x *exchange) put(f Frame) {
	x.mu.Lock()
	x.waiting = append(x.waiting, f)
	if len(x.waiting) == 1 {
		x.wake.Signal()
	}
	x.mu.Unlock()
}

// write writes what waits until close is called.
func (x *exchange) write() error {
	var mine []Frame
	for {
		x.mu.Lock()
		for len(x.waiting) == 0 && !x.closed {
			x.wake.Wait()
		}
		if x.closed {
			x.mu.Unlock()
			return nil
		}
		mine, x.waiting = x.waiting, mine[:0]
		x.mu.Unlock()
		for rest := mine; len(rest) > 0; {
			n := batch(rest)
			if err := x.link.Send(rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		clear(mine)
	}
}

// batch says how many frames are written at once.
func batch(frames []Frame) int {
	bytes := 0
	for i, f := range frames {
		if bytes += len(f.Data); i > 0 && bytes > maxBytes || i == maxFrames {
			return i
		}
	}
	return len(frames)
}

func (x *exchange) close() error {
	x.mu.Lock()
	x.closed = true
	x.wake.Signal()
	x.mu.Unlock()
	return x.link.Close()
}

// run reads and writes until either fails or close is called.
func (x *exchange) run(received func(Frame) error) error {
	var writer sync.WaitGroup
	var wrote error
	writer.Go(func() {
		if wrote = x.write(); wrote != nil {
			_ = x.close() // so that the reader ends, too
		}
	})
	err := x.read(received)
	_ = x.close() // so that the writer ends, too
	writer.Wait()
	return errors.Join(wrote, err)
}

func (x *exchange) read(received func(Frame) error) error {
	for {
		frames, err := x.link.Receive()
		if err != nil {
			return err
		}
		for _, f := range frames {
			if err := received(f); err != nil {
				return err
			}
		}
	}
}
