package actor

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// RootContext is how code that is not an actor spawns, sends and stops. It may
// be used by any goroutine.
type RootContext struct {
	system *ActorSystem
	header MessageHeader // of what is sent without one
	via    propsConfig   // its middleware
}

var (
	_ SenderContext  = (*RootContext)(nil)
	_ SpawnerContext = (*RootContext)(nil)
	_ StopperContext = (*RootContext)(nil)
)

// ActorSystem returns the system this is the root of.
func (r *RootContext) ActorSystem() *ActorSystem { return r.system }

func (r *RootContext) cell() *cell { return nil }

// WithHeaders returns a root context whose messages carry header, unless they
// have one of their own.
func (r *RootContext) WithHeaders(header map[string]string) *RootContext {
	c := *r
	c.header = maps.Clone(header)
	return &c
}

// WithSenderMiddleware returns a root context with middleware inside of what r
// has; the first given is the outermost. A nil one is left out.
func (r *RootContext) WithSenderMiddleware(middleware ...SenderMiddleware) *RootContext {
	middleware = slices.DeleteFunc(slices.Clone(middleware), func(m SenderMiddleware) bool { return m == nil })
	return r.with(WithSenderMiddleware(middleware...))
}

// WithSpawnMiddleware is [RootContext.WithSenderMiddleware] for what it spawns.
func (r *RootContext) WithSpawnMiddleware(middleware ...SpawnMiddleware) *RootContext {
	middleware = slices.DeleteFunc(slices.Clone(middleware), func(m SpawnMiddleware) bool { return m == nil })
	return r.with(WithSpawnMiddleware(middleware...))
}

func (r *RootContext) with(opt PropsOption) *RootContext {
	c := *r
	c.via = (&Props{propsConfig: r.via}).Configure(opt).propsConfig
	return &c
}

// Send implements [SenderContext]. It holds the caller up only where the
// receiver's mailbox asks for that; see [OverflowWait].
func (r *RootContext) Send(pid *PID, message any) {
	if r.header == nil && r.via.send == nil {
		r.system.sendFrom(patient, pid, envelopeOf(message, nil))
		return
	}
	r.send(pid, envelopeOf(message, nil))
}

// Request implements [SenderContext]. The root has no PID, so this is Send.
func (r *RootContext) Request(pid *PID, message any) { r.Send(pid, message) }

// RequestWithCustomSender implements [SenderContext].
func (r *RootContext) RequestWithCustomSender(pid *PID, message any, sender *PID) {
	r.send(pid, envelopeOf(message, sender))
}

// RequestFuture implements [Requester].
func (r *RootContext) RequestFuture(pid *PID, message any, timeout time.Duration) *Future {
	f := newFuture(r.system, pid, timeout)
	r.send(pid, envelopeOf(message, &f.pid))
	return f
}

func (r *RootContext) send(pid *PID, env MessageEnvelope) {
	if env.Header == nil {
		env.Header = r.header
	}
	if r.via.send != nil {
		r.sendVia(pid, env)
		return
	}
	r.system.sendFrom(patient, pid, env)
}

func (r *RootContext) sendVia(pid *PID, env MessageEnvelope) {
	e, by := env, &sending{RootContext: r}
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		r.system.logger.Error("actor: a sender middleware panicked",
			"target", pid, "message", typeName(env.Message), "sent", by.reached, "panic", p, "stack", stack())
		if !by.reached {
			r.system.DeadLetter(pid, env, DeadLetterMiddleware)
			return
		}
		if env.Sender == nil {
			return
		}
		// The message may run: nobody may be told that it did not.
		if f, ok := env.Sender.resolve(r.system.ProcessRegistry).(*Future); ok {
			f.complete(nil, fmt.Errorf("%w: %v", ErrMiddlewarePanicked, p))
		}
	}()
	r.via.send(by, pid, &e)
}

// sending is a root context for one message. It knows whether the middleware has
// sent it.
type sending struct {
	*RootContext
	reached bool
}

// cell is asked when the message is sent, and by nobody else.
func (s *sending) cell() *cell {
	s.reached = true
	return nil
}

// Spawn implements [SpawnerContext].
func (r *RootContext) Spawn(props *Props) *PID { return r.SpawnPrefix(props, "") }

// SpawnPrefix implements [SpawnerContext].
func (r *RootContext) SpawnPrefix(props *Props, prefix string) *PID {
	return r.system.spawnPrefix(props, prefix, r, r.via.spawn)
}

// SpawnNamed implements [SpawnerContext].
func (r *RootContext) SpawnNamed(props *Props, name string) (*PID, error) {
	return r.system.spawnNamed(props, name, name, r, r.via.spawn)
}

// Stop implements [StopperContext].
func (r *RootContext) Stop(pid *PID) { r.system.stop(pid) }

// StopFuture implements [StopperContext].
func (r *RootContext) StopFuture(pid *PID) *Future { return r.system.stopFuture(pid) }

// Poison implements [StopperContext].
func (r *RootContext) Poison(pid *PID) { r.system.poison(pid) }

// PoisonFuture implements [StopperContext].
func (r *RootContext) PoisonFuture(pid *PID) *Future { return r.system.poisonFuture(pid) }
