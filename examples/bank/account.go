package main

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
)

// Codes of the errors of this bank.
const (
	// CodeInvalid: what was asked makes no sense.
	CodeInvalid = cluster.CodeApplication + iota
	// CodeRefused: the account has less than was to be taken.
	CodeRefused
)

// remembered is how many bookings an account knows again. A transfer that fails is to be tried again before its accounts
// have as many others.
const remembered = 1000

// newAccounts makes the kind Account.
func newAccounts(store driver.FencedStore) *cluster.Kind {
	return NewAccountKind(func() Account { return new(account) },
		cluster.WithStrict(store),
		cluster.WithDeduplication(remembered)) // spares the store; what counts is what is saved
}

// account is the grain of an account.
type account struct {
	cluster.Grain

	saved SavedAccount
}

// OnActivate loads the account; one that was never saved has nothing.
func (a *account) OnActivate(ctx cluster.GrainContext) error {
	data, err := ctx.State().Load(ctx)
	if err != nil {
		return err
	}
	return proto.Unmarshal(data, &a.saved)
}

// Deposit adds an amount.
func (a *account) Deposit(amount *Amount, ctx cluster.GrainContext) (*Balance, error) {
	return a.book(ctx, amount.Cents, +1)
}

// Withdraw takes an amount.
func (a *account) Withdraw(amount *Amount, ctx cluster.GrainContext) (*Balance, error) {
	return a.book(ctx, amount.Cents, -1)
}

// book changes the balance once for each id of a call: the id is saved with the balance, in one write.
func (a *account) book(ctx cluster.GrainContext, cents, sign int64) (*Balance, error) {
	booking := cluster.CallIDFrom(ctx)
	switch {
	case cents < 0 || booking == "":
		return nil, &cluster.GrainError{Code: CodeInvalid, Message: "a booking has an amount of 0 or more, and WithCallID"}
	case slices.Contains(a.saved.Bookings, booking):
		return a.balance(), nil
	case a.saved.Cents+sign*cents < 0:
		return nil, &cluster.GrainError{Code: CodeRefused, Message: fmt.Sprintf("%s has only %d", a.ID(), a.saved.Cents)}
	}
	bookings := append(slices.Clone(a.saved.Bookings), booking)
	next := &SavedAccount{Cents: a.saved.Cents + sign*cents, Bookings: bookings[max(0, len(bookings)-remembered):]}
	data, err := proto.Marshal(next)
	if err != nil {
		return nil, err
	}
	if err := ctx.State().Save(ctx, data); err != nil {
		return nil, err
	}
	a.saved.Cents, a.saved.Bookings = next.Cents, next.Bookings
	return a.balance(), nil
}

// Look tells the balance.
func (a *account) Look(*BalanceRequest, cluster.GrainContext) (*Balance, error) {
	return a.balance(), nil
}

func (a *account) balance() *Balance { return &Balance{Cents: a.saved.Cents} }

// Terminate has nothing to do: all is saved.
func (*account) Terminate() {}

// ReceiveDefault drops what is no call of the service.
func (*account) ReceiveDefault(actor.Context) {}
