package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// The limits of a run: building compiles gRPC on a new machine.
const (
	buildLimit = 10 * time.Minute
	driveLimit = 2 * time.Minute
)

func main() {
	os.Exit(status())
}

func status() int {
	root := flag.String("root", ".", "the root of the house")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: article [-root DIR] FILE [DIR]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 && flag.NArg() != 2 {
		flag.Usage()
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := newTranscript(os.Stdout)
	if err := prove(ctx, out, articlePace, *root, flag.Arg(0), flag.Arg(1)); err != nil {
		out.sayf("FAILED: %v", err)
		return 1
	}
	out.sayf("the article runs")
	return 0
}

// prove does it all. An empty dir is a temporary one.
func prove(ctx context.Context, out *transcript, pace pace, root, article, dir string) (err error) {
	text, err := os.ReadFile(article)
	if err != nil {
		return err
	}
	e, err := extract(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", article, err)
	}
	if root, err = filepath.Abs(root); err != nil {
		return err
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "article-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
	} else if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	out.sayf("building the article's programs in %s", dir)
	building, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	built, err := build(building, e, root, dir)
	if err != nil {
		return err
	}
	if err := portsFree(ctx, e.ports); err != nil {
		return err
	}
	driving, cancel := context.WithTimeout(ctx, driveLimit)
	defer cancel()
	d := drive{out: out, pace: pace, programs: built}
	return d.run(driving)
}

// portsFree fails when one of the ports that are written into the programs is taken.
func portsFree(ctx context.Context, ports []string) error {
	for _, port := range ports {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:"+port)
		if err != nil {
			return fmt.Errorf("the article's programs need port %s: %w", port, err)
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}
