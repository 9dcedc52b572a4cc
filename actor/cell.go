package actor

import (
	"errors"
	"log/slog"
	"runtime"
	"sync/atomic"

	"github.com/granary-go/granary/internal/queue"
)

// cell is an actor as the system sees it: the process behind its PID, its
// mailbox, its context and its life. There is one for each actor, from spawn to
// stop, whatever the number of instances.
//
// Everything that is not atomic, a queue or fixed at birth belongs to whoever
// runs the cell: the goroutine that brought state to running.
type cell struct {
	ref    processRef
	pid    PID
	system *ActorSystem
	props  *Props
	parent *cell

	user    queue.Queue[MessageEnvelope]
	control queue.List[any] // system messages; they come first
	state   atomic.Int32    // idle, running or paused
	closing atomic.Bool     // user messages are dead letters from now on

	life      lifecycle
	suspended bool // user messages wait
	mute      bool // the instance has received its last message
	actor     Actor
	env       MessageEnvelope // being handled
	extras    *extras

	home atomic.Pointer[shard] // where it ran last
	next *cell                 // behind it in a shard; of the shard
}

// extras is what most actors have not.
type extras struct {
	children pidSet
	watchers pidSet
	watching watchings
	timer    receiveTimer
	stats    *RestartStatistics
	deferred []deferredTerminated
	logger   *slog.Logger
}

// States of a cell's mailbox.
const (
	idle    int32 = iota // nobody runs the cell; any message wakes it
	running              // somebody runs it or is scheduled to
	paused               // nobody runs it; only a system message wakes it
)

func newCell(s *ActorSystem, props *Props, id string, parent *cell) *cell {
	c := &cell{system: s, props: props, parent: parent}
	c.ref.process, c.ref.registry = c, s.ProcessRegistry
	c.pid.Address, c.pid.Id = s.Address(), id
	c.state.Store(running) // by the spawner, until it schedules the cell
	return c
}

func (c *cell) extra() *extras {
	if c.extras == nil {
		c.extras = &extras{}
	}
	return c.extras
}

// SendUserMessage implements [Process].
func (c *cell) SendUserMessage(pid *PID, env MessageEnvelope) { c.receiveFrom(nil, pid, env) }

func (c *cell) receiveFrom(by *cell, pid *PID, env MessageEnvelope) {
	if c.closing.Load() {
		c.system.DeadLetter(pid, env, DeadLetterStopped)
		return
	}
	c.user.Push(env)
	if c.state.Load() == idle && c.state.CompareAndSwap(idle, running) {
		c.system.dispatcher.schedule(c, by)
	}
}

// SendSystemMessage implements [Process].
func (c *cell) SendSystemMessage(_ *PID, message any) {
	c.control.Push(message)
	if state := c.state.Load(); state != running && c.state.CompareAndSwap(state, running) {
		c.system.dispatcher.schedule(c, nil)
	}
}

// run handles messages until there are none, in turns.
func (c *cell) run() {
	for c.turn() {
		runtime.Gosched()
	}
}

var errGoexit = errors.New("runtime.Goexit was called while a message was handled")

// turn handles a bounded number of messages. It reports whether the caller still
// runs the cell.
func (c *cell) turn() (again bool) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if r := recover(); r != nil {
			c.fail(r)
			again = true
			return
		}
		// Goexit cannot be stopped, but the cell can go on elsewhere.
		c.exited()
		c.system.dispatcher.schedule(c, nil)
	}()
	again = c.handleSome()
	returned = true
	return again
}

func (c *cell) handleSome() (again bool) {
	if c.life == lifeStarting {
		c.life = lifeAlive
		c.deliver(startedMessage)
	}
	for range throughput {
		if m, ok := c.control.Pop(); ok {
			c.handleSystem(m)
			continue
		}
		if c.suspended {
			return c.release(paused)
		}
		env, ok := c.user.Pop()
		if !ok {
			return c.release(idle)
		}
		c.handleUser(env)
	}
	c.armReceiveTimer() // messages that do not count may never let it rest
	return true
}

// release gives the cell up, and takes it again if something arrived meanwhile.
// After it gave up, the cell may be run by another goroutine.
func (c *cell) release(state int32) (again bool) {
	c.env = MessageEnvelope{}
	c.armReceiveTimer()
	c.state.Store(state)
	if c.control.Pushed() || (state == idle && c.user.Pushed()) {
		return c.state.CompareAndSwap(state, running)
	}
	return false
}

func (c *cell) handleUser(env MessageEnvelope) {
	switch env.Message.(type) {
	case *PoisonPill:
		c.beginStop()
		return
	case *receiveTick:
		c.receiveTick()
		return
	}
	if c.life >= lifeStopping {
		c.system.DeadLetter(&c.pid, env, DeadLetterStopped)
		return
	}
	if c.extras != nil {
		c.extras.timer.notice(env.Message)
	}
	c.env = env
	c.invoke()
}

func (c *cell) handleSystem(message any) {
	switch m := message.(type) {
	case *Watch:
		c.watchedBy(m.Watcher)
	case *Unwatch:
		c.unwatchedBy(m.Watcher)
	case *Terminated:
		c.terminated(m)
	case *childEnded:
		c.childEnded(m.message)
	case *deferredTerminated:
		c.tellEnd(m.message, m.child)
	case *Stop:
		c.beginStop()
	case *failure:
		c.childFailed(m)
	case *restart:
		c.beginRestart()
	case *resume:
		c.resumed()
	}
}

// deliver hands the actor a message of the system's.
func (c *cell) deliver(message any) {
	c.env = MessageEnvelope{Message: message}
	c.invoke()
}

func (c *cell) invoke() {
	if c.mute || c.actor == nil {
		return
	}
	if c.props.receive != nil {
		c.props.receive(c, &c.env)
		return
	}
	c.actor.Receive(c)
}

// receive is where an actor's middleware ends.
func (c *cell) receive(ctx Context, env *MessageEnvelope) {
	if env != &c.env {
		c.env = *env
	}
	c.actor.Receive(ctx)
}
