package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/granary-go/granary/bench/workload"
)

const (
	// limit is how long one run may take.
	limit = time.Minute
	// farewell is how long the processes that a run has started may take to end after it.
	farewell = 15 * time.Second
	// addresses is how much address space each of its processes may have, in KiB, and memory what its collector aims at.
	addresses = 8 << 20
	memory    = "GOMEMLIMIT=3GiB"
)

// kind says what a peer is compared as.
type kind int

const (
	ours  kind = iota // what all ratios are of
	rival             // another library
	floor             // what one writes by hand
)

// peer is a program that runs cases.
type peer struct {
	name   string
	kind   kind
	folder string   // of its main package, below this one
	args   []string // before those of a case
	only   string   // what the names of the cases that it runs begin with
}

func (p peer) program(dir string) string {
	return filepath.Join(dir, strings.ReplaceAll(p.folder, "/", "-"))
}

func (p peer) runs(c workload.Case) bool { return strings.HasPrefix(c.Name, p.only) }

// build builds the programs, each as its own module says.
func build(ctx context.Context, dir string, chosen []peer) error {
	for _, p := range chosen {
		if _, err := os.Stat(p.program(dir)); err == nil {
			continue // the same as another's
		}
		fmt.Fprintf(os.Stderr, "building %s\n", p.folder)
		cmd := exec.CommandContext(ctx, "go", "build", "-o", p.program(dir), ".")
		cmd.Dir = p.folder
		cmd.Env = append(os.Environ(), "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s (run this in the folder bench): %w\n%s", p.folder, err, out)
		}
	}
	return nil
}

// measure runs a case once, in a process of its own.
func measure(ctx context.Context, dir string, p peer, c workload.Case) (workload.Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it takes more than %v", limit))
	defer cancel()
	script := fmt.Sprintf(`ulimit -v %d && exec "$0" "$@"`, addresses)
	args := append([]string{"-c", script, p.program(dir)}, p.args...)
	cmd := exec.CommandContext(ctx, "sh", append(args, "-case", c.Name)...)
	cmd.Env = append(os.Environ(), memory)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.WaitDelay = farewell
	var r workload.Result
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return r, context.Cause(ctx)
		}
		return r, fmt.Errorf("%w: %s", err, firstLine(said.String()))
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return r, fmt.Errorf("its result makes no sense: %w", err)
	}
	if r.Ops <= 0 || r.Seconds <= 0 {
		return r, errors.New("its result makes no sense: nothing was done, or in no time")
	}
	return r, nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
