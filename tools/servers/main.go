package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// defaultLimit bounds one build.
const defaultLimit = 45 * time.Minute

func main() {
	os.Exit(status())
}

func status() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, catalogue, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		return 1
	}
	return 0
}

// run is the command, on a catalogue.
func run(ctx context.Context, all []server, args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("servers", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.Usage = func() {
		fmt.Fprintln(log, "usage: servers [-root DIR] [-timeout D] [-list] [NAME…]")
		flags.PrintDefaults()
	}
	root := flags.String("root", ".", "the root of the house")
	limit := flags.Duration("timeout", defaultLimit, "how long one build may take")
	list := flags.Bool("list", false, "say which servers there are, and build nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(all, flags.Args())
	if err != nil {
		return err
	}
	cache, err := cacheFolder()
	if err != nil {
		return err
	}
	w := workshop{root: *root, cache: filepath.Join(cache, "servers"), limit: *limit, log: log}
	if *list {
		return w.list(ctx, chosen, out)
	}
	if err := w.provide(ctx, chosen); err != nil {
		return err
	}
	fmt.Fprintf(out, "export GRANARY_TEST_SERVERS=%s\n", quote(w.current()))
	return nil
}

// list says of each server which version is pinned, and whether it is built.
func (w workshop) list(ctx context.Context, servers []server, out io.Writer) error {
	for _, s := range servers {
		version, err := s.version(ctx, w.root)
		if err != nil {
			return err
		}
		state := "not built; " + s.takes
		if w.built(s, version) {
			state = "built, in " + w.kept(s, version)
		}
		fmt.Fprintf(out, "%-15s %-9s %s\n", s.name, version, state)
	}
	return nil
}

// cacheFolder is where the house keeps what it builds for itself, as scripts/lint does.
func cacheFolder() (string, error) {
	if folder := os.Getenv("GRANARY_CACHE"); folder != "" {
		return filepath.Abs(folder)
	}
	folder, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w; or set GRANARY_CACHE to the folder for what is built", err)
	}
	return filepath.Join(folder, "granary"), nil
}

// quote makes a word of the shell of a text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
