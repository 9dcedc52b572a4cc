package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	os.Exit(status())
}

func status() int {
	root := flag.String("root", ".", "the root of the house")
	atOnce := flag.Int("at-once", 3, "how many modules are tested at a time")
	later := flag.String("later", "", "the modules that are left out unless GRANARY_TEST_SERVERS is set: their folders, as in go.work, between blanks")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: testcount [-root DIR] [-at-once N] [-later MODULES] [-- flags of go test]")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	c := newCounter(os.Stdout)
	c.all, c.later = os.Getenv("GRANARY_TEST_SERVERS") != "", strings.Fields(*later)
	begun := time.Now()
	if err := runAll(ctx, c, *root, *atOnce, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "testcount:", err)
		c.failed++
	}
	line, err := c.verdict()
	fmt.Printf("== the tests of all modules took %.1f minutes\n", time.Since(begun).Minutes())
	fmt.Println(line)
	if err != nil {
		return 1
	}
	return 0
}

// runAll tests every module of the workspace, the first alone, then some at a time: those of the providers mostly wait.
// What a module says is shown when its tests are over. Tests that failed beside another module are then run alone. The
// error is about running; what failed is in the counter.
func runAll(ctx context.Context, c *counter, root string, atOnce int, flags []string) error {
	modules, err := workspace(ctx, root)
	if err == nil {
		modules, err = c.leaveOut(modules)
	}
	if err != nil {
		return err
	}
	var (
		mu       sync.Mutex // guards c, errs and doubtful
		errs     []error
		doubtful = map[string][]doubt{} // by module
		all      sync.WaitGroup
	)
	slots := make(chan struct{}, max(atOnce, 1))
	for i, dir := range modules {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		mu.Lock()
		fmt.Fprintf(c.out, "== %s begins\n", dir)
		mu.Unlock()
		all.Go(func() {
			defer func() { <-slots }()
			said := &transcript{}
			one := newCounter(said)
			one.all, one.beside = c.all, i > 0 && atOnce > 1
			err := runModule(ctx, one, root, dir, flags)
			mu.Lock()
			defer mu.Unlock()
			c.merge(one)
			doubtful[dir] = one.doubtful
			fmt.Fprint(c.out, said.text.String())
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", dir, err))
			}
		})
		if i == 0 {
			all.Wait() // the core keeps the machine busy, and leases of others would end
		}
	}
	all.Wait()
	for _, dir := range modules {
		errs = append(errs, tryAllAlone(ctx, c, root, dir, flags, doubtful[dir]))
	}
	return errors.Join(append(errs, ctx.Err())...)
}

// tryAllAlone tests what failed of a module beside another one, package by package.
func tryAllAlone(ctx context.Context, c *counter, root, dir string, flags []string, doubtful []doubt) error {
	var errs []error
	for _, d := range doubtful {
		if err := tryAlone(ctx, c, filepath.Join(root, dir), flags, d); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}

// tryAlone runs tests of the module at dir that failed beside another module, while no other runs.
func tryAlone(ctx context.Context, c *counter, dir string, flags []string, d doubt) error {
	fmt.Fprintf(c.out, "== %s: what failed beside another module is tested alone: %s\n", d.pkg, strings.Join(d.tests, " "))
	failed := c.failed
	only := append(slices.Clone(flags), "-run=^("+strings.Join(d.tests, "|")+")$")
	if err := testPackages(ctx, c, dir, only, d.pkg); err != nil {
		return err
	}
	if c.failed == failed {
		c.alone += d.count
	}
	return nil
}

// transcript keeps what several goroutines write.
type transcript struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write implements io.Writer.
func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

// runModule builds the module at root/dir without the workspace, and tests it.
func runModule(ctx context.Context, c *counter, root, dir string, flags []string) error {
	start := time.Now()
	for _, args := range [][]string{{"build", "-o", os.DevNull, "./..."}, {"vet", "./..."}} {
		cmd := goCommand(ctx, filepath.Join(root, dir), c.out, args...)
		cmd.Env = append(os.Environ(), "GOWORK=off")
		cmd.Stdout = c.out
		if err := cmd.Run(); err != nil {
			c.failed++
			fmt.Fprintf(c.out, "FAIL %s: GOWORK=off go %s: %v\n", dir, args[0], err)
			break
		}
	}
	built := time.Since(start)
	err := testModule(ctx, c, filepath.Join(root, dir), flags)
	c.tellLacking(dir)
	fmt.Fprintf(c.out, "== %s: %.0f s to build and vet it by itself, %.0f s to test it\n", dir, built.Seconds(), (time.Since(start) - built).Seconds())
	return err
}

// testModule runs the tests of the module at dir and lets the counter read them; those of a package whose race detector
// broke, once more.
func testModule(ctx context.Context, c *counter, dir string, flags []string) error {
	if err := testPackages(ctx, c, dir, flags, "./..."); err != nil || len(c.broken) == 0 {
		return err
	}
	for _, name := range c.broken {
		fmt.Fprintf(c.out, "== %s: the race detector broke, not a test; it is tested once more\n", name)
	}
	c.again, c.repeated = true, c.repeated+len(c.broken)
	return testPackages(ctx, c, dir, flags, c.broken...)
}

func testPackages(ctx context.Context, c *counter, dir string, flags []string, packages ...string) error {
	args := append([]string{"test", "-json", "-race", "-count=1"}, flags...)
	cmd := goCommand(ctx, dir, c.out, append(args, packages...)...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	explained := c.failed + len(c.broken) + len(c.doubtful)
	readErr := c.read(stdout)
	if err := cmd.Wait(); err != nil && c.failed+len(c.broken)+len(c.doubtful) == explained {
		return fmt.Errorf("go test: %w, and no test says why", err)
	}
	return readErr
}

// workspace lists the folders of the modules that go.work names, in its order.
func workspace(ctx context.Context, root string) ([]string, error) {
	text, err := goCommand(ctx, root, os.Stderr, "work", "edit", "-json").Output()
	if err != nil {
		return nil, fmt.Errorf("go work edit -json: %w", err)
	}
	var work struct {
		Use []struct {
			DiskPath string `json:"DiskPath"`
		} `json:"Use"`
	}
	if err := json.Unmarshal(text, &work); err != nil {
		return nil, fmt.Errorf("go work edit -json: %w", err)
	}
	var dirs []string
	for _, use := range work.Use {
		dirs = append(dirs, use.DiskPath)
	}
	return dirs, nil
}

// goCommand is a run of the go command in dir that an interrupt ends softly, so that it ends its own children.
func goCommand(ctx context.Context, dir string, stderr io.Writer, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Stderr = stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}
