package actor

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Why a message was a dead letter. Transports add their own.
const (
	// DeadLetterNoActor: there is no actor of that id.
	DeadLetterNoActor = "no actor"
	// DeadLetterStopped: the actor stops or has stopped.
	DeadLetterStopped = "stopped"
	// DeadLetterNoTarget: the PID was nil or empty, or Respond found no sender.
	DeadLetterNoTarget = "no target"
	// DeadLetterNilMessage: the message was nil.
	DeadLetterNilMessage = "nil message"
	// DeadLetterMailboxFull: the actor's mailbox is bounded, and full.
	DeadLetterMailboxFull = "mailbox full"
	// DeadLetterStashFull: the actor stashed more than it may.
	DeadLetterStashFull = "stash full"
	// DeadLetterRestarted: a continuation whose instance was replaced before
	// what it waited for came.
	DeadLetterRestarted = "restarted"
	// DeadLetterNoBehavior: the actor's [Behavior] had nothing to handle it.
	DeadLetterNoBehavior = "no behavior"
	// DeadLetterMiddleware: a sender middleware of a [RootContext] panicked.
	DeadLetterMiddleware = "middleware panicked"
	// DeadLetterNoTransport: the PID's address is another process's, and no
	// transport that is registered with the system serves it.
	DeadLetterNoTransport = "no transport"
)

// DeadLetterResponse answers a request that was not delivered: the message
// certainly did not run.
type DeadLetterResponse struct {
	Target *PID
	Reason string
}

// DeadLetterEvent is published on the event stream for each message that no
// actor will handle. PID is nil if there was no target.
//
// A subscriber that sends, in its handler, to somebody who is gone makes the next
// dead letter. So that this ends, an event is dropped with a log line while 64
// others are being published.
type DeadLetterEvent struct {
	PID     *PID
	Message any
	Sender  *PID
	Reason  string
}

// DeadLetter turns a message that will not be handled into a dead letter: the
// event, and the answer to its sender if it has one, else a log line. An answer
// that comes too late, for a future that has ended, is an event only. Transports
// call it for what they cannot deliver.
func (s *ActorSystem) DeadLetter(pid *PID, env MessageEnvelope, reason string) {
	switch env.Message.(type) {
	case *receiveTick, *PoisonPill:
		return
	}
	s.publishDeadLetter(pid, env, reason)
	_, answer := env.Message.(*DeadLetterResponse)
	if env.Sender != nil && !answer {
		s.send(env.Sender, MessageEnvelope{Message: &DeadLetterResponse{Target: pid, Reason: reason}})
		return
	}
	if answer || pid != nil && strings.HasPrefix(pid.Id, futurePrefix+"$") {
		return
	}
	s.deadLetters.log(s.logger, "actor: dead letter", pid, env.Message, reason)
}

// maxDeadLetterEvents bounds how many are being published at a time. Handlers are
// quick, so that there are more only if they cause each other.
const maxDeadLetterEvents = 64

func (s *ActorSystem) publishDeadLetter(pid *PID, env MessageEnvelope, reason string) {
	if len(s.EventStream.all()) == 0 {
		return
	}
	defer s.deadLetters.publishing.Add(-1)
	if s.deadLetters.publishing.Add(1) > maxDeadLetterEvents {
		s.deadLetters.log(s.logger, "actor: a dead letter event is dropped; a subscriber may be sending to somebody who is gone",
			pid, env.Message, reason)
		return
	}
	s.EventStream.Publish(&DeadLetterEvent{PID: pid, Message: env.Message, Sender: env.Sender, Reason: reason})
}

// deadLetterProcess is what a PID of nobody leads to.
type deadLetterProcess struct{ system *ActorSystem }

// SendUserMessage implements Process.
func (p *deadLetterProcess) SendUserMessage(pid *PID, env MessageEnvelope) {
	reason := DeadLetterNoActor
	switch {
	case pid == nil || pid.Id == "":
		reason = DeadLetterNoTarget
	case !p.system.ProcessRegistry.isLocal(pid.Address):
		reason = DeadLetterNoTransport
	}
	p.system.DeadLetter(pid, env, reason)
}

// SendSystemMessage implements Process. Only a watcher is owed an answer.
func (p *deadLetterProcess) SendSystemMessage(pid *PID, message any) {
	if w, ok := message.(*Watch); ok {
		p.system.sendSystem(w.Watcher, &Terminated{Who: pid, Why: TerminatedReasonNotFound})
	}
}

const (
	deadLetterLogBurst  = 5
	deadLetterLogWindow = time.Second
)

// deadLetterLog writes at most deadLetterLogBurst lines a window, and with the
// first line of the next one how many were left out.
type deadLetterLog struct {
	publishing atomic.Int64 // events that handlers are busy with

	mu      sync.Mutex
	start   time.Time // guarded by mu: when the window began
	written int       // guarded by mu: lines in this window
	omitted int       // guarded by mu: lines left out since the last one
}

func (l *deadLetterLog) log(logger *slog.Logger, line string, pid *PID, message any, reason string) {
	omitted, ok := l.admit(time.Now())
	if !ok {
		return
	}
	attrs := []any{"target", pid, "reason", reason, slog.String("message", typeName(message))}
	if omitted > 0 {
		attrs = append(attrs, "omitted", omitted)
	}
	logger.Info(line, attrs...)
}

func (l *deadLetterLog) admit(now time.Time) (omitted int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.start) >= deadLetterLogWindow {
		l.start, l.written = now, 0
	}
	if l.written == deadLetterLogBurst {
		l.omitted++
		return 0, false
	}
	l.written++
	omitted, l.omitted = l.omitted, 0
	return omitted, true
}
