package ledger

import (
	"encoding/binary"
	"errors"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
)

// Accounts is the kind, whose balances are kept in a store.
func Accounts(store driver.FencedStore) *cluster.Kind {
	return NewAccountKind(func() Account { return &account{} }, cluster.WithStrict(store))
}

type account struct {
	cluster.Grain

	balance int64
}

// OnActivate reads what former activations have saved.
func (a *account) OnActivate(ctx cluster.GrainContext) error {
	value, err := ctx.State().Load(ctx)
	if err != nil || len(value) == 0 {
		return err
	}
	if len(value) != 8 {
		return errors.New("the balance in the store is broken")
	}
	a.balance = int64(binary.BigEndian.Uint64(value))
	return nil
}

// Deposit saves before it answers: what was acknowledged is never lost.
func (a *account) Deposit(amount *Amount, ctx cluster.GrainContext) (*Amount, error) {
	if amount.Cents < 0 {
		return nil, errors.New("a deposit cannot be negative")
	}
	balance := a.balance + amount.Cents
	if err := ctx.State().Save(ctx, binary.BigEndian.AppendUint64(nil, uint64(balance))); err != nil {
		return nil, err
	}
	a.balance = balance
	return &Amount{Cents: balance}, nil
}

func (a *account) Balance(*Amount, cluster.GrainContext) (*Amount, error) {
	return &Amount{Cents: a.balance}, nil
}

func (*account) Terminate()                   {}
func (*account) ReceiveDefault(actor.Context) {}
