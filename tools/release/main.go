package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	os.Exit(status())
}

func status() int {
	root := flag.String("root", ".", "the root of the house, a clean git checkout of a branch")
	version := flag.String("version", "", "the version, for example v0.1.0")
	dry := flag.Bool("dry-run", false, "do it all in a clone, and keep that instead of touching the checkout")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: release -version VERSION [-root DIR] [-dry-run]")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	r := release{root: *root, version: *version, dry: *dry, day: time.Now().UTC(), out: os.Stdout}
	if err := r.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		return 1
	}
	return 0
}
