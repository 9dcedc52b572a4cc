package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/clustertest/bubble"
	"github.com/granary-go/granary/cluster/driver"
)

const (
	accounts  = 4
	transfers = 24
	opening   = 100
)

// name gives the account of a number.
func name(i int) string { return fmt.Sprint("account-", i%accounts) }

// order is the transfer of a number; some are more than an account ever has.
func order(i int) *Order {
	cents := int64(10 + i)
	if i%8 == 7 {
		cents = accounts*opening + 1
	}
	return &Order{From: name(i), To: name(i + 1 + i%3), Cents: cents}
}

// forgetful is a store of which every third write fails: by turns it has happened all the same, or it has not.
type forgetful struct {
	driver.FencedStore

	writes atomic.Int64
}

func (f *forgetful) Write(ctx context.Context, id driver.Identity, fence driver.Fence, value []byte) error {
	n := f.writes.Add(1)
	if n%6 == 3 {
		return errors.New("the write is lost")
	}
	err := f.FencedStore.Write(ctx, id, fence, value)
	if n%6 == 0 {
		err = errors.Join(err, errors.New("the answer is lost"))
	}
	return err
}

// payments are transfers while faults happen. Afterwards each one is finished, and no cent is lost or doubled.
func payments() bubble.Workload {
	store := &forgetful{FencedStore: clustertest.NewFencedStore()}
	run := func(ctx context.Context, c *bubble.Cluster, i int) (*Status, error) {
		return GetTransferGrainClient(c.Client(), fmt.Sprint("transfer-", i)).RunContext(ctx, order(i))
	}
	return bubble.Workload{
		Options: bubble.Options{Members: 3, Member: func(int) []cluster.Option {
			return []cluster.Option{newAccounts(store), newTransfers(store, func(cluster.GrainContext) {})}
		}},
		Work: func(ctx context.Context, c *bubble.Cluster) error {
			for i := range accounts {
				account := GetAccountGrainClient(c.Client(), name(i))
				if _, err := account.DepositContext(ctx, &Amount{Cents: opening}, cluster.WithCallID("opening")); err != nil {
					return err
				}
			}
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for i := range transfers {
				short, cancel := context.WithTimeout(ctx, 500*time.Millisecond) // many give up on the way
				_, _ = run(short, c, i)
				cancel()
				<-tick.C
			}
			return nil
		},
		Check: func(ctx context.Context, c *bubble.Cluster) error { return audit(ctx, c, run) },
	}
}

// audit finishes all transfers, and compares the accounts with what they say.
func audit(ctx context.Context, c *bubble.Cluster, run func(context.Context, *bubble.Cluster, int) (*Status, error)) error {
	want := map[string]int64{}
	for i := range accounts {
		want[name(i)] = opening
	}
	for i := range transfers {
		status, err := run(ctx, c, i)
		switch {
		case err != nil:
			return fmt.Errorf("transfer %d: %w", i, err)
		case status.Progress == Progress_DONE:
			want[order(i).From] -= order(i).Cents
			want[order(i).To] += order(i).Cents
		case status.Progress != Progress_REFUSED:
			return fmt.Errorf("transfer %d is %v after all is healed", i, status.Progress)
		}
	}
	var wrong error
	for i := range accounts {
		balance, err := GetAccountGrainClient(c.Client(), name(i)).LookContext(ctx, &BalanceRequest{})
		if err != nil {
			return err
		}
		if balance.Cents != want[name(i)] {
			wrong = errors.Join(wrong, fmt.Errorf("%s has %d; by the transfers it has %d", name(i), balance.Cents, want[name(i)]))
		}
	}
	return wrong
}

func TestMoneyIsConserved(t *testing.T) {
	bubble.Scenarios(t, 6, 1, bubble.Plan{Faults: 5, New: payments})
}
