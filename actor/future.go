package actor

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Future stands for an answer that has not come yet. It is a [Process]: what is
// sent to its PID completes it, and only the first completion counts. Any number
// of goroutines may wait for it. It costs no goroutine, and once it is complete
// the system forgets it.
type Future struct {
	ref    processRef
	pid    PID
	system *ActorSystem
	target *PID        // who was asked; nil if nobody in particular
	link   timeoutLink // its place in expiry
	// underway is set when a transport has taken the request over.
	underway atomic.Bool

	mu        sync.Mutex
	completed bool               // guarded by mu
	result    any                // guarded by mu
	err       error              // guarded by mu
	done      chan struct{}      // guarded by mu: made when somebody waits, closed on completion
	timer     *time.Timer        // guarded by mu: nil without a timeout, or in a queue
	expiry    *timeoutQueue      // guarded by mu: where it is, for its timeout; nil if nowhere
	then      []func(any, error) // guarded by mu: what is to be done on completion
	watching  bool               // guarded by mu: target was asked to tell of its end
}

// futurePrefix begins the ids of futures.
const futurePrefix = "future"

// NewFuture returns a future whose PID can be given away as a sender. A timeout
// of 0 or less means none; the caller then sees to it that it completes.
func NewFuture(system *ActorSystem, timeout time.Duration) *Future {
	return newFuture(system, nil, timeout)
}

func newFuture(system *ActorSystem, target *PID, timeout time.Duration) *Future {
	r := system.ProcessRegistry
	f := &Future{system: system, target: target}
	f.ref.process, f.ref.registry = f, r
	f.pid.Address = r.Address()
	f.pid.Id = r.nextID(futurePrefix)
	for !r.add(&f.ref, &f.pid) {
		f.pid.Id = r.nextID(futurePrefix)
	}
	if timeout > 0 {
		f.expireAfter(timeout)
	}
	return f
}

// expireAfter gives the future its timeout. It is registered, so that it may be
// complete already.
func (f *Future) expireAfter(timeout time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.completed {
		return
	}
	if f.expiry = f.system.timeouts.of(timeout); f.expiry != nil {
		f.expiry.add(f)
		return
	}
	f.timer = time.AfterFunc(timeout, func() { f.complete(nil, ErrTimeout) })
}

// PID returns the PID that completes the future when something is sent to it.
func (f *Future) PID() *PID { return &f.pid }

// Done returns a channel that is closed when the future is complete.
func (f *Future) Done() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done == nil {
		f.done = make(chan struct{})
		if f.completed {
			close(f.done)
		}
	}
	return f.done
}

// Result waits for completion and returns the answer, or why there is none:
// [ErrTimeout], a [*DeadLetterError], [ErrCanceled], [ErrStopped], [ErrNilReply],
// or the cause that a transport gave to [ActorSystem.AbandonRequests] or
// [Future.Fail].
func (f *Future) Result() (any, error) {
	<-f.Done()
	return f.outcome()
}

