package demo

import (
	"context"
	"errors"
	"fmt"

	"github.com/granary-go/granary/cmd/granary/internal/localweb"
)

// board is the dashboard that is served while the demo runs.
type board struct {
	url    string
	cancel context.CancelFunc
	ended  chan error // holds how the serving has ended
}

// serveBoard begins to serve the client's dashboard, unless the options say that there is to be
// none. Whoever calls it calls close.
func (s *story) serveBoard(ctx context.Context) (*board, error) {
	if s.options.Dashboard == noDashboard {
		return nil, nil
	}
	listener, err := localweb.Listen(ctx, s.options.Dashboard)
	if err != nil {
		return nil, fmt.Errorf("--dashboard: %w", err)
	}
	b := &board{url: localweb.URL(listener), ended: make(chan error, 1)}
	// It is served until the end, which comes when calls under way are done.
	ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() { b.ended <- localweb.Serve(ctx, listener, s.client.board) }()
	return b, nil
}

// close ends it, and waits for that. Nil has nothing to end.
func (b *board) close() error {
	if b == nil {
		return nil
	}
	b.cancel()
	if err := <-b.ended; err != nil {
		return errors.Join(errors.New("the dashboard has ended"), err)
	}
	return nil
}

// tellBoard says where the dashboard is, and opens it if that is wished.
func (s *story) tellBoard(ctx context.Context) {
	if s.board == nil {
		return
	}
	s.report.textf(bold, "\nThe cluster in your browser: %s\n", s.board.url)
	if !s.options.Open {
		return
	}
	if err := localweb.Open(ctx, s.board.url); err != nil {
		s.report.textf(yellow, "%v", err)
	}
}
