package router

import "github.com/granary-go/granary/actor"

// Messages for the router itself. They do not leave the process.
type (
	// AddRoutee adds a routee that somebody else spawned. One that is there
	// already stays once.
	AddRoutee struct{ PID *actor.PID }
	// RemoveRoutee takes a routee out. One that the router has spawned itself
	// stops, after what it was sent before.
	RemoveRoutee struct{ PID *actor.PID }
	// AdjustPoolSize lets a pool spawn Change more routees, or less than zero:
	// remove so many of those that it has spawned, the youngest first. There are
	// never more than [MaxPoolSize]. Groups log that they spawn nobody.
	AdjustPoolSize struct{ Change int }
	// Drain ends a router without losing what it was sent before: the routees that
	// it has spawned handle that and stop, those of others are left alone, and then
	// the router stops. What it is sent meanwhile is a dead letter.
	Drain struct{}
	// GetRoutees is answered with *[Routees].
	GetRoutees struct{}
	// Routees are the routees at the moment, in the order in which they came.
	Routees struct{ PIDs []*actor.PID }
	// BroadcastMessage hands Message on to every routee, whatever the router
	// does with others.
	BroadcastMessage struct{ Message any }
)

// Hasher is implemented by messages that a consistent hash router takes: those
// with one hash go to one routee.
type Hasher interface {
	Hash() string
}

// Why a router made a dead letter.
const (
	// ReasonNoRoutees: the router has none.
	ReasonNoRoutees = "no routees"
	// ReasonDraining: the router ends ([Drain]).
	ReasonDraining = "router is draining"
	// ReasonNoHash: a consistent hash router was sent a message that is no
	// [Hasher], or whose Hash panicked.
	ReasonNoHash = "no hash"
)
