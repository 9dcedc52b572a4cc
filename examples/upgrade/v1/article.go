package main

import (
	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/examples/upgrade/v1/catalog"
)

// article is the grain of an article.
type article struct{ cluster.Grain }

// AskPrice answers with the price in cents of Euros.
func (*article) AskPrice(*catalog.PriceRequest, cluster.GrainContext) (*catalog.Price, error) {
	return &catalog.Price{Cents: 990}, nil
}

// Terminate has nothing to do.
func (*article) Terminate() {}

// ReceiveDefault drops what is no call of the service.
func (*article) ReceiveDefault(actor.Context) {}
