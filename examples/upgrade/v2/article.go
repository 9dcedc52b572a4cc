package main

import (
	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/examples/upgrade/v2/catalog"
)

// article is the grain of an article.
type article struct{ cluster.Grain }

// AskPrice answers with the price and its currency. Callers of version 1 do not see the currency.
func (*article) AskPrice(*catalog.PriceRequest, cluster.GrainContext) (*catalog.Price, error) {
	return &catalog.Price{Cents: 990, Currency: "EUR"}, nil
}

// AskStock answers with what is there.
func (*article) AskStock(*catalog.StockRequest, cluster.GrainContext) (*catalog.Stock, error) {
	return &catalog.Stock{Pieces: 7}, nil
}

// Terminate has nothing to do.
func (*article) Terminate() {}

// ReceiveDefault drops what is no call of the service.
func (*article) ReceiveDefault(actor.Context) {}
