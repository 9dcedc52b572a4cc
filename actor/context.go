package actor

import (
	"log/slog"
	"time"
)

// Requester can send a request and wait for its answer.
type Requester interface {
	// RequestFuture sends message to pid and returns the future of its answer.
	// A timeout of 0 or less means none: the future then completes with an
	// answer, a dead letter, a broken connection to pid's process, the
	// system's end, or Cancel. If pid forwards the request to another process
	// that is lost, only the timeout ends the future.
	RequestFuture(pid *PID, message any, timeout time.Duration) *Future
}

// SenderContext can send. What cannot be delivered is a dead letter: none of its
// methods panics, unless a sender middleware does, and none blocks, but for
// [RootContext.Send] to an actor that asks for it with [OverflowWait].
type SenderContext interface {
	Requester
	// ActorSystem returns the system in which is sent.
	ActorSystem() *ActorSystem
	// Send sends message to pid; the receiver sees no sender.
	Send(pid *PID, message any)
	// Request sends message to pid with this context's own PID as the sender.
	// A [RootContext] has none.
	Request(pid *PID, message any)
	// RequestWithCustomSender sends message to pid and lets sender receive the
	// answer.
	RequestWithCustomSender(pid *PID, message any, sender *PID)

	// cell returns the actor that sends, nil for a root context.
	cell() *cell
}

// SpawnerContext can spawn actors.
type SpawnerContext interface {
	// ActorSystem returns the system in which is spawned.
	ActorSystem() *ActorSystem
	// Spawn makes an actor with a generated name. It never returns nil: if the
	// actor cannot be made, a [SpawnFailedEvent] and a log line say why, and
	// what is sent to the PID is a dead letter.
	Spawn(props *Props) *PID
	// SpawnPrefix is Spawn with a generated name that begins with prefix.
	SpawnPrefix(props *Props, prefix string) *PID
	// SpawnNamed makes an actor of the given name. If there is one already it
	// returns that one's PID and [ErrNameExists].
	SpawnNamed(props *Props, name string) (*PID, error)

	// cell returns the actor that spawns, nil for a root context.
	cell() *cell
}

// StopperContext can stop actors.
type StopperContext interface {
	// Stop stops pid after the message it handles; what waits in its mailbox
	// becomes a dead letter.
	Stop(pid *PID)
	// StopFuture is Stop with a future that completes when the actor and its
	// children are gone, also if there was none. It has no timeout.
	StopFuture(pid *PID) *Future
	// Poison stops pid after the messages that were sent to it before; an actor
	// with a mailbox by priority when there is no other message.
	Poison(pid *PID)
	// PoisonFuture is to Poison what StopFuture is to Stop.
	PoisonFuture(pid *PID) *Future
}

