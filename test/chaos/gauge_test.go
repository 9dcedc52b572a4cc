package chaos

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/granary-go/granary/test/chaos/history"
)

const (
	// settling is how long what a process holds may take to be what it was: connections that are of no use any more close in
	// their own time.
	settling   = 15 * time.Second
	gaugePause = 250 * time.Millisecond
)

// holdings is what a process held before the first fault. One that was started amid faults takes what the first process at its
// station held, which that has left in a file, for what it may hold itself.
type holdings struct {
	process  string
	folder   string
	recorder *history.Recorder
	before   history.Gauge
}

// left is the file in which the first process of a station leaves its gauge.
func (h *holdings) left() string {
	return filepath.Join(h.folder, history.Station(h.process)+".gauge")
}

// take records what the process holds when it has nothing to do; afterwards, as soon as that is no more than before.
func (h *holdings) take(after bool) error {
	g, err := h.now()
	switch {
	case err != nil:
	case !after:
		h.before = g
		var text []byte
		if text, err = json.Marshal(g); err == nil {
			err = os.WriteFile(h.left(), text, 0o600)
		}
	case h.before.Process == "":
		var text []byte
		if text, err = os.ReadFile(h.left()); err == nil {
			err = json.Unmarshal(text, &h.before)
		}
	}
	for until := time.Now().Add(settling); err == nil && after && h.more(g) && time.Now().Before(until); {
		<-time.After(gaugePause)
		g, err = h.now()
	}
	if err != nil {
		return err
	}
	g.After = after
	h.recorder.Gauge(g)
	return nil
}

// more reports whether it is more than before.
func (h *holdings) more(g history.Gauge) bool {
	b, slack := h.before, history.DefaultSlack
	return g.Heap > b.Heap+slack.Heap || g.Goroutines > b.Goroutines+slack.Goroutines ||
		g.Descriptors > b.Descriptors+slack.Descriptors || g.Connections > b.Connections+slack.Connections
}

func (h *holdings) now() (history.Gauge, error) {
	runtime.GC() // twice: what has finalizers goes by the second
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	entries, err := os.ReadDir("/proc/self/fd")
	connections := 0
	for _, e := range entries {
		// One that was only there to read the folder is gone.
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			connections++
		}
	}
	return history.Gauge{
		Process: h.process, Mark: "run",
		Heap: memory.HeapAlloc, Goroutines: runtime.NumGoroutine(), Descriptors: len(entries) - 1, Connections: connections,
	}, err
}
