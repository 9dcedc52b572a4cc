package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	succeeded = iota
	failed
	misused
)

// errMisused marks errors of the command line itself.
var errMisused = errors.New("the command line makes no sense")

// execute runs one command line and gives the exit status. An error is one
// line on errs.
func execute(ctx context.Context, args []string, out, errs io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errs)
	ran := false
	root.PersistentPreRun = func(*cobra.Command, []string) { ran = true }
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return succeeded
	}
	fmt.Fprintln(errs, "granary:", err)
	if !ran || errors.Is(err, errMisused) {
		fmt.Fprintf(errs, "Run '%s --help' for how it is used.\n", cmd.CommandPath())
		return misused
	}
	return failed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "granary",
		Short:         "the tool of a Granary cluster",
		Long:          "granary is the tool of a Granary cluster: virtual actors in Go that outlive the loss of a member.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newDemo(), newDemoMember(), newExplain(), newVersion())
	return root
}

// misuse makes an error one of the command line.
func misuse(err error) error { return fmt.Errorf("%w:\n%w", errMisused, err) }
