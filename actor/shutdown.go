package actor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ShutdownTimeout is how long [ActorSystem.Shutdown] waits.
const ShutdownTimeout = 10 * time.Second

// ShutdownError names the actors that did not stop in time.
type ShutdownError struct {
	// Actors are those that are left, in the order of their ids. A parent is
	// among them as long as one of its children is.
	Actors []*PID
	// Cause is why the waiting ended: the context's error.
	Cause error
}

const shutdownErrorNames = 10

// Error implements error. It names the first few.
func (e *ShutdownError) Error() string {
	var names strings.Builder
	for i, pid := range e.Actors {
		if i == shutdownErrorNames {
			fmt.Fprintf(&names, " and %d more", len(e.Actors)-i)
			break
		}
		names.WriteString(" ")
		names.WriteString(pid.Id)
	}
	return fmt.Sprintf("actor: shutdown: %v; %d actors did not stop:%s", e.Cause, len(e.Actors), names.String())
}

// Unwrap returns the cause.
func (e *ShutdownError) Unwrap() error { return e.Cause }

// ShutdownContext stops every actor, children before parents, and waits until
// they are gone or ctx is done; then it returns a [*ShutdownError] that names
// what is left. From its beginning nothing can be spawned. Requests that
// nobody will answer any more end with [ErrStopped], also those to what is left.
// Called again it waits for what was left, if anything. An actor that calls it
// waits for itself, until ctx is done.
func (s *ActorSystem) ShutdownContext(ctx context.Context) error {
	s.stopped.Store(true)
	defer s.dispatcher.close()
	defer s.abandon(ErrStopped, func(*Future) bool { return true })
	for {
		ends := s.stopRoots()
		if left := s.actors(); len(ends) == 0 && len(left) > 0 {
			// Children of an actor that never began stop by themselves.
			ends = append(ends, s.watchFuture(left[0]))
		}
		for _, f := range ends {
			if _, err := f.ResultContext(ctx); err != nil {
				f.Cancel()
			}
		}
		left := s.actors()
		if len(left) == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return &ShutdownError{Actors: left, Cause: err}
		}
	}
}

// actors returns the registered actors in the order of their ids.
func (s *ActorSystem) actors() []*PID {
	pids := collect(s.ProcessRegistry, func(p Process) (*PID, bool) {
		if c, ok := p.(*cell); ok {
			return &c.pid, true
		}
		return nil, false
	})
	slices.SortFunc(pids, func(a, b *PID) int { return cmp.Compare(a.Id, b.Id) })
	return pids
}

// stopRoots stops the actors that have no parent.
func (s *ActorSystem) stopRoots() []*Future {
	roots := collect(s.ProcessRegistry, func(p Process) (*cell, bool) {
		c, ok := p.(*cell)
		return c, ok && c.parent == nil
	})
	ends := make([]*Future, len(roots))
	for i, c := range roots {
		ends[i] = s.stopFuture(&c.pid)
	}
	return ends
}

// Shutdown is [ActorSystem.ShutdownContext] with [ShutdownTimeout]; what did not
// stop in time is logged.
func (s *ActorSystem) Shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), ShutdownTimeout)
	defer cancel()
	if err := s.ShutdownContext(ctx); err != nil {
		s.logger.Warn("actor: shutdown incomplete", "error", err)
	}
}
