package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/examples/internal/members"
)

// fateful is the transfer whose member is killed.
const fateful = "transfer-2"

// patience is for calls that may have to wait for the lease of a member that was killed.
const patience = time.Minute

// day is what happens at the bank.
type day struct {
	cluster *cluster.Cluster
	hosts   members.Fleet
}

func (d day) run(ctx context.Context) error {
	alice := GetAccountGrainClient(d.cluster, "alice")
	if _, err := alice.DepositContext(ctx, &Amount{Cents: 100}, cluster.WithCallID("opening")); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		d.balances,
		d.transfer("transfer-1", 30), d.balances,
		d.transferOfTheDead(20), d.balances,
		d.transfer(fateful, 20), d.balances, // it is done already
		d.transfer("transfer-3", 1000), d.balances,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// transfer moves cents from alice to bob.
func (d day) transfer(number string, cents int64) func(context.Context) error {
	return func(ctx context.Context) error {
		status, err := GetTransferGrainClient(d.cluster, number).RunContext(ctx,
			&Order{From: "alice", To: "bob", Cents: cents}, cluster.WithTimeout(patience))
		if err != nil {
			return err
		}
		fmt.Printf("%s of %d: %s\n", number, cents, said(status))
		return nil
	}
}

// transferOfTheDead moves cents, and kills the member that does so between the two steps. The call goes on, and is
// answered by the next activation.
func (d day) transferOfTheDead(cents int64) func(context.Context) error {
	return func(ctx context.Context) error {
		pid, err := d.cluster.GetContext(ctx, fateful, "Transfer")
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		called := make(chan error, 1)
		go func() { called <- d.transfer(fateful, cents)(ctx) }()
		if err := d.kill(ctx, d.hosts.At(pid.Address)); err != nil {
			cancel()
			return errors.Join(err, <-called)
		}
		return <-called
	}
}

// kill waits until a member halts in the transfer, and kills it.
func (d day) kill(ctx context.Context, host *members.Process) error {
	if _, err := host.Until("halted in " + fateful); err != nil {
		return err
	}
	fmt.Println(fateful, "is half done, and its member is killed")
	if err := d.balances(ctx); err != nil {
		return err
	}
	return host.Kill()
}

// said writes an answer for people.
func said(status *Status) string {
	if status.Reason == "" {
		return status.Progress.String()
	}
	return status.Progress.String() + ", " + status.Reason
}

// balances prints both balances, and their sum.
func (d day) balances(ctx context.Context) error {
	var sum int64
	for _, name := range []string{"alice", "bob"} {
		balance, err := GetAccountGrainClient(d.cluster, name).LookContext(ctx, &BalanceRequest{}, cluster.WithTimeout(patience))
		if err != nil {
			return err
		}
		sum += balance.Cents
		fmt.Printf("  %s has %d,", name, balance.Cents)
	}
	fmt.Printf(" together %d\n", sum)
	return nil
}
