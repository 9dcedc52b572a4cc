package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

// folder holds the files, below the root.
const folder = "api"

func main() {
	os.Exit(status())
}

func status() int {
	root := flag.String("root", ".", "the root of the house")
	check := flag.Bool("check", false, "write nothing; fail where a file is stale, and name what was added and removed")
	count := flag.Bool("count", false, "write nothing; print how many names each package exports")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *root, *check, *count); err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, out io.Writer, root string, check, count bool) error {
	surfaces, err := load(ctx, root)
	if err != nil {
		return err
	}
	have, err := read(filepath.Join(root, folder))
	if err != nil {
		return err
	}
	switch {
	case count:
		return tell(out, surfaces)
	case check:
		return compare(out, have, surfaces)
	default:
		return write(filepath.Join(root, folder), have, surfaces)
	}
}

// tell prints a package a line, and the sum.
func tell(out io.Writer, surfaces map[string][]string) error {
	sum := 0
	for _, name := range slices.Sorted(maps.Keys(surfaces)) {
		names := len(surfaces[name]) - 1 // less the package's own line
		sum += names
		if _, err := fmt.Fprintf(out, "%5d  %s\n", names, strings.TrimSuffix(name, ".txt")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%5d  in %d packages\n", sum, len(surfaces))
	return err
}

// read gives the lines of the files that there are. None is fine: the first run writes them.
func read(dir string) (map[string][]string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	have := map[string][]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		have[filepath.Base(name)] = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	return have, nil
}

// compare reports lines that files lack or have too many, in the manner of a diff.
func compare(out io.Writer, have, want map[string][]string) error {
	stale := 0
	for _, name := range slices.Sorted(maps.Keys(union(have, want))) {
		removed, added := without(have[name], want[name]), without(want[name], have[name])
		if slices.Equal(have[name], want[name]) {
			continue
		}
		stale++
		fmt.Fprintf(out, "%s/%s\n", folder, name)
		for _, line := range removed {
			fmt.Fprintf(out, "\tremoved: %s\n", line)
		}
		for _, line := range added {
			fmt.Fprintf(out, "\tadded:   %s\n", line)
		}
		if len(removed)+len(added) == 0 {
			fmt.Fprintf(out, "\tthe same lines, in another order or more than once\n")
		}
	}
	if stale > 0 {
		return fmt.Errorf("%d files in %s are stale: where the change is meant, and docs/compatibility.md allows it, run make api", stale, folder)
	}
	return nil
}

// write brings the files in dir from have to want.
func write(dir string, have, want map[string][]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var errs []error
	for name := range union(have, want) {
		target := filepath.Join(dir, name)
		switch lines, wanted := want[name]; {
		case !wanted:
			errs = append(errs, os.Remove(target))
		case !slices.Equal(have[name], lines):
			errs = append(errs, os.WriteFile(target, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
		}
	}
	return errors.Join(errs...)
}

func union(a, b map[string][]string) map[string][]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// without lists what is in a and not in b.
func without(a, b []string) (found []string) {
	in := map[string]bool{}
	for _, line := range b {
		in[line] = true
	}
	for _, line := range a {
		if !in[line] {
			found = append(found, line)
		}
	}
	return found
}
