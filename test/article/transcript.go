package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// A transcript is what the user reads: our steps at the margin, the processes' lines indented below them.
type transcript struct {
	mu    sync.Mutex // guards w
	w     io.Writer
	began time.Time
}

func newTranscript(w io.Writer) *transcript { return &transcript{w: w, began: time.Now()} }

func (t *transcript) sayf(format string, args ...any) { t.print("* " + fmt.Sprintf(format, args...)) }

func (t *transcript) copy(name, text string) { t.print(fmt.Sprintf("    %-6s | %s", name, text)) }

func (t *transcript) print(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.w, "%6.1fs %s\n", time.Since(t.began).Seconds(), text)
}
