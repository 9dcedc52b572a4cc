package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// execute runs one command line and gives the exit status. An error is one
// line on errs.
func execute(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	ran := false
	root.PersistentPreRun = func(*cobra.Command, []string) { ran = true }
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return succeeded
	}
	fmt.Fprintln(errs, "granary:", safe(err.Error()))
	if !ran || errors.Is(err, errMisused) {
		fmt.Fprintf(errs, "Run '%s --help' for how it is used.\n", cmd.CommandPath())
		return misused
	}
	return statusFor(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "granary",
		Short: "the tool of a Granary cluster",
		Long: `granary is the tool of a Granary cluster: virtual actors in Go that outlive the loss of a member.

It talks to any member that serves the admin service, which is an option of its
program: cluster.Configure(…, admin.Serve()). That one answers for all. Give its
address, as host:port, by --member or in the environment:

  export GRANARY_MEMBER=10.0.0.1:8090
  granary members
  granary grains Cart --top
  granary explain Cart/alice

By themselves members only let people look; call, drain and leave have to be allowed
by admin.Allow. 'granary demo' is a cluster to look at.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddGroup(
		&cobra.Group{ID: "look", Title: "To look at a cluster:"},
		&cobra.Group{ID: "act", Title: "To do something to it:"})
	look := []*cobra.Command{newMembers(), newKinds(), newGrains(), newSlots(), newLocate(), newExplain(), newWatch(), newAudit(), newDashboard()}
	for _, c := range look {
		c.GroupID = "look"
	}
	act := []*cobra.Command{newCall(), newDrain(), newLeave()}
	for _, c := range act {
		c.GroupID = "act"
	}
	root.AddCommand(look...)
	root.AddCommand(act...)
	root.AddCommand(newDemo(), newDemoMember(), newVersion(),
		&cobra.Command{Use: "exit-status", Short: "what the exit status says", Long: helpStatus},
		&cobra.Command{Use: "connecting", Short: "how granary reaches a cluster, with TLS, too", Long: helpConnecting})
	root.SetHelpCommand(newHelp())
	return root
}

// newHelp is cobra's, but that a topic that there is not is misuse.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [VERB]",
		Short: "what a verb does",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || found == nil || len(rest) > 0 {
				return misuse(fmt.Errorf("there is no help about %q", args))
			}
			return found.Help()
		},
	}
}
