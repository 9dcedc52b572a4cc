package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/granary-go/granary/cmd/granary/internal/demo"
)

func newDemo() *cobra.Command {
	options := demo.Defaults()
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "a cluster of processes on this machine that loses a member while it is called",
		Long: `demo starts a few members as processes of their own, on free ports of the
loopback, and is their client: it calls counters, which are grains, a few hundred
times a second, and prints a line a second.

After a while it kills a member with SIGKILL. Calls to the grains of that member
wait until others host them; all other grains go on counting where they were.
Then it adds a member: the ownership of identities moves to it, activations stay.

A dashboard of the cluster is served to the browsers of this machine meanwhile, at
the address that it prints; --open opens it.

Ctrl-C ends it and leaves no process behind. With --for it ends by itself, and
its exit status is 0 only if what it shows was true.`,
		Example: `  granary demo
  granary demo --open
  granary demo --for 20s
  granary demo --members 5 --grains 2000 --rate 1000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := options.Validate(); err != nil {
				return misuse(err)
			}
			options.Colour = demo.Colourful(os.Stdout, os.Getenv)
			return demo.Run(cmd.Context(), options, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.IntVar(&options.Members, "members", options.Members, "members at the beginning")
	flags.IntVar(&options.Grains, "grains", options.Grains, "grains to call")
	flags.IntVar(&options.Rate, "rate", options.Rate, "calls per second")
	flags.DurationVar(&options.KillAfter, "kill-after", options.KillAfter, "when to kill a member")
	flags.DurationVar(&options.AddAfter, "add-after", options.AddAfter, "when to add a member")
	flags.DurationVar(&options.For, "for", options.For, "end after this time and tell whether all was true; 0 goes on until Ctrl-C")
	flags.DurationVar(&options.Ping, "ping", options.Ping, "time between two pings of a member; three missed ones make it lost")
	flags.DurationVar(&options.Bound, "recover-within", options.Bound, "how soon all grains of the killed member must answer again")
	flags.StringVar(&options.Dashboard, "dashboard", options.Dashboard, "where the dashboard is served, on the loopback; port 0 takes a free one, none serves none")
	flags.BoolVar(&options.Open, "open", false, "open the dashboard in a browser")
	flags.BoolVar(&options.Verbose, "verbose", options.Verbose, "show the logs of all processes")
	return cmd
}

// newDemoMember is the member process of the demo. It speaks with its parent
// over its standard input and output.
func newDemoMember() *cobra.Command {
	var member demo.Member
	cmd := &cobra.Command{
		Use:    demo.MemberVerb,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if member.Number < 1 {
				return misuse(errors.New("this is started by granary demo"))
			}
			return member.Run(cmd.Context(), os.Stdin, os.Stdout)
		},
	}
	cmd.Flags().IntVar(&member.Number, demo.NumberFlag, 0, "the member's number")
	cmd.Flags().DurationVar(&member.Ping, demo.PingFlag, demo.Defaults().Ping, "time between two pings")
	return cmd
}