// ResultContext is Result with an end to the waiting: when ctx is done first it
// returns ctx's error and leaves the future as it is.
func (f *Future) ResultContext(ctx context.Context) (any, error) {
	done := f.Done()
	select {
	case <-done:
	default:
		if ctx.Done() == nil {
			<-done
			break
		}
		select {
		case <-done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return f.outcome()
}

// ResultWithin is ResultContext with a second end to the waiting: after d it returns
// [ErrTimeout] and leaves the future as it is, unlike the future's own timeout, which
// ends it.
func (f *Future) ResultWithin(ctx context.Context, d time.Duration) (any, error) {
	done := f.Done()
	select {
	case <-done:
		return f.outcome()
	default:
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return f.outcome()
	case <-timer.C:
		return nil, ErrTimeout
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Wait waits for completion and returns Result's error.
func (f *Future) Wait() error {
	_, err := f.Result()
	return err
}

// PipeTo sends the answer to each of pids when it comes, at once if it is there.
// Without an answer they receive the error.
func (f *Future) PipeTo(pids ...*PID) {
	f.onComplete(func(result any, err error) {
		if err != nil {
			result = err
		}
		for _, pid := range pids {
			f.system.send(pid, MessageEnvelope{Message: result})
		}
	})
}

// onComplete calls do with the outcome, in the goroutine that completes the
// future, or at once if it is complete. do must be quick.
func (f *Future) onComplete(do func(result any, err error)) {
	f.mu.Lock()
	if !f.completed {
		f.then = append(f.then, do)
		f.mu.Unlock()
		return
	}
	f.mu.Unlock()
	do(f.outcome())
}

// Cancel completes the future with [ErrCanceled]; a late answer is a dead
// letter. It does not take the request back. A complete future stays as it is.
func (f *Future) Cancel() { f.complete(nil, ErrCanceled) }

// Fail completes the future with err instead of an answer, and reports whether
// it was not complete before. It is for transports: an answer that was given but
// cannot be delivered must not leave those who wait for it without one. err is
// not nil, and no [*DeadLetterError] unless the request certainly did not run.
func (f *Future) Fail(err error) bool { return f.complete(nil, err) }

// SendUserMessage implements [Process]. A nil message, which is no answer,
// completes the future with [ErrNilReply], and a PoisonPill cancels it.
func (f *Future) SendUserMessage(pid *PID, env MessageEnvelope) {
	var ok bool
	switch m := env.Message.(type) {
	case nil:
		ok = f.complete(nil, ErrNilReply)
	case *PoisonPill:
		ok = f.complete(nil, ErrCanceled)
	case *DeadLetterResponse:
		ok = f.complete(nil, &DeadLetterError{Target: m.Target, Reason: m.Reason})
	default:
		ok = f.complete(m, nil)
	}
	if !ok {
		f.system.DeadLetter(pid, env, DeadLetterNoActor)
	}
}

// SendSystemMessage implements [Process]. A future that watches, as those of
// StopFuture do, completes with the *Terminated.
func (f *Future) SendSystemMessage(pid *PID, message any) {
	switch m := message.(type) {
	case *Terminated:
		f.complete(m, nil)
	case *Watch:
		f.system.sendSystem(m.Watcher, &Terminated{Who: pid, Why: TerminatedReasonNotFound})
	case *Stop:
		f.Cancel()
	}
}

func (f *Future) outcome() (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.result, f.err
}

// complete reports whether it was this call that completed the future.
func (f *Future) complete(result any, err error) bool {
	then, ok := f.finish(result, err)
	for _, do := range then {
		do(result, err)
	}
	return ok
}

// finish is complete but for what is to be done then, which it returns.
func (f *Future) finish(result any, err error) (then []func(any, error), ok bool) {
	f.mu.Lock()
	if f.completed {
		f.mu.Unlock()
		return nil, false
	}
	f.completed, f.result, f.err = true, result, err
	f.system.ProcessRegistry.remove(&f.ref, f.pid.Id) // before anybody learns of the result
	if f.done != nil {
		close(f.done)
	}
	timer, expiry, then, watching := f.timer, f.expiry, f.then, f.watching
	f.timer, f.expiry, f.then = nil, nil, nil
	f.mu.Unlock()

	if timer != nil {
		timer.Stop()
	}
	if expiry != nil {
		expiry.remove(f)
	}
	if watching {
		f.unwatch(result)
	}
	return then, true
}

// watchedFor lets an actor that ends later tell the future, unless it is complete. If
// that is completed before, it takes the watch back.
func (f *Future) watchedFor() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watching = !f.completed
	return f.watching
}

// watch asks the target to tell of its end. The watch is taken back when the
// future completes in another way, which it may have done already.
func (f *Future) watch() {
	f.system.sendSystem(f.target, &Watch{Watcher: &f.pid})
	f.mu.Lock()
	f.watching = true
	completed, result := f.completed, f.result
	f.mu.Unlock()
	if completed {
		f.unwatch(result)
	}
}

func (f *Future) unwatch(result any) {
	if _, ended := result.(*Terminated); !ended {
		f.system.sendSystem(f.target, &Unwatch{Watcher: &f.pid})
	}
}
