package cluster

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
)

// Grain is embedded by implementations of generated grain interfaces; it
// keeps the identity.
type Grain struct {
	id string
}

// Init is called with the identity before any other method of a grain.
func (g *Grain) Init(id string) { g.id = id }

// ID is the grain's identity within its kind.
func (g *Grain) ID() string { return g.id }

// GrainContext is what a grain's method sees of the call and of the cluster.
// As a context.Context it carries the caller's deadline, and it is done when
// the method has returned, when the caller gives up, in another process, too, when the
// lease of the member ends on which a leased grain lives, and in the course of
// the member's shutdown: at once if that is not graceful, after half of its
// time if it is. It is valid until the method returns.
//
// A method answers by what it returns; it does not call Respond.
type GrainContext interface {
	context.Context
	actor.Context
	// Identity is the grain's identity within its kind, and Kind its kind.
	Identity() string
	Kind() string
	// Cluster calls other grains.
	Cluster() *Cluster
	// Fence is the activation's fencing token: strictly larger than that of
	// every earlier activation of the identity. A store that refuses a write
	// with a smaller token than the last it saw is safe from a stale one.
	Fence() driver.Fence
	// State is the stored value of a strict grain; its methods fail with
	// [ErrNotStrict] on other kinds.
	State() *State
	// After runs a function once, Every again and again, in turns of the grain;
	// the time is positive. See [GrainTimer].
	After(d time.Duration, f func(ctx GrainContext)) (*GrainTimer, error)
	Every(d time.Duration, f func(ctx GrainContext)) (*GrainTimer, error)
	// Await lets the grain go on with other messages while f runs, if the
	// method is reenterable, as its rpc in the .proto says; else f just runs.
	// Other methods may have changed the grain's state when it returns, and f
	// itself must not touch it: it calls others with its context, which is that of
	// the method, and keeps what it got. Await returns what f returned. It is called
	// by the method itself, not by a goroutine of its own. The methods of
	// strict kinds are never re-entered.
	Await(f func(ctx context.Context) error) error
}

type actorContext = actor.Context

type grainContext struct {
	context.Context
	actorContext
	activation *activation
	cluster    *Cluster
	timers     *timers
	chain      *waiting // the grains that wait for this turn
	header     actor.MessageHeader
	call       string // the id of the call, if it has one
	cancel     context.CancelFunc
	reentry    *reentry    // of a reenterable method
	over       atomic.Bool // the turn has returned
	awaiting   atomic.Bool // the grain goes on with other messages meanwhile
}

// grainKey is the key under which a grain's context finds itself.
type grainKey struct{}

// Value implements context.Context.
func (g *grainContext) Value(key any) any {
	switch key.(type) {
	case grainKey:
		return g
	case headerKey:
		return g.header
	default:
		return g.Context.Value(key)
	}
}

// CallIDFrom gives the id of the call that a grain serves, to whom the context
// belongs, or is derived of it. It is the same in all tries of a call that may run
// again, and empty for one that may not. A grain that saves it with its state
// knows the call again when it has been activated anew; [WithDeduplication] forgets
// it then.
func CallIDFrom(ctx context.Context) string {
	if g, ok := ctx.Value(grainKey{}).(*grainContext); ok {
		return g.call
	}
	return ""
}

func (g *grainContext) Identity() string    { return g.activation.identity.Name }
func (g *grainContext) Kind() string        { return g.activation.identity.Kind }
func (g *grainContext) Cluster() *Cluster   { return g.cluster }
func (g *grainContext) Fence() driver.Fence { return g.activation.fence }

// Stash implements actor.Context: a call is answered when its method returns, so
// that it cannot be kept for later.
func (g *grainContext) Stash() error { return actor.ErrNotStashable }

func (g *grainContext) State() *State {
	if g.activation.state == nil {
		return new(State)
	}
	return g.activation.state
}
