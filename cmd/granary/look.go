package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// patience is how long a question is waited for: a member waits 2 s for the others.
const patience = 5 * time.Second

func newMembers() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use:   "members",
		Short: "who is in the cluster, and how they are",
		Long: `members prints the view of a member: who is in the cluster, in order of seniority, and
what each says of itself.

A member that is leaving keeps its grains until they stop and takes nothing new. One
that is not ready says why, below the table.`,
		Example: "  granary members --member 10.0.0.1:8090\n  granary members --json | jq '.members[].status.active'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.check(); err != nil {
				return misuse(err)
			}
			r, err := ask(cmd.Context(), &c, pb.AdminClient.Members, &pb.MembersRequest{})
			if err != nil {
				return err
			}
			if c.asJSON {
				err = printJSON(cmd.OutOrStdout(), r)
			} else {
				err = showMembers(cmd.OutOrStdout(), r)
			}
			if err != nil {
				return err
			}
			return tell(cmd.ErrOrStderr(), r.GetFailures())
		},
	}
	c.flags(cmd, patience)
	return cmd
}

func showMembers(out io.Writer, r *pb.MembersResponse) error {
	fmt.Fprintf(out, "cluster %s, view %d, members: %d\n\n", printable(r.GetCluster()), r.GetEpoch(), len(r.GetMembers()))
	t := newTable(out, "MEMBER", "ADDRESS", "STATE", "READY", "GRAINS", "HANDLED", "SLOTS", "UP", "KINDS", "VERSION")
	var why []string
	for _, m := range r.GetMembers() {
		var kinds []string
		for _, k := range m.GetKinds() {
			kinds = append(kinds, printable(k.GetName()))
		}
		ready, grains, handled, up, version := "?", "?", "?", "?", "?"
		if s := m.GetStatus(); s != nil {
			ready, grains, handled, up, version = "yes", number(s.Active), number(s.Handled), span(s.StartedUnixNanos, s.AtUnixNanos), printable(s.Version)
			if !s.Ready {
				ready = "no"
			}
			for _, reason := range s.Unready {
				why = append(why, fmt.Sprintf("%s is not ready: %s", printable(m.GetAddress()), safe(reason)))
			}
		}
		t.row(printable(m.GetId()), printable(m.GetAddress()), word(m.GetState(), "STATE_"), ready, grains, handled, number(m.GetSlots()), up,
			strings.Join(kinds, ","), version)
	}
	if err := t.end(); err != nil {
		return err
	}
	if len(why) > 0 {
		fmt.Fprintf(out, "\n%s\n", strings.Join(why, "\n"))
	}
	return nil
}

func newKinds() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use:   "kinds",
		Short: "the kinds of grains, and how many are active",
		Long: `kinds prints the kinds of grains that members host, with the guarantee that each has
when the network splits, and how many grains are active, were ever activated, and
how many messages they handled, in all and on each member.`,
		Example: "  granary kinds",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.check(); err != nil {
				return misuse(err)
			}
			r, err := ask(cmd.Context(), &c, pb.AdminClient.Kinds, &pb.KindsRequest{})
			if err != nil {
				return err
			}
			if c.asJSON {
				err = printJSON(cmd.OutOrStdout(), r)
			} else {
				err = showKinds(cmd.OutOrStdout(), r)
			}
			if err != nil {
				return err
			}
			return tell(cmd.ErrOrStderr(), r.GetFailures())
		},
	}
	c.flags(cmd, patience)
	return cmd
}

func showKinds(out io.Writer, r *pb.KindsResponse) error {
	t := newTable(out, "KIND", "GUARANTEE", "STRATEGY", "MEMBER", "ACTIVE", "ACTIVATED", "HANDLED")
	for _, k := range r.GetKinds() {
		strategy := "round robin"
		if k.GetKind().GetStrategy() != "" {
			strategy = printable(k.Kind.Strategy)
		}
		t.row(printable(k.GetKind().GetName()), word(k.GetKind().GetGuarantee(), "GUARANTEE_"), strategy, fmt.Sprintf("all %d", len(k.GetMembers())),
			number(k.GetActive()), number(k.GetActivated()), number(k.GetHandled()))
		for _, m := range k.GetMembers() {
			active, activated, handled := "?", "?", "?"
			if m.GetAnswered() {
				active, activated, handled = number(m.GetActive()), number(m.GetActivated()), number(m.GetHandled())
			}
			t.row("", "", "", printable(called(m.GetMember())), active, activated, handled)
		}
	}
	return t.end()
}

func newSlots() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use:   "slots",
		Short: "who owns the slots that identities are spread over",
		Long: `slots prints how many of the 4096 slots each member owns, and how many are on their way to
it. The owner of a slot remembers where the grains of its identities are; it need
not host them. While a slot is on its way, grains that are not cached by their callers
wait for it. --json has the owner of each slot.`,
		Example: "  granary slots",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.check(); err != nil {
				return misuse(err)
			}
			r, err := ask(cmd.Context(), &c, pb.AdminClient.Slots, &pb.SlotsRequest{})
			if err != nil {
				return err
			}
			if c.asJSON {
				err = printJSON(cmd.OutOrStdout(), r)
			} else {
				err = showSlots(cmd.OutOrStdout(), r)
			}
			if err != nil {
				return err
			}
			return tell(cmd.ErrOrStderr(), r.GetFailures())
		},
	}
	c.flags(cmd, patience)
	return cmd
}

func showSlots(out io.Writer, r *pb.SlotsResponse) error {
	if r.GetInDatabase() {
		_, err := fmt.Fprintln(out, "There are no slots: a database keeps where grains are.")
		return err
	}
	t := newTable(out, "OWNER", "SLOTS", "ON THEIR WAY", "GRAINS", "WAITING", "VIEW")
	for _, o := range r.GetOwners() {
		acquiring, entries, waiting, epoch := "?", "?", "?", "?"
		if o.GetAnswered() {
			acquiring, entries, waiting, epoch = number(len(o.GetAcquiring())), number(o.GetEntries()), number(o.GetWaiting()), strconv.FormatUint(o.GetEpoch(), 10)
		}
		t.row(printable(called(o.GetMember())), number(o.GetSlots()), acquiring, entries, waiting, epoch)
	}
	return t.end()
}
