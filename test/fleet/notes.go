package fleet

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// Notes keep what all processes log, and show it when the test has failed. Their methods may be called from several
// goroutines.
type Notes struct {
	began time.Time
	mu    sync.Mutex // guards text
	text  strings.Builder
}

// NewNotes begins the notes of a test.
func NewNotes(t *testing.T) *Notes {
	n := &Notes{began: time.Now()}
	t.Cleanup(func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if t.Failed() {
			t.Logf("what was logged:\n%s", n.text.String())
		}
	})
	return n
}

// Add notes a line of somebody.
func (n *Notes) Add(name, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fmt.Fprintf(&n.text, "%7.3fs %-16s | %s\n", time.Since(n.began).Seconds(), name, text)
}

// With gives the lines that hold a text.
func (n *Notes) With(text string) (found []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for line := range strings.Lines(n.text.String()) {
		if strings.Contains(line, text) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// Writer takes the lines of a logger of this process.
func (n *Notes) Writer(name string) io.Writer { return noteWriter{n, name} }

type noteWriter struct {
	notes *Notes
	name  string
}

func (w noteWriter) Write(p []byte) (int, error) {
	w.notes.Add(w.name, strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}
