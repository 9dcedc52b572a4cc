package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/granary-go/granary/cluster/driver"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// grainOf takes apart what names a grain on a command line.
func grainOf(text string) (kind, identity string, err error) {
	kind, identity, slashed := strings.Cut(text, "/")
	if !slashed || kind == "" || identity == "" {
		return "", "", fmt.Errorf("%s names no grain: it is KIND/IDENTITY, for example Counter/grain-1", printable(text))
	}
	if !utf8.ValidString(text) {
		return "", "", fmt.Errorf("%s names no grain: it is no valid UTF-8", printable(text))
	}
	if len(identity) > driver.MaxIdentityLength || len(kind) > driver.MaxIdentityLength {
		return "", "", fmt.Errorf("a kind or identity has %d bytes; the limit is %d", max(len(kind), len(identity)), driver.MaxIdentityLength)
	}
	return kind, identity, nil
}

func newLocate() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use:   "locate KIND/IDENTITY",
		Short: "where a grain is active",
		Long: `locate prints on which member a grain is active, in one line. It activates nothing.
'granary explain' says why it is there.

KIND is what stands before the first slash; the identity may hold more of them.`,
		Example:           "  granary locate Cart/alice\n  granary locate Cart/alice --json | jq -r .member.address",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeKinds("/"),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, identity, err := grainOf(args[0])
			if err = errors.Join(err, c.check()); err != nil {
				return misuse(err)
			}
			r, err := ask(cmd.Context(), &c, pb.AdminClient.Locate, &pb.LocateRequest{Kind: kind, Identity: identity})
			if err != nil {
				return err
			}
			if c.asJSON {
				err = printJSON(cmd.OutOrStdout(), r)
			} else {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), safe(r.GetSummary()))
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
