package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	pb "github.com/granary-go/granary/wire/adminpb"
)

func newDrain() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use:   "drain MEMBER",
		Short: "let a member take nothing new",
		Long: `drain lets a member take nothing new: the others take over its slots, and new grains are
placed on them. The grains that are there go on until they stop by themselves. There
is no way back but to end the process and start it again; 'granary leave' does the
first part.

MEMBER is an id or an address, as 'granary members' prints them. Its program has to
allow it by admin.Allow(admin.Drain), and so has that of the member that is asked.`,
		Example:           "  granary drain 10.0.0.2:8090",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeMembers,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(); err != nil {
				return misuse(err)
			}
			r, err := ask(cmd.Context(), &c, pb.AdminClient.Drain, &pb.DrainRequest{Member: args[0]})
			if err != nil {
				return err
			}
			if c.asJSON {
				return printJSON(cmd.OutOrStdout(), r)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s takes nothing new; %s grains go on there until they stop\n",
				printable(called(r.GetMember())), number(r.GetActive()))
			return err
		},
	}
	c.flags(cmd, 10*time.Second)
	return cmd
}

func newLeave() *cobra.Command {
	var c connection
	noWait := false
	cmd := &cobra.Command{
		Use:   "leave MEMBER",
		Short: "let a member shut down gracefully, and wait until it is gone",
		Long: `leave lets a member leave the cluster as on SIGTERM: it hands over what it owns, lets its
grains finish, and no call fails. Whether the process then ends is for its program
to say (admin.OnLeave); by itself it goes on, in no cluster.

MEMBER is an id or an address, as 'granary members' prints them. Its program has to
allow it by admin.Allow(admin.Leave), and so has that of the member that is asked.`,
		Example:           "  granary leave 10.0.0.2:8090 --timeout 1m",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeMembers,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(); err != nil {
				return misuse(err)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), c.timeout)
			defer cancel()
			before, err := ask(ctx, &c, pb.AdminClient.Members, &pb.MembersRequest{Brief: true})
			if err != nil && statusFor(err) != notAllowed { // who may only let members leave, may
				return err
			}
			r, err := ask(ctx, &c, pb.AdminClient.Leave, &pb.LeaveRequest{Member: args[0]})
			if err != nil {
				return err
			}
			what := "is leaving"
			if !noWait {
				what = "has left"
				if err := c.awaitGone(ctx, r.GetMember(), before); err != nil {
					return err
				}
			}
			if c.asJSON {
				return printJSON(cmd.OutOrStdout(), r)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), printable(called(r.GetMember())), what)
			return err
		},
	}
	c.flags(cmd, 30*time.Second)
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait until it is gone")
	return cmd
}

// pollEvery is how often somebody is asked whether a member is gone.
const pollEvery = 300 * time.Millisecond

// patientWith is how many questions in a row the others may leave unanswered.
const patientWith = 3

// awaitGone asks the others until none has the member in its view. Where there is nobody
// else who answers, the member's own silence counts.
func (c *connection) awaitGone(ctx context.Context, gone *pb.MemberRef, before *pb.MembersResponse) error {
	others := connection{ca: c.ca, cert: c.cert, key: c.key, tls: c.tls, timeout: 2 * time.Second}
	for _, m := range before.GetMembers() {
		if m.GetId() != gone.GetId() {
			others.members = append(others.members, m.GetAddress())
		}
	}
	alone := others
	alone.members = []string{gone.GetAddress()}
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for failures := 0; ; {
		asked := &alone
		if len(others.members) > 0 {
			asked = &others
		}
		r, err := ask(ctx, asked, pb.AdminClient.Members, &pb.MembersRequest{Brief: true})
		switch {
		case err == nil && !holds(r, gone.GetId()):
			return nil
		case err == nil:
			failures = 0
		case statusFor(err) == notAllowed:
			return fmt.Errorf("it has begun to leave; whether it is gone is not to be seen: %w", err)
		case ctx.Err() != nil:
		case asked == &alone:
			return nil
		default:
			if failures++; failures == patientWith {
				others.members = nil // they do not serve it, or cannot be reached from here
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.New("it has begun to leave, and is not gone in time: 'granary members' tells when it is; a longer --timeout waits for it")
		}
	}
}

func holds(r *pb.MembersResponse, id string) bool {
	for _, m := range r.GetMembers() {
		if m.GetId() == id {
			return true
		}
	}
	return false
}
