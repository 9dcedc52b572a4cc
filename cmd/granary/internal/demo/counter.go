package demo

import (
	"sync/atomic"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cmd/granary/internal/demopb"
)

// counterKind is the kind of counters: the name of their service.
const counterKind = "Counter"

// counter is the grain that the demo calls. What it knows is in its memory
// alone: it begins anew when its member is killed.
type counter struct {
	cluster.Grain

	member int32
	active *atomic.Int64 // of all counters of the process
	count  uint64
}

// Init is called when the grain is activated.
func (c *counter) Init(id string) {
	c.Grain.Init(id)
	c.active.Add(1)
}

// Terminate is called before the grain stops.
func (c *counter) Terminate() { c.active.Add(-1) }

// ReceiveDefault gets what is no call; nobody sends such.
func (c *counter) ReceiveDefault(actor.Context) {}

// Add counts a call.
func (c *counter) Add(_ *demopb.AddRequest, ctx cluster.GrainContext) (*demopb.AddReply, error) {
	c.count++
	return &demopb.AddReply{Count: c.count, Activation: ctx.Fence().String(), Member: c.member}, nil
}
