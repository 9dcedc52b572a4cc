package main

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
)

// keeper is a grain that keeps a text, in the store if its kind is strict. What follows it is what the code generator
// makes of a service with two methods, by hand: a former revision takes the code of its own generator alone.
type keeper struct {
	cluster.Grain

	text string
}

// OnActivate reads what was kept.
func (k *keeper) OnActivate(ctx cluster.GrainContext) error {
	value, err := ctx.State().Load(ctx)
	k.text = string(value)
	return stored(err)
}

func (k *keeper) set(text string, ctx cluster.GrainContext) error {
	k.text = text
	return stored(ctx.State().Save(ctx, []byte(text)))
}

// stored leaves out that a kind without a store stores nothing.
func stored(err error) error {
	if errors.Is(err, cluster.ErrNotStrict) {
		return nil
	}
	return err
}

func (*keeper) Terminate()                   {}
func (*keeper) ReceiveDefault(actor.Context) {}

var keeperDesc = &cluster.GrainDesc[*keeper]{
	Kind: "Keeper", GoName: "Keeper",
	Methods: []cluster.GrainMethod[*keeper]{
		{Name: "Set", Request: newText, Call: func(k *keeper, req proto.Message, ctx cluster.GrainContext) (proto.Message, error) {
			text, _ := req.(*wrapperspb.StringValue)
			err := k.set(text.GetValue(), ctx)
			return wrapperspb.String(k.text), err
		}},
		{Name: "Get", Request: newText, Call: func(k *keeper, _ proto.Message, _ cluster.GrainContext) (proto.Message, error) {
			return wrapperspb.String(k.text), nil
		}},
	},
}

func newText() proto.Message { return new(wrapperspb.StringValue) }

type keeperActor struct{ host cluster.GrainHost[*keeper] }

func (a *keeperActor) Receive(ctx actor.Context) {
	a.host.Receive(ctx, keeperDesc, func() *keeper { return new(keeper) }, 0)
}

// keep calls a keeper.
func keep(ctx context.Context, c *cluster.Cluster, identity, method, text string) (*wrapperspb.StringValue, error) {
	return cluster.CallGrain[*wrapperspb.StringValue](ctx, c, "Keeper", identity, method, wrapperspb.String(text))
}
