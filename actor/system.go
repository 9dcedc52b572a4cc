package actor

import (
	"log/slog"
	"sync"
	"sync/atomic"
)

// ActorSystem holds actors. A process may have several; they know nothing of
// each other. Its methods may be called by any goroutine.
type ActorSystem struct {
	// Root spawns, sends and stops on behalf of code that is not an actor.
	Root *RootContext
	// EventStream carries the system's events.
	EventStream *EventStream
	// ProcessRegistry is where transports hook in.
	ProcessRegistry *ProcessRegistry

	logger      *slog.Logger
	deadLetters deadLetterLog
	extensions  sync.Map
	dispatcher  dispatcher
	timeouts    timeouts
	defaults    *propsConfig // nil without any
	stopped     atomic.Bool  // set by the first shutdown; nothing is spawned after it
}

// SystemOption changes a system while it is made.
type SystemOption func(*ActorSystem)

// WithLogger sets where the system logs. Defaults to slog.Default().
func WithLogger(logger *slog.Logger) SystemOption {
	return func(s *ActorSystem) {
		if logger != nil {
			s.logger = logger
		}
	}
}

// WithDefaults sets props options for every actor of the system, whoever spawns
// it, but for [WithoutDefaults]: what an actor's own props leave open is as opts say,
// and their middleware is outside of the actor's own. Sender and spawn middleware are the root
// context's, too.
func WithDefaults(opts ...PropsOption) SystemOption {
	return func(s *ActorSystem) {
		base := &Props{}
		if s.defaults != nil {
			base.propsConfig = *s.defaults
		}
		s.defaults = &base.Configure(opts...).propsConfig
	}
}

// NewActorSystem returns a system without actors. It runs nothing until
// something is spawned, and keeps no goroutine for actors that are idle, but
// some for a tenth of a second after they were busy. A test in a synctest bubble shuts it
// down before it returns, as those would be left behind there.
func NewActorSystem(opts ...SystemOption) *ActorSystem {
	s := &ActorSystem{logger: slog.Default(), dispatcher: newGoDispatcher()}
	for _, opt := range opts {
		opt(s)
	}
	s.Root = &RootContext{system: s}
	if s.defaults != nil {
		s.Root.via = *s.defaults
	}
	s.EventStream = NewEventStream(s.logger)
	s.ProcessRegistry = newProcessRegistry(&deadLetterProcess{system: s})
	return s
}

// Address returns the address under which other processes reach the system,
// "nonhost" until a transport set one.
func (s *ActorSystem) Address() string { return s.ProcessRegistry.Address() }

// NewLocalPID returns a PID of this system. Nothing needs to exist there.
func (s *ActorSystem) NewLocalPID(id string) *PID { return NewPID(s.Address(), id) }

// Logger returns the system's logger.
func (s *ActorSystem) Logger() *slog.Logger { return s.logger }

// SetExtension keeps value under key, as package context does: the key's type
// should be the caller's own, so that no two packages meet. A nil value removes.
func (s *ActorSystem) SetExtension(key, value any) {
	if value == nil {
		s.extensions.Delete(key)
		return
	}
	s.extensions.Store(key, value)
}

// Extension returns what SetExtension kept under key, or nil.
func (s *ActorSystem) Extension(key any) any {
	value, _ := s.extensions.Load(key)
	return value
}

// RequestUnderway tells that a transport has taken a request over whose answer
// goes to replyTo: from now on it may reach the other process, and
// [ActorSystem.AbandonRequests] completes its future. A transport calls it before
// it writes the request. It has no effect unless replyTo is a future of this
// system.
func (s *ActorSystem) RequestUnderway(replyTo *PID) {
	if replyTo == nil || !s.ProcessRegistry.isLocal(replyTo.Address) {
		return // a request that is passed on for another process
	}
	if f, ok := replyTo.resolve(s.ProcessRegistry).(*Future); ok {
		f.underway.Store(true)
	}
}

