package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/granary-go/granary/bench/workload"
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
	only := flag.String("cases", "", "the `names` of cases, with commas; all if empty")
	among := flag.String("peers", "", "the `names` of peers, with commas; all if empty")
	file := flag.String("write", "", "a Markdown `file` whose table is replaced")
	flag.Parse()
	if *rounds < 1 {
		return fmt.Errorf("-rounds is %d; it must be 1 or more", *rounds)
	}
	cases, err := casesOf(*only)
	if err != nil {
		return err
	}
	chosen, err := peersOf(*among)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "granary-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := build(ctx, dir, chosen); err != nil {
		return err
	}
	results := newResults()
	for round := range *rounds {
		for _, c := range cases {
			for i := range chosen {
				p := chosen[(i+round)%len(chosen)]
				r, err := measure(ctx, dir, p, c)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				results.add(c, p, r, err)
				fmt.Fprintf(os.Stderr, "round %d of %d, %s, %s: %s\n", round+1, *rounds, c.Name, p.name, outcome(c, r, err))
			}
		}
	}
	table := results.table(cases, chosen)
	fmt.Fprint(os.Stdout, table)
	if *file == "" {
		return nil
	}
	return replace(*file, table)
}

func casesOf(names string) ([]workload.Case, error) {
	if names == "" {
		return workload.Cases, nil
	}
	var found []workload.Case
	for name := range strings.SplitSeq(names, ",") {
		c, err := workload.Find(name)
		if err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, nil
}