// Context is an actor's view of the message it handles and of the system. There
// is one for each actor; it may be used only by the actor, while it handles a
// message. Other packages make their own contexts by embedding this one.
type Context interface {
	SenderContext
	SpawnerContext
	StopperContext

	// Self returns the actor's own PID.
	Self() *PID
	// Parent returns the PID of the actor that spawned this one, nil if it was
	// spawned by a RootContext.
	Parent() *PID
	// Actor returns the instance that handles the message.
	Actor() Actor
	// Children returns the actors that this one spawned and that are not gone.
	Children() []*PID
	// Logger returns the system's logger with the actor's PID.
	Logger() *slog.Logger

	// Message returns the message being handled.
	Message() any
	// Sender returns who is to receive the answer, or nil.
	Sender() *PID
	// MessageHeader returns the message's header, which may be nil.
	MessageHeader() MessageHeader
	// Respond sends an answer to Sender; without one it is a dead letter. A
	// nil answer ends the sender's future with [ErrNilReply].
	Respond(response any)
	// Forward hands the message on to pid, with its sender and header. The
	// sender does not learn of it: if the connection to pid's process breaks,
	// its request ends by its timeout only.
	Forward(pid *PID)

	// Watch asks for a *Terminated when pid is gone, at once if it is gone
	// already. Watching twice is watching once. A parent needs no Watch for
	// its children.
	Watch(pid *PID)
	// Unwatch takes Watch back: no *Terminated of pid is delivered any more.
	// For an actor's own child it does nothing.
	Unwatch(pid *PID)

	// SetReceiveTimeout asks for a *ReceiveTimeout when no message came for d.
	// It is delivered once, and again only after another message came.
	// Messages that implement [NotInfluenceReceiveTimeout] do not count; nor
	// do the system's. A d of 0 or less cancels. A restart cancels too.
	SetReceiveTimeout(d time.Duration)
	// CancelReceiveTimeout takes SetReceiveTimeout back.
	CancelReceiveTimeout()
	// ReceiveTimeout returns what was set, 0 if nothing.
	ReceiveTimeout() time.Duration

	// Stash keeps the message being handled for later, with its sender and
	// header, as it is at the moment: middleware that changes messages sees it
	// again. It fails with [ErrNotStashable] for the system's messages, for one
	// that is stashed already and in a continuation, and with [ErrStashFull],
	// making a dead letter of the message, when there are more than
	// [WithStashCapacity] allows. When the actor stops, what it has stashed
	// becomes dead letters, whose senders are told that it did not run: a handler
	// that stashes has done nothing else. One that fails afterwards has stashed
	// nothing.
	Stash() error
	// UnstashAll lets the actor handle what it has stashed, in the order in
	// which it came, next: before anything that waits in the mailbox. A restart
	// does the same, since the new instance does not know what is stashed.
	UnstashAll()
	// ReenterAfter calls continuation when the future is complete, with its
	// outcome. The actor goes on with other messages meanwhile; the
	// continuation runs as one of them, in its turn, and there Message, Sender
	// and MessageHeader are again those of the message at hand now. An actor
	// that is restarted or stops before that never runs it: it is a dead
	// letter, and the sender of the message gets no answer, as from an actor
	// that fails.
	ReenterAfter(f *Future, continuation func(result any, err error))
}

var _ Context = (*cell)(nil)

func (c *cell) cell() *cell               { return c }
func (c *cell) ActorSystem() *ActorSystem { return c.system }
func (c *cell) Self() *PID                { return &c.pid }
func (c *cell) Actor() Actor              { return c.actor }

func (c *cell) Parent() *PID {
	if c.parent == nil {
		return nil
	}
	return &c.parent.pid
}

func (c *cell) Children() []*PID {
	if c.extras == nil {
		return nil
	}
	return c.extras.children.list()
}

func (c *cell) Logger() *slog.Logger {
	x := c.extra()
	if x.logger == nil {
		x.logger = c.system.logger.With("actor", &c.pid)
	}
	return x.logger
}

func (c *cell) Message() any                 { return c.env.Message }
func (c *cell) Sender() *PID                 { return c.env.Sender }
func (c *cell) MessageHeader() MessageHeader { return c.env.Header }

func (c *cell) Respond(response any) { c.send(c.env.Sender, envelopeOf(response, nil)) }

func (c *cell) Forward(pid *PID) {
	if _, answers := c.env.Message.(AutoRespond); answers {
		c.extra().turn.handedOn = true
	}
	c.send(pid, c.env)
}

func (c *cell) Send(pid *PID, message any)    { c.send(pid, envelopeOf(message, nil)) }
func (c *cell) Request(pid *PID, message any) { c.send(pid, envelopeOf(message, &c.pid)) }

func (c *cell) RequestWithCustomSender(pid *PID, message any, sender *PID) {
	c.send(pid, envelopeOf(message, sender))
}

func (c *cell) RequestFuture(pid *PID, message any, timeout time.Duration) *Future {
	f := newFuture(c.system, pid, timeout)
	sent := false
	defer func() {
		if !sent { // a middleware panicked: nobody gets to know the future
			f.Cancel()
		}
	}()
	c.send(pid, envelopeOf(message, &f.pid))
	sent = true
	return f
}

func (c *cell) Stop(pid *PID)                 { c.system.stop(pid) }
func (c *cell) StopFuture(pid *PID) *Future   { return c.system.stopFuture(pid) }
func (c *cell) Poison(pid *PID)               { c.system.poison(pid) }
func (c *cell) PoisonFuture(pid *PID) *Future { return c.system.poisonFuture(pid) }
