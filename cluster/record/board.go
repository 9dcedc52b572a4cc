package record

import (
	"sync"

	"github.com/granary-go/granary/cluster/driver"
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
	view driver.View
	// over says why nothing will follow; nil as long as something may.
	over error
	// closed is set by Close.
	closed bool
	// left is set when the member has left.
	left bool
	// held says why there is no view yet, and trouble what the store's last
	// error was; nil when there is nothing to say.
	held, trouble error
	// tell is what of these two was not told yet.
	tell error
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

// troubled shows an error of the store, or nil that it works; a text that is
// shown already is not told again.
func (b *board) troubled(err error) {
	if shown, _ := b.read(); text(shown.trouble) != text(err) {
		b.post(func(p *posted) {
			if err != nil || text(p.tell) == text(p.trouble) {
				p.tell = err
			}
			p.trouble = err
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// take gives what is to be told once.
func (b *board) take() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.state.tell
	b.state.tell = nil
	return err
}