// AbandonRequests completes every pending future whose request went to address
// with cause, and returns how many there were. A transport calls it when a
// connection broke: whether those requests were handled is unknown. Requests that
// another process forwarded to address are not among them, nor are those that no
// transport has taken over yet ([ActorSystem.RequestUnderway]): they will meet
// the next connection, or become dead letters.
func (s *ActorSystem) AbandonRequests(address string, cause error) int {
	return s.abandon(cause, func(f *Future) bool {
		return f.target != nil && f.target.Address == address && f.underway.Load()
	})
}

// PendingRequests counts the futures that [ActorSystem.AbandonRequests] would
// complete. A transport asks before it ends a connection that is idle.
func (s *ActorSystem) PendingRequests(address string) int {
	return len(collect(s.ProcessRegistry, func(p Process) (struct{}, bool) {
		f, ok := p.(*Future)
		return struct{}{}, ok && f.target != nil && f.target.Address == address && f.underway.Load()
	}))
}

func (s *ActorSystem) abandon(cause error, match func(*Future) bool) int {
	futures := collect(s.ProcessRegistry, func(p Process) (*Future, bool) {
		f, ok := p.(*Future)
		return f, ok && match(f)
	})
	n := 0
	for _, f := range futures {
		if f.complete(nil, cause) {
			n++
		}
	}
	return n
}

// send is the path of every message between actors.
func (s *ActorSystem) send(pid *PID, env MessageEnvelope) { s.sendFrom(nil, pid, env) }

// sendFrom sends for an actor, while it handles a message.
func (s *ActorSystem) sendFrom(by *cell, pid *PID, env MessageEnvelope) {
	switch {
	case env.Message == nil:
		s.sendNil(pid, env)
	case pid == nil:
		s.DeadLetter(pid, env, DeadLetterNoTarget)
	default:
		switch p := pid.resolve(s.ProcessRegistry).(type) {
		case *cell:
			p.receiveFrom(by, pid, env)
		default:
			p.SendUserMessage(pid, env)
		}
	}
}

// sendNil makes a dead letter of a message that is none, unless its target is or
// may be a future: whoever waits for an answer is to learn of this one.
func (s *ActorSystem) sendNil(pid *PID, env MessageEnvelope) {
	if pid != nil {
		p := pid.resolve(s.ProcessRegistry)
		_, future := p.(*Future)
		if future || p != s.ProcessRegistry.deadLetter && !s.ProcessRegistry.isLocal(pid.Address) {
			p.SendUserMessage(pid, env)
			return
		}
	}
	s.DeadLetter(pid, env, DeadLetterNilMessage)
}

func (s *ActorSystem) sendSystem(pid *PID, message any) {
	if pid == nil {
		s.DeadLetter(nil, MessageEnvelope{Message: message}, DeadLetterNoTarget)
		return
	}
	pid.resolve(s.ProcessRegistry).SendSystemMessage(pid, message)
}

func (s *ActorSystem) stop(pid *PID)   { s.sendSystem(pid, stopMessage) }
func (s *ActorSystem) poison(pid *PID) { s.send(pid, MessageEnvelope{Message: poisonMessage}) }

func (s *ActorSystem) stopFuture(pid *PID) *Future {
	if pid != nil {
		if c, ok := pid.resolve(s.ProcessRegistry).(*cell); ok {
			f := newFuture(s, pid, 0)
			c.SendSystemMessage(pid, f)
			return f
		}
	}
	f := s.watchFuture(pid)
	s.stop(pid)
	return f
}

func (s *ActorSystem) poisonFuture(pid *PID) *Future {
	f := s.watchFuture(pid)
	s.poison(pid)
	return f
}

// watchFuture returns a future of pid's end.
func (s *ActorSystem) watchFuture(pid *PID) *Future {
	f := newFuture(s, pid, 0)
	if pid == nil {
		f.complete(&Terminated{Why: TerminatedReasonNotFound}, nil)
		return f
	}
	f.watch()
	return f
}
