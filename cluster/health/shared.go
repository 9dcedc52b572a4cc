package health

import (
	"context"
	"sync"

	"github.com/granary-go/granary/cluster"
)

// shared looks whether a process is ready for all who ask at the same time: however many
// they are, there is one look.
type shared struct {
	cluster *cluster.Cluster

	mu      sync.Mutex // guards current
	current *look      // nil if there is none
}

// look is one look; why is set when done is closed.
type look struct {
	done chan struct{}
	why  []string
}

// ready is [Ready]. What it says is of a look that was begun when it was asked, or up to
// patience before.
func (s *shared) ready(ctx context.Context) []string {
	s.mu.Lock()
	l := s.current
	if l == nil {
		l = &look{done: make(chan struct{})}
		s.current = l
		s.mu.Unlock()
		l.why = Ready(context.WithoutCancel(ctx), s.cluster)
		s.mu.Lock()
		s.current = nil
		s.mu.Unlock()
		close(l.done)
		return l.why
	}
	s.mu.Unlock()
	select {
	case <-l.done:
		return l.why
	case <-ctx.Done():
		return []string{"nobody waits for the answer any more"}
	}
}
