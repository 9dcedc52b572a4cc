package cluster

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/granary-go/granary/actor"
)

var errNotActivated = errors.New("cluster: the grain could not be activated")

// failedStart is why there is no grain.
type failedStart struct {
	cause *GrainError
	since time.Time
}

// startPanicError is the error of a grain that panicked while it was made, with the place for
// the log.
type startPanicError struct {
	error

	stack string
}

// Unwrap gives the error.
func (p startPanicError) Unwrap() error { return p.error }

// failureIdle is how long a grain that failed to activate answers its callers
// with the reason, without another try.
const failureIdle = time.Second

func newFailedStart(ctx actor.Context, err error) failedStart {
	attrs := []any{"error", err}
	if p, ok := err.(startPanicError); ok { //nolint:errorlint // nobody wraps it
		attrs = append(attrs, "stack", p.stack)
	}
	ctx.Logger().Error("cluster: grain not activated", attrs...)
	if c := From(ctx.ActorSystem()); c != nil {
		c.activations.get(ctx.Self()).started(err)
	}
	ctx.SetReceiveTimeout(failureIdle)
	return failedStart{&GrainError{Code: CodeActivation, Message: err.Error()}, time.Now()}
}

// lateActor makes the actor of a kind by the first message, in the grain's own
// goroutine: a producer that is slow holds up its own grain only. One that fails
// answers callers with the reason; after failureIdle the activation ends, so
// that the next call tries anew. It also ends a grain that was idle for the time of its
// kind, if its actor does not see to that itself, as generated ones do.
type lateActor struct {
	of      *activation
	produce actor.Producer
	made    actor.Actor
	failure failedStart
}

// KindOf gives the kind of the grain whose actor has this context, "" of an actor
// that is no grain.
func KindOf(ctx actor.Context) string {
	if l, ok := ctx.Actor().(*lateActor); ok {
		return l.of.identity.Kind
	}
	return ""
}

// Receive implements actor.Actor.
func (l *lateActor) Receive(ctx actor.Context) {
	if _, first := ctx.Message().(*actor.Started); first {
		var err error
		if l.made, err = l.make(); err != nil {
			l.failure = newFailedStart(ctx, err)
			return
		}
		l.waitForSilence(ctx)
	}
	switch {
	case l.made != nil && l.isIdle(ctx):
		l.of.passivate(ctx)
		return
	case l.made != nil:
		l.made.Receive(ctx)
		return
	}
	switch ctx.Message().(type) {
	case *actor.ReceiveTimeout:
		ctx.Stop(ctx.Self())
	case *actor.Stopping, *actor.Stopped, *actor.Restarting:
	default:
		respond(ctx, l.failure.cause)
		if time.Since(l.failure.since) > failureIdle {
			ctx.Stop(ctx.Self())
		}
	}
}

// waitForSilence has the grain told when it was idle for the time of its kind. A timeout that
// somebody before it has set stays, and one that the actor sets comes instead.
func (l *lateActor) waitForSilence(ctx actor.Context) {
	if l.of.kind.idle > 0 && ctx.ReceiveTimeout() == 0 {
		ctx.SetReceiveTimeout(l.of.kind.idle)
		l.of.waits.silence = true
	}
}

// isIdle reports whether the message says that the grain was idle for the time of its kind, and
// not for one of its own.
func (l *lateActor) isIdle(ctx actor.Context) bool {
	_, timeout := ctx.Message().(*actor.ReceiveTimeout)
	return timeout && l.of.waits.silence
}

func (l *lateActor) make() (made actor.Actor, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = startPanicError{fmt.Errorf("%w: its producer panicked: %v", errNotActivated, r), string(debug.Stack())}
		}
	}()
	if l.produce != nil {
		made = l.produce()
	}
	if made == nil {
		return nil, fmt.Errorf("%w: the kind's producer returned no actor", errNotActivated)
	}
	return made, nil
}
