package actor

import (
	"maps"
	"slices"
)

// The messages that the system sends to an actor, matched as in
// `case *actor.Started:`.
type (
	// Started is the first message of every instance of an actor, also after a
	// restart.
	Started struct{}
	// Stopping tells an actor that it stops. Its children are still there;
	// what it spawns now is refused.
	Stopping struct{}
	// Stopped is the last message of an actor: its children are gone.
	Stopped struct{}
	// Restarting is the last message of an instance that failed; a new one
	// takes its place.
	Restarting struct{}
	// ReceiveTimeout tells an actor that no message came for the time it set
	// with [Context.SetReceiveTimeout].
	ReceiveTimeout struct{}
	// PoisonPill stops an actor when it comes to it in its mailbox, as
	// [RootContext.Poison] does. No actor sees it.
	PoisonPill struct{}
)

// Terminated tells a watcher that Who is gone. A parent receives it for each of
// its children, watched or not.
type Terminated struct {
	Who *PID
	Why TerminatedReason
}

// TerminatedReason says why an actor is gone.
type TerminatedReason int

const (
	// TerminatedReasonStopped means that the actor stopped.
	TerminatedReasonStopped TerminatedReason = iota
	// TerminatedReasonAddressTerminated means that the connection to the
	// actor's process broke; the actor itself may live.
	TerminatedReasonAddressTerminated
	// TerminatedReasonNotFound means that there was no such actor when the
	// watch arrived.
	TerminatedReasonNotFound
)

// String returns the reason in a word or two.
func (r TerminatedReason) String() string {
	switch r {
	case TerminatedReasonStopped:
		return "stopped"
	case TerminatedReasonAddressTerminated:
		return "address terminated"
	case TerminatedReasonNotFound:
		return "not found"
	default:
		return "unknown reason"
	}
}

// System messages that also cross processes. They travel through
// [Process.SendSystemMessage], overtake other messages, and reach no actor's
// Receive.
type (
	// Watch asks that Watcher be told of the receiver's end.
	Watch struct{ Watcher *PID }
	// Unwatch takes a Watch back.
	Unwatch struct{ Watcher *PID }
	// Stop stops the receiver.
	Stop struct{}
)

// NotInfluenceReceiveTimeout is implemented by messages that do not count as
// activity for [Context.SetReceiveTimeout].
type NotInfluenceReceiveTimeout interface {
	NotInfluenceReceiveTimeout()
}

// MessageHeader is what travels beside a message, such as a trace. It is
// read-only: a receiver that wants another one makes a copy.
type MessageHeader map[string]string

// Get returns the value of key, or "".
func (h MessageHeader) Get(key string) string { return h[key] }

// Keys returns the keys in sorted order.
func (h MessageHeader) Keys() []string { return slices.Sorted(maps.Keys(h)) }

// MessageEnvelope is a message on its way. Sending a *MessageEnvelope sends its
// Message with its Header; the way it is sent decides about the sender, except
// that Send keeps the envelope's.
type MessageEnvelope struct {
	Header  MessageHeader
	Message any
	Sender  *PID
}

// envelopeOf makes the envelope for a message as the user gave it.
func envelopeOf(message any, sender *PID) MessageEnvelope {
	if e, ok := message.(*MessageEnvelope); ok {
		return e.unwrap(sender)
	}
	return MessageEnvelope{Message: message, Sender: sender}
}

func (e *MessageEnvelope) unwrap(sender *PID) MessageEnvelope {
	if e == nil {
		return MessageEnvelope{Sender: sender}
	}
	env := *e
	if sender != nil {
		env.Sender = sender
	}
	return env
}

// One value of each stateless message serves every actor.
var (
	startedMessage        any = &Started{}
	stoppingMessage       any = &Stopping{}
	stoppedMessage        any = &Stopped{}
	restartingMessage     any = &Restarting{}
	receiveTimeoutMessage any = &ReceiveTimeout{}
	poisonMessage         any = &PoisonPill{}
	stopMessage           any = &Stop{}
)

// Messages between the cells of one system.
type (
	// failure tells a parent that its child failed and is suspended.
	failure struct {
		who        *cell
		generation uint32 // of the instance that failed
		stats      *RestartStatistics
		reason     any
		message    any
	}
	// restart replaces the instance, unless it is a later one than this.
	restart struct{ generation uint32 }
	// proceed goes on with a stop or a restart that was cut short.
	proceed struct{}
	resume  struct{}
	// receiveTick is a fired receive timer. It queues behind the messages
	// that were sent before it, and is void if one of them counted.
	receiveTick struct{}
)

var (
	resumeMessage  any = &resume{}
	proceedMessage any = &proceed{}
	tickMessage    any = &receiveTick{}
)
