package actor

import "sync/atomic"

// Process is what a [PID] leads to: an actor, a future, or what a transport puts
// in the place of an actor elsewhere. Its methods may be called by any goroutine
// and must not block.
type Process interface {
	// SendUserMessage delivers an envelope, or makes it a dead letter. pid is
	// the one the sender used. A transport's process and a future also get
	// envelopes whose Message is nil, so that who waits for an answer is told
	// that it is none.
	SendUserMessage(pid *PID, env MessageEnvelope)
	// SendSystemMessage delivers one of *Watch, *Unwatch, *Terminated, *Stop
	// and this package's own. A process ignores those it has no use for; one
	// that cannot be watched answers *Watch with *Terminated.
	SendSystemMessage(pid *PID, message any)
}

// processRef is a process's entry in a registry. PIDs hold on to it; dead tells
// them to look again.
type processRef struct {
	process  Process
	registry *ProcessRegistry
	dead     atomic.Bool
}
