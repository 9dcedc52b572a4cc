package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	rounds := flag.Int("rounds", 5, "how often every case is run by every peer")
	tables := flag.String("tables", "", "the `names` of tables, with commas: actor, remote, cluster; all if empty")
	only := flag.String("cases", "", "the `names` of cases, with commas; all if empty")
	among := flag.String("peers", "", "the `names` of peers, with commas; all if empty")
	file := flag.String("write", "", "a Markdown `file` whose tables are replaced")
	flag.Parse()
	if *rounds < 1 {
		return fmt.Errorf("-rounds is %d; it must be 1 or more", *rounds)
	}
	chosen, err := comparisonsOf(*tables, *only, *among)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "granary-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, c := range chosen {
		if err := build(ctx, dir, c.peers); err != nil {
			return err
		}
	}
	for _, c := range chosen {
		table, err := compare(ctx, dir, c, *rounds)
		if err != nil {
			return err
		}
		fmt.Fprintln(os.Stdout, table)
		if *file == "" {
			continue
		}
		if err := replace(*file, c.begins, c.ends, table); err != nil {
			return err
		}
	}
	return nil
}

// compare runs all cases by all peers, in rounds, and gives the table.
func compare(ctx context.Context, dir string, all comparison, rounds int) (string, error) {
	results := newResults()
	for round := range rounds {
		for _, c := range all.cases {
			for i := range all.peers {
				p := all.peers[(i+round)%len(all.peers)]
				if !p.runs(c) {
					continue
				}
				r, err := measure(ctx, dir, p, c)
				if ctx.Err() != nil {
					return "", ctx.Err()
				}
				results.add(c, p, r, err)
				fmt.Fprintf(os.Stderr, "round %d of %d, %s, %s: %s\n", round+1, rounds, c.Name, p.name, outcome(c, r, err))
			}
		}
	}
	return results.table(all.cases, all.peers), nil
}
