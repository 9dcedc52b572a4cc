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
	door    atomic.Int32    // open, aside or shut

	life       lifecycle
	suspended  bool       // user messages wait
	mute       bool       // the instance has received its last message
	detour     bool       // messages may be elsewhere than in user: see popDetour
	generation generation // of the instance
	actor      Actor
	env        MessageEnvelope // being handled
	extras     *extras

	home atomic.Pointer[shard] // where it ran last
	next *cell                 // behind it in a shard; of the shard

	special *special // nil for most
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

	stash []parked // what Stash keeps
	first []parked // to be handled before what is in the mailbox
	turn  turn     // of the message being handled
	next  bool     // the next one is part of something that has begun already
}

// parked is a message that was put aside.
type parked struct {
	env MessageEnvelope
	// begun says that what the sender asked for has run in part: it must not
	// be told that it has not.
	begun bool
}

// turn is what became of the message being handled.
type turn struct {
	begun     bool // it is part of something that has begun already: see parked
	continued bool // it is that of a continuation, and has run in part
	handedOn  bool // it was stashed, forwarded or refused: it is not to be answered by AutoRespond
	stashed   bool // it is in the stash, or after UnstashAll in first
	stashedAt int  // where
}

// What a sender of user messages finds.
const (
	open  int32 = iota
	aside       // the mailbox or dispatcher is a special one
	shut        // they are dead letters from now on
)

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
	if c.special = newSpecial(&props.propsConfig); c.special != nil {
		c.detour = c.special.mailbox != nil
		c.door.Store(aside)
	}
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
	if c.door.Load() != open {
		c.receiveAside(by, pid, env)
		return
	}
	c.user.Push(env)
	if c.state.Load() == idle && c.state.CompareAndSwap(idle, running) {
		c.system.dispatcher.schedule(c, by)
	}
}

// patient stands for a root context: a sender that may be held up, if it waits for
// no answer.
var patient = &cell{}

// receiveAside is receiveFrom for actors that stop, or are special.
func (c *cell) receiveAside(by *cell, pid *PID, env MessageEnvelope) {
	if c.door.Load() == shut {
		c.system.DeadLetter(pid, env, DeadLetterStopped)
		return
	}
	var out MessageEnvelope
	full := false
	if c.special.mailbox != nil {
		out, full = c.special.mailbox.push(env, by == patient && env.Sender == nil)
	} else {
		c.user.Push(env)
	}
	if c.state.Load() == idle && c.state.CompareAndSwap(idle, running) {
		c.schedule(by)
	}
	if full {
		c.system.DeadLetter(pid, out, DeadLetterMailboxFull)
	}
}

// popDetour takes the next message of an actor whose messages are not all in
// c.user.
func (c *cell) popDetour() (MessageEnvelope, bool) {
	if c.extras != nil && len(c.extras.first) > 0 {
		return c.extras.popFirst(), true
	}
	if c.special != nil && c.special.mailbox != nil {
		return c.special.mailbox.pop()
	}
	c.detour = false
	return c.user.Pop()
}

// pushed reports whether a message came after there was none.
func (c *cell) pushed() bool {
	if c.special != nil && c.special.mailbox != nil {
		return c.special.mailbox.pushed()
	}
	return c.user.Pushed()
}

// SendSystemMessage implements [Process].
func (c *cell) SendSystemMessage(_ *PID, message any) {
	c.control.Push(message)
	if state := c.state.Load(); state != running && c.state.CompareAndSwap(state, running) {
		c.schedule(nil)
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
		c.schedule(nil)
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
		var env MessageEnvelope
		var ok bool
		if c.detour {
			env, ok = c.popDetour()
		} else {
			env, ok = c.user.Pop()
		}
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
	if c.control.Pushed() || (state == idle && c.pushed()) {
		return c.state.CompareAndSwap(state, running)
	}
	return false
}

func (c *cell) handleUser(env MessageEnvelope) {
	switch env.Message.(type) {
	case *PoisonPill, *receiveTick, *Continuation, *MessageBatch:
		c.handleOwn(env)
		return
	}
	if c.life >= lifeStopping {
		c.system.DeadLetter(&c.pid, env, DeadLetterStopped)
		return
	}
	if c.extras != nil {
		c.extras.notice(env.Message)
	}
	c.env = env
	c.invoke()
}

// handleOwn handles what the actor's Receive is not called for.
func (c *cell) handleOwn(env MessageEnvelope) {
	switch m := env.Message.(type) {
	case *PoisonPill:
		c.beginStop()
		return
	case *receiveTick:
		c.receiveTick()
		return
	default:
		if c.life >= lifeStopping {
			c.system.DeadLetter(&c.pid, env, DeadLetterStopped)
			return
		}
		c.extra().notice(m)
	}
	switch m := env.Message.(type) {
	case *Continuation:
		c.reenter(m)
	case *MessageBatch:
		c.unpack(m, env)
	}
}

// notice takes account of a message that is about to be handled.
func (x *extras) notice(message any) {
	x.timer.notice(message)
	x.turn, x.next = turn{begun: x.next}, false
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
		c.childEnded(&m.message)
	case *deferredTerminated:
		c.tellEnd(m.message, m.child)
	case *Stop:
		c.beginStop()
	case *Future:
		c.stopFor(m)
	case *failure:
		c.childFailed(m)
	case *restart:
		c.beginRestart(m)
	case *proceed:
		c.proceed()
	case *resume:
		c.resumed()
	}
}

// deliver hands the actor a message of the system's.
func (c *cell) deliver(message any) {
	if c.extras != nil {
		c.extras.turn = turn{} // of a message before
	}
	c.env = MessageEnvelope{Message: message}
	c.invoke()
}

func (c *cell) invoke() {
	if c.mute || c.actor == nil {
		return
	}
	ctx := Context(c)
	if c.special != nil {
		ctx = c.context()
	}
	if c.props.receive != nil {
		c.props.receive(ctx, &c.env)
		return
	}
	c.actor.Receive(ctx)
	if c.env.Sender != nil {
		c.autoRespond(ctx)
	}
}

// context is what the instance and its middleware see of the cell.
func (c *cell) context() Context {
	if c.special != nil && c.special.context != nil {
		return c.special.context
	}
	return c
}

// receive is where an actor's middleware ends.
func (c *cell) receive(ctx Context, env *MessageEnvelope) {
	if env != &c.env {
		c.env = *env
	}
	if k, ok := c.env.Message.(*Continuation); ok {
		c.goOn(k)
		return
	}
	c.actor.Receive(ctx)
	if c.env.Sender != nil {
		c.autoRespond(ctx)
	}
}
