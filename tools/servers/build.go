package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// heartbeat is how often a build says that it goes on.
	heartbeat = time.Minute
	// lockInterval is how often a run that waits for another looks whether that is done.
	lockInterval = 200 * time.Millisecond
)

// A workshop builds servers and keeps them.
type workshop struct {
	root  string        // of the house
	cache string        // the folder servers of the cache
	limit time.Duration // of one build
	log   io.Writer     // what it does
}

// current is the folder in which tests find the programs.
func (w workshop) current() string { return filepath.Join(w.cache, "current") }

// kept is the folder of a server of one version.
func (w workshop) kept(s server, version string) string {
	return filepath.Join(w.cache, s.name+"-"+version)
}

func (w workshop) logf(format string, args ...any) {
	fmt.Fprintf(w.log, "servers: "+format+"\n", args...)
}

// provide sees to it that the folder current has the programs of these servers, in the versions that are pinned.
func (w workshop) provide(ctx context.Context, servers []server) error {
	if err := os.MkdirAll(w.current(), 0o755); err != nil {
		return err
	}
	unlock, err := w.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, s := range servers {
		version, err := s.version(ctx, w.root)
		if err != nil {
			return err
		}
		if !w.built(s, version) {
			if err := w.build(ctx, s, version); err != nil {
				return fmt.Errorf("%s %s: %w", s.name, version, err)
			}
		}
		if err := w.link(s, version); err != nil {
			return fmt.Errorf("%s %s: %w", s.name, version, err)
		}
	}
	return nil
}

// lock waits until no other run builds.
func (w workshop) lock(ctx context.Context) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(w.cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	ticker := time.NewTicker(lockInterval)
	defer ticker.Stop()
	for said := false; ; said = true {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil // which unlocks it
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("locking %s: %w", file.Name(), err), file.Close())
		}
		if !said {
			w.logf("waiting for another run, which builds now")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), file.Close())
		}
	}
}

func (w workshop) built(s server, version string) bool {
	info, err := os.Stat(filepath.Join(w.kept(s, version), s.name))
	return err == nil && info.Mode().IsRegular()
}

// build compiles a server. The program appears under its name when it is complete, and not before.
func (w workshop) build(ctx context.Context, s server, version string) error {
	folder := w.kept(s, version)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	w.logf("building %s %s once, into %s; %s", s.name, version, folder, s.takes)
	fresh := filepath.Join(folder, "."+s.name)
	defer os.Remove(fresh) // fails once it has its name
	begun := time.Now()
	if err := w.compile(ctx, s, version, fresh); err != nil {
		return err
	}
	info, err := os.Stat(fresh)
	if err != nil {
		return err
	}
	if err := os.Rename(fresh, filepath.Join(folder, s.name)); err != nil {
		return err
	}
	w.logf("built %s %s in %v, %d MB", s.name, version, time.Since(begun).Round(time.Second), info.Size()/1_000_000)
	return nil
}

// compile runs the go command within the limit, and says each minute that it goes on.
func (w workshop) compile(ctx context.Context, s server, version, target string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, w.limit, fmt.Errorf("the build took longer than %v; give it more with -timeout", w.limit))
	defer cancel()
	flags := strings.TrimSpace("-s -w " + strings.ReplaceAll(s.flags, "VERSION", version))
	cmd := goCommand(ctx, filepath.Join(w.root, modules, s.folder),
		"build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", target, s.pkg)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	done := make(chan error, 1)
	go func() { done <- cmd.Run() }() // ends with the process, which the context bounds
	begun := time.Now()
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.logf("still building %s, for %v", s.name, time.Since(begun).Round(time.Second))
		case err := <-done:
			switch {
			case err != nil && ctx.Err() != nil:
				return context.Cause(ctx)
			case err != nil:
				return fmt.Errorf("go build: %w\n%s", err, &said)
			}
			return nil
		}
	}
}

// link makes the folder current show this version. A test that starts the program meanwhile finds the one or the other.
func (w workshop) link(s server, version string) error {
	fresh := filepath.Join(w.current(), "."+s.name)
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(filepath.Join("..", filepath.Base(w.kept(s, version)), s.name), fresh); err != nil {
		return err
	}
	return os.Rename(fresh, filepath.Join(w.current(), s.name))
}

// goCommand is a run of the go command in the folder of a server's module, outside of the workspace. An interrupt
// ends it softly, so that it ends its own children.
func goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}
