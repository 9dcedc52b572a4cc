package workload

// A Peer is an actor system. Its methods may be called from several goroutines.
type Peer interface {
	// Spawn starts an actor.
	Spawn(h Handler) Ref
	// Tell sends a message, and does not wait.
	Tell(to Ref, m any)
	// Ask sends a message and waits for what the actor replies.
	Ask(to Ref, m any) (any, error)
	// Stop stops an actor and waits until it has stopped.
	Stop(r Ref)
	// Close ends the system.
	Close()
}

// Ref is a peer's reference of an actor.
type Ref any

// Handler is what an actor does with a message. It is called with the messages that were sent, and with no other; one at a time
// for each actor.
type Handler func(c Context, m any)

// Context is what a handler is given. It is valid while the handler runs.
type Context interface {
	// Self is the actor.
	Self() Ref
	// Tell sends a message, and does not wait.
	Tell(to Ref, m any)
	// Reply answers an Ask.
	Reply(m any)
	// Spawn starts a child of the actor, where the peer has such.
	Spawn(h Handler) Ref
}
