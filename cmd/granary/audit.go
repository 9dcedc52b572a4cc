package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/granary-go/granary/cluster/admin"
	pb "github.com/granary-go/granary/wire/adminpb"
)

func newAudit() *cobra.Command {
	var c connection
	var sample uint32
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "take samples of where grains are, and compare what owners and hosts say",
		Long: `audit takes a sample of the grains of each member, and compares two accounts of where they
are: that of the host, and that of the owner of the identity (invariants 3 and 9 of
docs/design/placement.md). Where they differ it looks again, four times in all: a message
may be under way. What still differs is a violation: an identity may then be active
twice, or be out of reach. It should not happen; please report it.

What cannot be judged, because its slot is on its way or somebody does not answer, is
counted and is no violation. 'recorded' is what members found and mended themselves
since they joined; on a provider without leases a network split causes that.`,
		Example: "  granary audit\n  granary audit --sample 1000 --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := c.check()
			if sample > admin.MaxSample {
				err = errors.Join(err, fmt.Errorf("--sample is %d: it is %d at most", sample, admin.MaxSample))
			}
			if err != nil {
				return misuse(err)
			}
			r, err := ask(cmd.Context(), &c, pb.AdminClient.Audit, &pb.AuditRequest{Sample: sample})
			if err != nil {
				return err
			}
			if c.asJSON {
				err = printJSON(cmd.OutOrStdout(), r)
			} else {
				err = showAudit(cmd.OutOrStdout(), r)
			}
			if err != nil {
				return err
			}
			silent := tell(cmd.ErrOrStderr(), r.GetFailures())
			if n := int64(len(r.GetViolations())) + r.GetMoreViolations(); n > 0 {
				return exitError{errors.Join(fmt.Errorf("%d violations", n), silent), violated}
			}
			return silent
		},
	}
	c.flags(cmd, 15*time.Second)
	cmd.Flags().Uint32Var(&sample, "sample", 200, "grains to look at on each member, at most 1000")
	return cmd
}

func showAudit(out io.Writer, r *pb.AuditResponse) error {
	t := newTable(out, "WHAT WAS COMPARED", "COUNT")
	t.row("grains that hosts have, with their owners", number(r.GetHosted()))
	t.row("grains that owners know, with their hosts", number(r.GetEntered()))
	t.row("agreed only at a second look", number(r.GetSettled()))
	t.row("not to be judged", number(r.GetUnsettled()))
	t.row("violations", number(int64(len(r.GetViolations()))+r.GetMoreViolations()))
	t.row("recorded by members", number(r.GetRecorded()))
	if err := t.end(); err != nil {
		return err
	}
	for _, v := range r.GetViolations() {
		_, err := fmt.Fprintf(out, "\ninvariant %d: %s/%s\n  owner %s: %s\n  host %s: %s\n", v.GetInvariant(), printable(v.GetKind()), printable(v.GetIdentity()),
			printable(called(v.GetOwner())), safe(v.GetOwnerSays()), printable(called(v.GetHost())), safe(v.GetHostSays()))
		if err != nil {
			return err
		}
	}
	return nil
}
