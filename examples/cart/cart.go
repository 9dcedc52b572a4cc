package main

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
)

// CodeInvalid is the code of the error about a request that makes no sense.
const CodeInvalid = cluster.CodeApplication + 1

// remembered is how many ids of calls a cart keeps with its contents.
const remembered = 100

// newKind makes the kind Cart. A cart that is not called for the time of rest is saved and stops; rested is told which.
func newKind(store folder, rest time.Duration, rested func(id string)) *cluster.Kind {
	return NewCartKind(func() Cart { return &cart{store: store, rested: rested} },
		cluster.WithPassivation(rest),
		cluster.WithDeduplication(remembered)) // while it is active; what it saves helps afterwards
}

// cart is the grain.
type cart struct {
	cluster.Grain

	store  folder
	rested func(id string)
	saved  *Saved
}

// OnActivate restores the cart before its first call.
func (c *cart) OnActivate(cluster.GrainContext) (err error) {
	c.saved, err = c.store.load(c.ID())
	return err
}

// Add puts pieces into the cart, and saves it with the id of the call, in one write, before it answers.
func (c *cart) Add(item *Item, ctx cluster.GrainContext) (*Contents, error) {
	if item.Article == "" || item.Pieces == 0 {
		return nil, &cluster.GrainError{Code: CodeInvalid, Message: "an item has an article, and one piece or more"}
	}
	call := cluster.CallIDFrom(ctx) // empty if the caller can make the call only once
	if call != "" && slices.Contains(c.saved.Calls, call) {
		return c.contents(), nil
	}
	next := proto.CloneOf(c.saved)
	next.Contents.Items = with(next.Contents.Items, item)
	if call != "" {
		next.Calls = append(next.Calls, call)
		next.Calls = next.Calls[max(0, len(next.Calls)-remembered):]
	}
	if err := c.save(next); err != nil {
		return nil, err
	}
	return c.contents(), nil
}

// with adds an item to those of the same article.
func with(items []*Item, item *Item) []*Item {
	for _, there := range items {
		if there.Article == item.Article {
			there.Pieces += item.Pieces
			return items
		}
	}
	return append(items, proto.CloneOf(item)) // requests are immutable
}

// Show tells what is in the cart.
func (c *cart) Show(*ShowRequest, cluster.GrainContext) (*Contents, error) {
	return c.contents(), nil
}

// Checkout pays and empties the cart. Its context ends with the caller's patience, and so does the payment.
func (c *cart) Checkout(req *CheckoutRequest, ctx cluster.GrainContext) (*Receipt, error) {
	if err := pay(ctx, time.Duration(req.BankTakesMs)*time.Millisecond); err != nil {
		return nil, err
	}
	receipt := new(Receipt)
	for _, item := range c.saved.Contents.Items {
		receipt.Pieces += item.Pieces
	}
	if err := c.save(&Saved{Contents: new(Contents), Calls: c.saved.Calls}); err != nil {
		return nil, err
	}
	return receipt, nil
}

// pay stands for the call of a bank that takes its time.
func pay(ctx context.Context, takes time.Duration) error {
	timer := time.NewTimer(takes)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// save keeps a new state: in the store first, so that what was answered is never lost.
func (c *cart) save(next *Saved) error {
	if err := c.store.save(c.ID(), next); err != nil {
		return err
	}
	c.saved = next
	return nil
}

// contents makes a reply, which may be read while the cart changes.
func (c *cart) contents() *Contents { return proto.CloneOf(c.saved.Contents) }

// Terminate says that the cart is put away. There is nothing to save, as each change was.
func (c *cart) Terminate() { c.rested(c.ID()) }

// ReceiveDefault drops what is no call of the service.
func (*cart) ReceiveDefault(actor.Context) {}
