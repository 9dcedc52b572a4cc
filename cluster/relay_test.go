package cluster_test

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
)

const relayKind = "Relay"

// relay is a grain that does what its request says, in words: "call x" calls the
// relay x with the rest of the words, and gives its answer.
type relay struct {
	cluster.Grain
	orders *orders
}

// orders are what else the relays of a test can do, by their words, and what
// they have done.
type orders struct {
	mu    sync.Mutex // guards ran and told
	told  []string
	ran   map[string]int
	words map[string]func(r *relay, ctx cluster.GrainContext, rest []string) (string, error)

	// What they do when they begin and end, if it is set.
	activate   func(r *relay, ctx cluster.GrainContext) error
	deactivate func(r *relay, ctx cluster.GrainContext, reason cluster.DeactivationReason) error
	terminate  func(r *relay)
}

func newOrders() *orders {
	return &orders{ran: make(map[string]int), words: make(map[string]func(*relay, cluster.GrainContext, []string) (string, error))}
}

func (o *orders) tell(what ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told = append(o.told, fmt.Sprint(what...))
}

// heard gives what was told since the last time.
func (o *orders) heard() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	told := o.told
	o.told = nil
	return told
}

func (o *orders) runs(id string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ran[id]
}

func (r *relay) Terminate() {
	if f := r.orders.terminate; f != nil {
		f(r)
	}
}

func (r *relay) OnActivate(ctx cluster.GrainContext) error {
	if f := r.orders.activate; f != nil {
		return f(r, ctx)
	}
	return nil
}

func (r *relay) OnDeactivate(ctx cluster.GrainContext, reason cluster.DeactivationReason) error {
	if f := r.orders.deactivate; f != nil {
		return f(r, ctx, reason)
	}
	return nil
}

func (r *relay) ReceiveDefault(actor.Context) {}

func (r *relay) do(ctx cluster.GrainContext, words []string) (string, error) {
	r.orders.mu.Lock()
	r.orders.ran[r.ID()]++
	r.orders.mu.Unlock()
	if len(words) == 0 {
		return r.ID(), nil
	}
	if words[0] == "call" {
		return callRelay(ctx, ctx.Cluster(), words[1], words[2:]...)
	}
	if do, known := r.orders.words[words[0]]; known {
		return do(r, ctx, words[1:])
	}
	return "", fmt.Errorf("no such order: %q", words[0])
}

var relayDesc = &cluster.GrainDesc[*relay]{
	Kind: relayKind, GoName: relayKind,
	Methods: []cluster.GrainMethod[*relay]{
		{Name: "Do", Request: newString, Call: doRelay},
		{Name: "DoReenterably", Reenterable: true, Request: newString, Call: doRelay},
	},
}

func newString() proto.Message { return new(wrapperspb.StringValue) }

func doRelay(r *relay, req proto.Message, ctx cluster.GrainContext) (proto.Message, error) {
	said, err := r.do(ctx, strings.Fields(req.(*wrapperspb.StringValue).Value))
	return wrapperspb.String(said), err
}

type relayActor struct {
	host   cluster.GrainHost[*relay]
	orders *orders
}

func (a *relayActor) Receive(ctx actor.Context) {
	a.host.Receive(ctx, relayDesc, func() *relay { return &relay{orders: a.orders} }, 0)
}

func (o *orders) kind(opts ...cluster.KindOption) *cluster.Kind {
	return cluster.NewGrainKind(relayKind, func() actor.Actor { return &relayActor{orders: o} }, opts...)
}

// callRelay tells a relay what to do.
func callRelay(ctx context.Context, c *cluster.Cluster, id string, words ...string) (string, error) {
	return callRelayWith(ctx, c, id, strings.Join(words, " "))
}

// callRelayReenterably is callRelay by a method that is reenterable.
func callRelayReenterably(ctx context.Context, c *cluster.Cluster, id string, words ...string) (string, error) {
	reply, err := cluster.CallGrain[*wrapperspb.StringValue](ctx, c, relayKind, id, "DoReenterably", wrapperspb.String(strings.Join(words, " ")))
	return reply.GetValue(), err
}

func callRelayWith(ctx context.Context, c *cluster.Cluster, id, words string, opts ...cluster.GrainCallOption) (string, error) {
	reply, err := cluster.CallGrain[*wrapperspb.StringValue](ctx, c, relayKind, id, "Do", wrapperspb.String(words), opts...)
	return reply.GetValue(), err
}
