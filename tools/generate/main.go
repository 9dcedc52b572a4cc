package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
)

func main() {
	os.Exit(status())
}

func status() int {
	root := flag.String("root", ".", "the root of the house")
	check := flag.Bool("check", false, "write nothing; fail and show the difference where a file is stale")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, root string, check bool) error {
	temp, err := os.MkdirTemp("", "generate-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	outputs, err := generate(ctx, root, toolbox{house: root, bin: temp, have: map[string]string{}})
	if err != nil {
		return err
	}
	stale, err := orphans(root, outputs)
	if err != nil {
		return err
	}
	if check {
		return compare(ctx, os.Stdout, root, temp, outputs, stale)
	}
	return write(root, outputs, stale)
}

// generate compiles every .proto below root and returns the files that the plugins make of them.
func generate(ctx context.Context, root string, tools toolbox) (map[string]string, error) {
	names, err := findProtos(root)
	if err != nil {
		return nil, err
	}
	outputs := map[string]string{}
	for _, name := range names {
		s, err := compile(ctx, root, name)
		if err != nil {
			return nil, err
		}
		if !s.ours() {
			continue
		}
		for _, p := range pluginsFor(s.file) {
			files, err := tools.run(ctx, p, s)
			if err != nil {
				return nil, err
			}
			for out, content := range files {
				if _, twice := outputs[out]; twice {
					return nil, fmt.Errorf("%s and a file before it both generate %s", name, out)
				}
				outputs[out] = content
			}
		}
	}
	return outputs, nil
}

// write brings the tree up to date: what outputs holds is written where it differs, what is stale is removed.
func write(root string, outputs map[string]string, stale []string) error {
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		target := filepath.Join(root, filepath.FromSlash(name))
		if old, err := os.ReadFile(target); err == nil && string(old) == outputs[name] {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, []byte(outputs[name]), 0o644); err != nil {
			return err
		}
		fmt.Println("wrote", name)
	}
	for _, name := range stale {
		if err := os.Remove(filepath.Join(root, filepath.FromSlash(name))); err != nil {
			return err
		}
		fmt.Println("removed", name, "(no .proto file makes it any more)")
	}
	return nil
}

// compare fails, and writes to out the differences, unless the tree holds exactly outputs and nothing stale.
// It looks at files alone, never at git: uncommitted changes are as good as committed ones.
func compare(ctx context.Context, out io.Writer, root, temp string, outputs map[string]string, stale []string) error {
	differ := 0
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		old := filepath.Join(root, filepath.FromSlash(name))
		text, err := os.ReadFile(old)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil && string(text) == outputs[name] {
			continue
		}
		differ++
		fresh := filepath.Join(temp, filepath.Base(name))
		if err := os.WriteFile(fresh, []byte(outputs[name]), 0o600); err != nil {
			return err
		}
		diff := exec.CommandContext(ctx, "diff", "-u", "-N", "--label", name, "--label", name+" (generated anew)", old, fresh)
		diff.Stdout, diff.Stderr = out, out
		var exit *exec.ExitError
		if err := diff.Run(); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
			return fmt.Errorf("diff: %w", err)
		}
	}
	for _, name := range stale {
		differ++
		fmt.Fprintf(out, "%s: no .proto file makes it any more\n", name)
	}
	if differ > 0 {
		return fmt.Errorf("%d generated files are stale: run make generate and commit what it writes", differ)
	}
	fmt.Fprintf(out, "%d generated files are up to date\n", len(outputs))
	return nil
}
