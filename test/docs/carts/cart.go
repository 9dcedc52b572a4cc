package carts

import (
	"maps"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
)

// New makes a cart that forgets what is in it when it stops.
func New() Cart { return &cart{items: make(map[string]int32)} }

type cart struct {
	cluster.Grain

	items map[string]int32
}

var _ Cart = (*cart)(nil)

func (c *cart) contents() *Contents { return &Contents{Items: maps.Clone(c.items)} }

// Add implements Cart.
func (c *cart) Add(item *Item, _ cluster.GrainContext) (*Contents, error) {
	c.items[item.Sku] += item.Count
	return c.contents(), nil
}

// List implements Cart.
func (c *cart) List(*Nothing, cluster.GrainContext) (*Contents, error) { return c.contents(), nil }

// Checkout implements Cart.
func (c *cart) Checkout(*Order, cluster.GrainContext) (*Receipt, error) {
	clear(c.items)
	return &Receipt{Number: c.ID()}, nil
}

// Terminate implements Cart.
func (*cart) Terminate() {}

// ReceiveDefault implements Cart.
func (*cart) ReceiveDefault(actor.Context) {}
