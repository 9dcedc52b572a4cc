package workload

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Result is what one run of a case has measured.
type Result struct {
	// Case is its name.
	Case string `json:"case"`
	// Ops is how many messages, calls or actors it was about.
	Ops int `json:"ops"`
	// Seconds is how long they took.
	Seconds float64 `json:"seconds"`
	// Median and Worst are of single calls, in seconds: the 50th and the 99th percentile. Zero where calls are not timed.
	Median float64 `json:"median,omitempty"`
	Worst  float64 `json:"worst,omitempty"`
	// Errors is how many calls failed, and Worst the longest call, in a case of the unit Outage.
	Errors int `json:"errors,omitempty"`
	// Allocations and Bytes are of the whole process, or of all processes of the case, for each of Ops.
	Allocations float64 `json:"allocations"`
	Bytes       float64 `json:"bytes"`
	// Heap is how many bytes of the heap each actor takes that waits; only in the case "idle".
	Heap float64 `json:"heap,omitempty"`
}

// Measure runs something that is about n operations.
func Measure(name string, n int, run func() error) (Result, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := time.Now()
	err := run()
	r := Result{Case: name, Ops: n, Seconds: time.Since(begin).Seconds()}
	runtime.ReadMemStats(&after)
	r.Allocations = float64(after.Mallocs-before.Mallocs) / float64(n)
	r.Bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
	return r, err
}

// Only corrects a result of which fewer operations were made than were planned.
func (r *Result) Only(n int) {
	planned := float64(r.Ops) / float64(n)
	r.Ops = n
	r.Allocations *= planned
	r.Bytes *= planned
}

// Percentiles sorts the times of calls.
func (r *Result) Percentiles(took []time.Duration) {
	slices.Sort(took)
	r.Median = took[len(took)/2].Seconds()
	r.Worst = took[len(took)*99/100].Seconds()
}

// Expect fails if messages were lost, or came twice.
func Expect(what string, got, want int) error {
	if got != want {
		return fmt.Errorf("%s: %d; want %d", what, got, want)
	}
	return nil
}
