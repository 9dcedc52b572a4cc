package pair

import "github.com/granary-go/granary/bench/benchpb"

// A Peer is the remoting of a library, in one process: either Serve is called, or Connect and then the others, from several goroutines.
type Peer interface {
	// Serve starts actors, the targets, that other processes reach at the address: they have the numbers from 0. A target calls
	// arrived with each Note, and answers a Question with that itself.
	Serve(targets int, arrived func()) (address string, err error)
	// Connect makes the targets at an address reachable.
	Connect(address string, targets int) error
	// Tell sends a message to a target, and does not wait. The message is not changed afterwards.
	Tell(target int, m *benchpb.Note) error
	// Ask sends a message to a target and waits for what it answers.
	Ask(target int, m *benchpb.Question) (*benchpb.Question, error)
	// Close ends this process's part.
	Close()
}
