package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// listing is what a grains command line asks for.
type listing struct {
	connection

	on, after string
	limit     uint32
	all, top  bool
}

func newGrains() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "grains [KIND[/PREFIX]]",
		Short: "the grains that are active, a page at a time, or the busiest",
		Long: `grains lists the grains that are active: of all kinds, of one, or those of it whose
identities begin with a prefix. It prints a page, in order of kind and identity, and
what to give as --after for the next one; --all prints page after page. A page is a
look at a moment: what begins or ends while pages are read may be missed.

--top prints those that handled the most messages since somebody last looked: about
a second ago, or more; at the first look since the member's program began.`,
		Example: `  granary grains
  granary grains Cart/2026- --limit 1000
  granary grains Cart --on 10.0.0.2:8090 --all --json
  granary grains --top`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: l.completeKinds(""),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := l.check()
			if l.top && (l.all || l.after != "") {
				err = errors.Join(err, errors.New("--top is no page: leave out --all and --after"))
			}
			if err != nil {
				return misuse(err)
			}
			if l.all && l.limit == 0 {
				l.limit = 10_000 // the fewer pages, the less the members have to look
			}
			request := &pb.GrainsRequest{Member: l.on, Limit: l.limit, After: l.after, Busiest: l.top}
			if len(args) > 0 {
				request.Kind, request.Prefix, _ = strings.Cut(args[0], "/")
			}
			return l.run(cmd, request)
		},
	}
	l.flags(cmd, patience)
	flags := cmd.Flags()
	flags.StringVar(&l.on, "on", "", "only grains on this member, by its id or address")
	flags.Uint32Var(&l.limit, "limit", 0, "grains of a page: 100 by default and at most 10000; with --top 20 and 50")
	flags.StringVar(&l.after, "after", "", "go on behind a page")
	flags.BoolVar(&l.all, "all", false, "all pages; with --json each is a document of its own")
	flags.BoolVar(&l.top, "top", false, "the busiest")
	return cmd
}

func (l *listing) run(cmd *cobra.Command, request *pb.GrainsRequest) error {
	var failures []*pb.Failure
	for page := 0; ; page++ {
		r, err := ask(cmd.Context(), &l.connection, pb.AdminClient.Grains, request)
		if err != nil {
			return err
		}
		failures = r.GetFailures()
		if l.asJSON {
			err = printJSON(cmd.OutOrStdout(), r)
		} else {
			err = l.show(cmd.OutOrStdout(), r, page)
		}
		if err != nil {
			return err
		}
		if r.GetNext() == "" || !l.all {
			return tell(cmd.ErrOrStderr(), failures)
		}
		request.After = r.GetNext()
	}
}

func (l *listing) show(out io.Writer, r *pb.GrainsResponse, page int) error {
	var t table
	switch {
	case page > 0:
		t = newTable(out)
	case l.top:
		t = newTable(out, "GRAIN", "MEMBER", "PER SECOND", "HANDLED")
	default:
		t = newTable(out, "GRAIN", "MEMBER", "TOKEN", "HANDLED")
	}
	for _, g := range r.GetGrains() {
		name := printable(g.GetKind()) + "/" + printable(g.GetIdentity())
		third := printable(g.GetToken())
		if l.top {
			third = fmt.Sprintf("%.1f", g.GetRate())
		}
		t.row(name, printable(g.GetMember().GetAddress()), third, number(g.GetHandled()))
	}
	if err := t.end(); err != nil {
		return err
	}
	if !l.all && !l.top {
		fmt.Fprintf(out, "\n%s of %s that are active", number(len(r.GetGrains())), number(r.GetActive()))
		if r.GetNext() != "" {
			fmt.Fprintf(out, "; the next page: --after %s", printable(r.GetNext()))
		}
		fmt.Fprintln(out)
	}
	return nil
}
