// Package router hands messages on to a set of actors, its routees: to all of
// them, to one by chance or in turn, or to the one that a key of the message says.
//
// A router is an actor itself, and is spawned like any other:
//
//	workers := system.Root.Spawn(router.NewRoundRobinPool(8, workerProps))
//	system.Root.Send(workers, job)
//
// A pool spawns its routees and is their parent: its own supervisor strategy
// decides about those that fail. A group is given routees that somebody else
// spawned, here or in other processes. Both take [AddRoutee] and [RemoveRoutee]. A
// routee that has stopped leaves the router, and so does one in another process when
// the connection to that is lost, which the router logs: it may live, and comes back
// by AddRoutee.
//
// A routee sees the message as if it had been sent to it: with its sender and
// header. A router without routees makes a dead letter of what it is sent, so that
// who waits for an answer is told at once.
//
// A router handles one message after the other, which takes a fraction of a
// microsecond; messages from one sender to one routee stay in order. When a pool
// stops, also by Poison, its routees stop after the message they handle, and what
// waits for them is lost to dead letters: to let them handle it, send [Drain]. A
// router that is restarted, as one that is a child of an actor with its own
// strategy, begins as it was spawned.
package router
