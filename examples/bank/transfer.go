package main

import (
	"errors"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
)

// pause is how long a transfer waits that could not be finished, before it goes on.
const pause = time.Second

// newTransfers makes the kind Transfer. Between the two bookings of each transfer between is called.
func newTransfers(store driver.FencedStore, between func(ctx cluster.GrainContext)) *cluster.Kind {
	return NewTransferKind(func() Transfer { return &transfer{between: between} }, cluster.WithStrict(store))
}

// transfer is the grain of a transfer: a saga, which stores how far it has come before it takes the next step. A step that
// was taken, and of which that is not stored, is taken again, under the same id, and so has no effect.
type transfer struct {
	cluster.Grain

	between func(ctx cluster.GrainContext)
	status  *Status
}

// OnActivate loads how far the transfer has come.
func (t *transfer) OnActivate(ctx cluster.GrainContext) error {
	data, err := ctx.State().Load(ctx)
	if err != nil {
		return err
	}
	t.status = new(Status)
	return proto.Unmarshal(data, t.status)
}

// Run carries the transfer out. Where that fails on the way the transfer goes on by itself, whether or not its caller
// comes again.
func (t *transfer) Run(order *Order, ctx cluster.GrainContext) (*Status, error) {
	switch {
	case order.From == order.To || order.Cents < 0:
		return nil, &cluster.GrainError{Code: CodeInvalid, Message: "an order has two accounts, and an amount of 0 or more"}
	case t.status.Progress == Progress_NEW:
		if err := t.advance(ctx, &Status{Order: order, Progress: Progress_ORDERED}); err != nil {
			return nil, err
		}
	case !proto.Equal(order, t.status.Order):
		return nil, &cluster.GrainError{Code: CodeInvalid, Message: "there is a transfer with this number, of another order"}
	}
	if err := t.goOn(ctx); err != nil {
		_, timer := ctx.After(pause, t.again)
		return nil, errors.Join(err, timer)
	}
	return t.status, nil
}

// goOn takes the steps that are left.
func (t *transfer) goOn(ctx cluster.GrainContext) error {
	order := t.status.Order
	if t.status.Progress == Progress_ORDERED {
		from := GetAccountGrainClient(ctx.Cluster(), order.From)
		_, err := from.WithdrawContext(ctx, &Amount{Cents: order.Cents}, cluster.WithCallID(t.ID()+"/withdraw"))
		next := &Status{Order: order, Progress: Progress_WITHDRAWN}
		if why, ok := refused(err); ok {
			next = &Status{Order: order, Progress: Progress_REFUSED, Reason: why}
		} else if err != nil {
			return err
		}
		if err := t.advance(ctx, next); err != nil {
			return err
		}
		t.between(ctx)
	}
	if t.status.Progress == Progress_WITHDRAWN {
		to := GetAccountGrainClient(ctx.Cluster(), order.To)
		_, err := to.DepositContext(ctx, &Amount{Cents: order.Cents}, cluster.WithCallID(t.ID()+"/deposit"))
		if err != nil {
			return err
		}
		return t.advance(ctx, &Status{Order: order, Progress: Progress_DONE})
	}
	return nil
}

// refused tells an account that said no, which ends a transfer, from a call that failed, which does not.
func refused(err error) (why string, ok bool) {
	if grain := new(cluster.GrainError); errors.As(err, &grain) && !errors.Is(err, cluster.ErrUnknownOutcome) {
		return grain.Message, grain.Code == CodeRefused
	}
	return "", false
}

// again is a later turn of a transfer that was not finished.
func (t *transfer) again(ctx cluster.GrainContext) {
	if err := t.goOn(ctx); err != nil {
		_, timer := ctx.After(pause, t.again)
		slog.Warn("the transfer is not finished, and goes on", "transfer", t.ID(), "error", errors.Join(err, timer))
	}
}

// advance stores a step.
func (t *transfer) advance(ctx cluster.GrainContext, next *Status) error {
	data, err := proto.Marshal(next)
	if err != nil {
		return err
	}
	if err := ctx.State().Save(ctx, data); err != nil {
		return err
	}
	t.status = next
	return nil
}

// Look tells how far the transfer has come.
func (t *transfer) Look(*StatusRequest, cluster.GrainContext) (*Status, error) {
	return t.status, nil
}

// Terminate has nothing to do: all is saved.
func (*transfer) Terminate() {}

// ReceiveDefault drops what is no call of the service.
func (*transfer) ReceiveDefault(actor.Context) {}
