package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	answer "github.com/granary-go/granary/cluster/explanation"
	"github.com/granary-go/granary/remote"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// explanation is what an explain command line asks for.
type explanation struct {
	connection

	kind, identity string
	cluster        string
	hosts          []string
	address        string
	verbose        bool
}

func newExplain() *cobra.Command {
	var e explanation
	cmd := &cobra.Command{
		Use:   "explain KIND/IDENTITY",
		Short: "where a grain is in a running cluster, and why",
		Long: `explain asks the owner of a grain's identity and then its host what they know about it,
and prints that: the slot and its owner, the host, the activation and its token, and
what happened to it last. It activates nothing and changes nothing.

KIND is what stands before the first slash; the identity may hold more of them.

Where members do not serve the admin service and find each other by automanaged,
--cluster and --hosts, where some of them answer pings, let explain join as a client
and ask by itself. --json then has the same form.`,
		Example: `  granary explain Counter/grain-1 --member 127.0.0.1:8090
  granary explain Account/4711 --cluster shop --hosts a:6330,b:6330 --json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: e.completeKinds("/"),
		RunE: func(cmd *cobra.Command, args []string) error {
			asClient := cmd.Flags().Changed("cluster") || cmd.Flags().Changed("hosts")
			if err := e.parse(args[0], asClient); err != nil {
				return misuse(err)
			}
			if asClient {
				return e.runClient(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return e.run(cmd)
		},
	}
	e.flags(cmd, patience)
	flags := cmd.Flags()
	flags.StringVar(&e.cluster, "cluster", "", "as a client: the cluster's name, as its members configure it")
	flags.StringSliceVar(&e.hosts, "hosts", []string{automanaged.DefaultHost}, "as a client: where members answer pings, as host:port")
	flags.StringVar(&e.address, "address", "", "as a client: this machine's host name or IP as members know it; by default the one that leads to the first host")
	flags.BoolVar(&e.verbose, "verbose", false, "as a client: show its logs")
	return cmd
}

// parse finds what is wrong with the command line.
func (e *explanation) parse(grain string, asClient bool) error {
	var errs []error
	var err error
	e.kind, e.identity, err = grainOf(grain)
	errs = append(errs, err)
	if !asClient {
		return errors.Join(append(errs, e.check())...)
	}
	if strings.TrimSpace(e.cluster) == "" {
		errs = append(errs, errors.New("--cluster is missing: it is the name that the members give to cluster.Configure"))
	}
	if len(e.hosts) == 0 {
		errs = append(errs, errors.New("--hosts is empty: name at least one host:port where a member answers pings"))
	}
	if len(e.members) > 0 {
		errs = append(errs, errors.New("--member asks a member and --cluster joins as a client: leave one of them out"))
	}
	if e.timeout <= 0 {
		errs = append(errs, fmt.Errorf("--timeout is %v: it must be positive", e.timeout))
	}
	return errors.Join(errs...)
}

// run asks a member.
func (e *explanation) run(cmd *cobra.Command) error {
	r, err := ask(cmd.Context(), &e.connection, pb.AdminClient.Explain, &pb.ExplainRequest{Kind: e.kind, Identity: e.identity})
	if err != nil {
		return err
	}
	if e.asJSON {
		err = indented(cmd.OutOrStdout(), []byte(r.GetJson()))
	} else {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), safe(r.GetText()))
	}
	if err != nil {
		return err
	}
	return tell(cmd.ErrOrStderr(), r.GetFailures())
}

// runClient joins as a client.
func (e *explanation) runClient(ctx context.Context, out, errs io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	handler := slog.DiscardHandler
	if e.verbose {
		handler = slog.NewTextHandler(errs, nil)
	}
	client := cluster.New(actor.NewActorSystem(actor.WithLogger(slog.New(handler))), cluster.Configure(e.cluster,
		automanaged.NewWithConfig(0, 0, e.hosts...), remote.Configure(e.reachedAt(ctx), 0)))
	if err := client.StartClientContext(ctx); err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	defer func() { err = errors.Join(err, client.Shutdown(true)) }()
	said, err := client.Explain(ctx, e.identity, e.kind)
	switch {
	case errors.Is(err, cluster.ErrNoView):
		return fmt.Errorf("explain: no member of cluster %q answered at %s within %v: check --cluster and --hosts, "+
			"and that a member runs there: %w", e.cluster, strings.Join(e.hosts, ", "), e.timeout, err)
	case errors.Is(err, cluster.ErrInvalidIdentity):
		return misuse(err)
	case err != nil:
		return fmt.Errorf("explain: %w", err)
	}
	if err := e.print(out, said); err != nil {
		return err
	}
	if n := len(said.Silent); n > 0 {
		return exitError{fmt.Errorf("explain: %d of those who were asked did not answer: the explanation is not complete; "+
			"a longer --timeout may help", n), incomplete}
	}
	return nil
}

func (e *explanation) print(out io.Writer, said answer.Explanation) error {
	if !e.asJSON {
		_, err := fmt.Fprintln(out, said)
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(said)
}

// reachedAt is the host under which members know this client: its own address
// on the way to the first of the hosts. To find out no packet is sent.
func (e *explanation) reachedAt(ctx context.Context) string {
	if e.address != "" {
		return e.address
	}
	way, err := new(net.Dialer).DialContext(ctx, "udp", e.hosts[0])
	if err != nil {
		return "127.0.0.1" // what is wrong with the host, the provider says
	}
	defer way.Close()
	host, _, err := net.SplitHostPort(way.LocalAddr().String())
	if err != nil {
		return "127.0.0.1"
	}
	return host
}
