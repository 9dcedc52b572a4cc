package lookup

import (
	"context"
	"fmt"
	"sync"

	"github.com/granary-go/granary/cluster/driver"
)

// Question is what resolves have in common that share an answer.
type Question struct {
	Identity driver.Identity
	// Suspect is an activation that did not answer, so that its host is asked before it is named again; zero if there
	// is none.
	Suspect driver.Fence
}

// Flights are the questions under way. Callers that ask the same share one; the last of them that gives up ends it.
type Flights struct {
	ctx    context.Context
	silent string
	wg     sync.WaitGroup

	mu     sync.Mutex // guards what follows, and the fields of every flight
	under  map[Question]*Flight
	closed bool
}

// NewFlights makes room for questions that end with ctx. silent is what those are told who give up before anything
// stood in the way.
func NewFlights(ctx context.Context, silent string) *Flights {
	return &Flights{ctx: ctx, silent: silent, under: make(map[Question]*Flight)}
}

// Flight is a question under way.
type Flight struct {
	all    *Flights
	askers int
	cancel context.CancelFunc
	done   chan struct{} // once it is closed, what is below is constant
	found  Activation
	err    error
}

// Hindered keeps what stands in the way, for those who give up.
func (f *Flight) Hindered(err error) {
	f.all.mu.Lock()
	defer f.all.mu.Unlock()
	f.err = err
}

// Resolve waits for the answer to a question, or until ctx is done. If nobody asks the same already, find looks for it,
// in a goroutine of its own, until its context is done.
func (f *Flights) Resolve(ctx context.Context, q Question, find func(context.Context, *Flight) (Activation, error)) (Activation, error) {
	flight, err := f.join(q, find)
	if err != nil {
		return Activation{}, err
	}
	select {
	case <-flight.done:
		return flight.found, flight.err
	case <-ctx.Done():
		return f.abandon(q, flight, ctx.Err())
	}
}

func (f *Flights) join(q Question, find func(context.Context, *Flight) (Activation, error)) (*Flight, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if flight := f.under[q]; flight != nil {
		flight.askers++
		return flight, nil
	}
	if f.closed {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithCancel(f.ctx)
	flight := &Flight{all: f, askers: 1, cancel: cancel, done: make(chan struct{})}
	f.under[q] = flight
	f.wg.Go(func() {
		defer cancel()
		found, err := find(ctx, flight)
		f.mu.Lock()
		defer f.mu.Unlock()
		flight.found, flight.err = found, err
		f.forget(q, flight)
		close(flight.done)
	})
	return flight, nil
}

// abandon leaves a flight. The error says what it was waiting for.
func (f *Flights) abandon(q Question, flight *Flight, cause error) (Activation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-flight.done:
		return flight.found, flight.err // it came in the same instant
	default:
	}
	if flight.askers--; flight.askers == 0 {
		flight.cancel()
		f.forget(q, flight)
	}
	if flight.err != nil {
		return Activation{}, fmt.Errorf("%w: %w", flight.err, cause)
	}
	return Activation{}, fmt.Errorf("lookup: %s: %w", f.silent, cause)
}

// forget makes room for the question, unless it is asked anew already.
func (f *Flights) forget(q Question, flight *Flight) {
	if f.under[q] == flight {
		delete(f.under, q)
	}
}

// Under counts the questions under way.
func (f *Flights) Under() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.under)
}

// Close takes no new questions; those under way go on.
func (f *Flights) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

// Wait waits until none is under way. It comes behind Close, and behind the end of the context.
func (f *Flights) Wait() { f.wg.Wait() }
