package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/granary-go/granary/cluster/admin"
	"github.com/granary-go/granary/cmd/granary/internal/localweb"
	"github.com/granary-go/granary/dashboard"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// boarding is what a dashboard command line asks for.
type boarding struct {
	connection

	listen   string
	allow    []string
	interval time.Duration
	viewers  int
	open     bool
}

func newDashboard() *cobra.Command {
	b := boarding{connection: connection{timeout: patience}}
	cmd := &cobra.Command{
		Use:   "dashboard",
		Short: "a page in the browser that shows the cluster as it lives",
		Long: `dashboard serves a page to the browsers of this machine, until Ctrl-C: members, kinds,
slots, plots, events, where a grain is and why, and dead letters. It prints the page's
address, and opens it with --open.

It talks to one member, and goes on with another when that one goes away. The page only
looks; --allow lets it drain members or have them leave, which they have to allow, too.
The admin service knows no latencies of calls; package dashboard, mounted in a program
that measures its own, shows them.`,
		Example: "  granary dashboard --member 10.0.0.1:8090 --open\n  granary dashboard --allow drain,leave",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(b.check(), b.checkOwn()); err != nil {
				return misuse(err)
			}
			return b.run(cmd, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	b.reach(cmd)
	flags.StringVar(&b.listen, "listen", "127.0.0.1:8900", "where the page is served, on the loopback; port 0 takes a free one")
	flags.StringSliceVar(&b.allow, "allow", nil, "what the page may do: drain, leave")
	flags.DurationVar(&b.interval, "interval", dashboard.DefaultInterval, "time between two looks at the cluster, while somebody looks at the page")
	flags.IntVar(&b.viewers, "viewers", dashboard.DefaultViewers, "how many pages are served at a time")
	flags.BoolVar(&b.open, "open", false, "open the page in a browser")
	return cmd
}

// checkOwn says what is wrong with the flags of this verb.
func (b *boarding) checkOwn() error {
	var errs []error
	if err := localweb.Check(b.listen); err != nil {
		errs = append(errs, fmt.Errorf("--listen: %w", err))
	}
	for _, op := range b.allow {
		if op != string(admin.Drain) && op != string(admin.Leave) {
			errs = append(errs, fmt.Errorf("--allow %s: choose from drain and leave", printable(op)))
		}
	}
	if b.interval < time.Second/10 {
		errs = append(errs, fmt.Errorf("--interval is %v: a tenth of a second is the least", b.interval))
	}
	if b.viewers < 1 {
		errs = append(errs, fmt.Errorf("--viewers is %d: one is the least", b.viewers))
	}
	return errors.Join(errs...)
}

func (b *boarding) run(cmd *cobra.Command, out io.Writer) error {
	ctx := cmd.Context()
	if _, err := ask(ctx, &b.connection, pb.AdminClient.Members, &pb.MembersRequest{Brief: true}); err != nil {
		return err
	}
	listener, err := localweb.Listen(ctx, b.listen)
	if err != nil {
		return fmt.Errorf("%w: choose another address with --listen", err)
	}
	conn := dashboard.Connect(b.members, b.dial)
	defer conn.Close()
	ops := make([]admin.Operation, len(b.allow))
	for i, op := range b.allow {
		ops[i] = admin.Operation(op)
	}
	board := dashboard.New(pb.NewAdminClient(conn), dashboard.WithAllow(ops...), dashboard.WithInterval(b.interval), dashboard.WithViewers(b.viewers))
	defer board.Close()
	fmt.Fprintf(out, "The dashboard is at %s until Ctrl-C.\n", localweb.URL(listener))
	if b.open {
		if err := localweb.Open(ctx, localweb.URL(listener)); err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "granary:", safe(err.Error()))
		}
	}
	return localweb.Serve(ctx, listener, board)
}
