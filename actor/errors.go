package actor

import (
	"errors"
	"fmt"
)

var (
	// ErrNameExists says that SpawnNamed found an actor of that name.
	ErrNameExists = errors.New("actor: the name is taken by another actor")
	// ErrEmptyName says that SpawnNamed was given no name.
	ErrEmptyName = errors.New("actor: an actor's name is not empty; use Spawn for a generated one")
	// ErrNoProducer says that props were nil or made without a producer.
	ErrNoProducer = errors.New("actor: props without a producer; make them with PropsFromProducer or PropsFromFunc")
	// ErrNoActor says that a producer returned nil.
	ErrNoActor = errors.New("actor: the producer returned no actor")
	// ErrProducerPanicked says that a producer panicked.
	ErrProducerPanicked = errors.New("actor: the producer panicked")
	// ErrInvalidProps says that an option of the props was given something it
	// cannot do; see [Props.Err].
	ErrInvalidProps = errors.New("actor: invalid props")
	// ErrMiddlewarePanicked says that a spawn middleware or a context decorator
	// panicked, or a sender middleware after it had sent a request, so that it is
	// unknown whether that has run.
	ErrMiddlewarePanicked = errors.New("actor: a middleware panicked")
	// ErrNoPID says that a spawn middleware returned neither a PID nor an error.
	ErrNoPID = errors.New("actor: a spawn middleware returned neither a PID nor an error")
	// ErrNoContext says that a context decorator returned nil.
	ErrNoContext = errors.New("actor: a context decorator returned no context")
	// ErrNotStashable says that there is nothing that [Context.Stash] could keep:
	// the message is the system's, stashed already, or has run in part, as that of
	// a continuation or of a grain's method.
	ErrNotStashable = errors.New("actor: this message cannot be stashed: it is the system's, stashed already, or has run in part")
	// ErrStashFull says that an actor has stashed as much as it may. The message
	// is a dead letter.
	ErrStashFull = errors.New("actor: the stash is full; the message is a dead letter")
	// ErrInterval says that something is to be repeated without a pause.
	ErrInterval = errors.New("actor: the interval is not positive")
	// ErrStopped says that the system, or the actor that was to spawn a child,
	// has stopped.
	ErrStopped = errors.New("actor: stopped")
	// ErrTimeout says that a future's time ran out. Whether the message was
	// handled is unknown.
	ErrTimeout = errors.New("actor: no answer within the timeout")
	// ErrCanceled says that a future was canceled by [Future.Cancel].
	ErrCanceled = errors.New("actor: future canceled")
	// ErrNilReply says that the answer to a request was nil, which is no
	// message. The request was handled.
	ErrNilReply = errors.New("actor: the answer was nil; answer with a message, such as an empty struct")
	// ErrDeadLetter is what every [DeadLetterError] is.
	ErrDeadLetter = errors.New("actor: dead letter")
	// ErrUnexpectedReply says that the answer to [Ask] had another type.
	ErrUnexpectedReply = errors.New("actor: reply of an unexpected type")
)

// DeadLetterError is the error of a request that was not delivered. The message
// certainly did not run, so it may be sent again, elsewhere or later.
type DeadLetterError struct {
	Target *PID
	// Reason is one of the DeadLetter constants, or a transport's own.
	Reason string
}

// Error implements error.
func (e *DeadLetterError) Error() string {
	return fmt.Sprintf("actor: dead letter: %s: %s", e.Target, e.Reason)
}

// Is reports whether target is [ErrDeadLetter].
func (e *DeadLetterError) Is(target error) bool { return target == ErrDeadLetter }
