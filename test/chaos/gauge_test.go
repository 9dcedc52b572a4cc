package chaos

import (
	"os"
	"runtime"
	"strings"

	"github.com/granary-go/granary/test/chaos/history"
)

// takeGauge records what this process holds when it has nothing to do.
func takeGauge(r *history.Recorder, process string, after bool) error {
	runtime.GC() // twice: what has finalizers goes by the second
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	connections := 0
	for _, e := range entries {
		// One that was only there to read the folder is gone.
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			connections++
		}
	}
	r.Gauge(history.Gauge{
		Process: process, Mark: "all", After: after,
		Heap: memory.HeapAlloc, Goroutines: runtime.NumGoroutine(), Descriptors: len(entries) - 1, Connections: connections,
	})
	return nil
}
