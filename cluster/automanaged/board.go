package automanaged

import (
	"sync"

	"github.com/granary-go/granary/internal/view"
)

// board is where a session shows its newest view to those that wait for one.
type board struct {
	mu      sync.Mutex // guards the fields below
	state   posted
	changed chan struct{} // closed by the next change
}

// posted is what a board shows.
type posted struct {
	// view is the newest; its epoch is 0 while there is none.
	view view.View
	// over says why nothing will follow; nil as long as something may.
	over error
	// left is set when the member has left as far as it can tell.
	left bool
	// held is a passing reason for having no view, to be told once.
	held string
}

func newBoard() *board { return &board{changed: make(chan struct{})} }

// read gives what is shown and a channel that is closed when that changes.
func (b *board) read() (posted, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state, b.changed
}

func (b *board) post(change func(*posted)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.state)
	close(b.changed)
	b.changed = make(chan struct{})
}

// takeHeld gives the passing reason, if there is one that was not told yet.
func (b *board) takeHeld() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	held := b.state.held
	b.state.held = ""
	return held
}
