package main

import (
	"fmt"
	"strconv"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
)

// newKind makes the kind Counter, whose values are kept in a store.
func newKind(store driver.FencedStore) *cluster.Kind {
	return NewCounterKind(func() Counter { return new(counter) }, cluster.WithStrict(store))
}

// counter is the grain. What it has counted is in the store, as decimal digits, before anybody is told.
type counter struct {
	cluster.Grain

	value uint64
}

// OnActivate loads what former activations have counted.
func (c *counter) OnActivate(ctx cluster.GrainContext) error {
	text, err := ctx.State().Load(ctx)
	if err != nil || text == nil {
		return err
	}
	if c.value, err = strconv.ParseUint(string(text), 10, 64); err != nil {
		return fmt.Errorf("what is stored is no number: %w", err)
	}
	return nil
}

// Add counts. The answer gets out only if the store has acknowledged the Save.
func (c *counter) Add(_ *AddRequest, ctx cluster.GrainContext) (*Count, error) {
	if err := ctx.State().Save(ctx, strconv.AppendUint(nil, c.value+1, 10)); err != nil {
		return nil, err
	}
	c.value++
	return c.count(ctx), nil
}

// Value asks only.
func (c *counter) Value(_ *ValueRequest, ctx cluster.GrainContext) (*Count, error) {
	return c.count(ctx), nil
}

func (c *counter) count(ctx cluster.GrainContext) *Count {
	return &Count{Value: c.value, Member: ctx.ActorSystem().Address()}
}

// Terminate has nothing to do: all is saved.
func (*counter) Terminate() {}

// ReceiveDefault drops what is no call of the service.
func (*counter) ReceiveDefault(actor.Context) {}
