package main

import (
	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
)

// customer is a grain of the shop. It has two clusters to call: ctx.Cluster() is the shop, its own, and warehouse the
// other one.
type customer struct {
	cluster.Grain

	warehouse *cluster.Cluster
	purchases uint32
}

// Buy has the warehouse take the pieces. The call is made with the context of this one: with its deadline and its headers,
// and it ends when the customer leaves. The warehouse's error is this grain's, code and all.
func (c *customer) Buy(p *Purchase, ctx cluster.GrainContext) (*Receipt, error) {
	article := GetStockGrainClient(c.warehouse, p.Article)
	if _, err := article.TakeContext(ctx, &Pieces{Count: p.Count}); err != nil {
		return nil, err
	}
	c.purchases++
	return &Receipt{Number: c.purchases}, nil
}

// Terminate has nothing to do.
func (*customer) Terminate() {}

// ReceiveDefault drops what is no call of the service.
func (*customer) ReceiveDefault(actor.Context) {}
