package history

// Slack is by how much a gauge may be higher after faults than before.
type Slack struct {
	Heap        uint64 // bytes
	Goroutines  int
	Descriptors int
	Connections int
}

// DefaultSlack has room for what comes and goes by itself: buffers that are kept, timers, a connection that is just made.
var DefaultSlack = Slack{Heap: 16 << 20, Goroutines: 20, Descriptors: 10, Connections: 4}
