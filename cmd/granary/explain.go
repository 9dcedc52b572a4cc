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
	"time"

	"github.com/spf13/cobra"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/remote"
)

// explanation is what an explain command line asks for.
type explanation struct {
	kind, identity string
	cluster        string
	hosts          []string
	address        string
	timeout        time.Duration
	asJSON         bool
	verbose        bool
}

func newExplain() *cobra.Command {
	var e explanation
	cmd := &cobra.Command{
		Use:   "explain KIND/IDENTITY",
		Short: "say where a grain is in a running cluster, and why",
		Long: `explain joins a running cluster as a client, asks the owner of a grain's identity
and then its host what they know about it, and prints that: the slot and its
owner, the host, the activation and its token, and what happened to it last. It
activates nothing and changes nothing.

KIND is what stands before the first slash; the identity may hold more of them.
The cluster's members find each other by automanaged: --hosts are where some of
them answer pings.

The exit status is 0 when all who were asked have answered, 1 when the cluster was
not reached or somebody did not answer (what the others said is printed all the
same), and 2 when the command line made no sense.`,
		Example: `  granary explain Counter/grain-1 --cluster granary-demo --hosts 127.0.0.1:6330
  granary explain Account/4711 --cluster shop --hosts a:6330,b:6330 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := e.parse(args[0]); err != nil {
				return misuse(err)
			}
			return e.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&e.cluster, "cluster", "", "the cluster's name, as its members configure it (required)")
	flags.StringSliceVar(&e.hosts, "hosts", []string{automanaged.DefaultHost}, "where members answer pings, as host:port")
	flags.BoolVar(&e.asJSON, "json", false, "print JSON; terms and epochs are texts in it")
	flags.DurationVar(&e.timeout, "timeout", 5*time.Second, "how long to wait for the cluster and for answers")
	flags.StringVar(&e.address, "address", "", "this machine's host name or IP as members know it; by default the one that leads to the first host")
	flags.BoolVar(&e.verbose, "verbose", false, "show the logs of this client")
	return cmd
}

// parse finds what is wrong with the command line.
func (e *explanation) parse(grain string) error {
	var errs []error
	var slashed bool
	if e.kind, e.identity, slashed = strings.Cut(grain, "/"); !slashed || e.kind == "" || e.identity == "" {
		errs = append(errs, fmt.Errorf("%q names no grain: it is KIND/IDENTITY, for example Counter/grain-1", grain))
	}
	if strings.TrimSpace(e.cluster) == "" {
		errs = append(errs, errors.New("--cluster is missing: it is the name that the members give to cluster.Configure"))
	}
	if len(e.hosts) == 0 {
		errs = append(errs, errors.New("--hosts is empty: name at least one host:port where a member answers pings"))
	}
	if e.timeout <= 0 {
		errs = append(errs, fmt.Errorf("--timeout is %v: it must be positive", e.timeout))
	}
	return errors.Join(errs...)
}

func (e *explanation) run(ctx context.Context, out, errs io.Writer) (err error) {
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
		return fmt.Errorf("explain: %d of those who were asked did not answer: the explanation is not complete; "+
			"a longer --timeout may help", n)
	}
	return nil
}

func (e *explanation) print(out io.Writer, said cluster.Explanation) error {
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
