package workload

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A Case is one way to load a system.
type Case struct {
	// Name is short: "tell".
	Name string
	// Title is for people.
	Title string
	// Ops is how many operations one run has by default.
	Ops int
	// Unit says what is compared: Rate, Latency, Heap or Outage.
	Unit Unit

	run func(p Peer, n int) (Result, error)
}

// Unit says which figure of a result counts.
type Unit int

// The units.
const (
	Rate    Unit = iota // operations a second; more is better
	Latency             // the median of a call; less is better
	Heap                // bytes for an actor; less is better
	Outage              // seconds until everything answers again; less is better
)

// Cases are all, in the order of the table.
var Cases = []Case{
	{"tell", "tell, 1→1", 3_000_000, Rate, tell},
	{"ask", "ask, one client, median", 300_000, Latency, ask},
	{"ask64", "ask, 64 clients", 600_000, Rate, askMany},
	{"pingpong", "ping-pong, 16 pairs", 3_000_000, Rate, pingPong},
	{"fanin", "fan-in, 8→1", 3_000_000, Rate, fanIn},
	{"fanout", "fan-out, 1→10,000", 1_000_000, Rate, fanOut},
	{"spawn", "spawn and stop", 30_000, Rate, spawnStop},
	{"skynet", "skynet, 111,111 actors", 111_111, Rate, skynet},
	{"idle", "heap of an idle actor", 100_000, Heap, idle},
	{"work1", "handlers of 1 µs", 400_000, Rate, work(time.Microsecond)},
	{"work100", "handlers of 100 µs", 8_000, Rate, work(100 * time.Microsecond)},
	{"blocked", "ping-pong beside 64 blocked handlers", 1_000_000, Rate, blocked},
}

// Find gives the case of a name.
func Find(name string) (Case, error) {
	names := map[string]Case{}
	for _, c := range Cases {
		names[c.Name] = c
	}
	if c, ok := names[name]; ok {
		return c, nil
	}
	return Case{}, fmt.Errorf("there is no case %q; there are %q", name, slices.Sorted(maps.Keys(names)))
}

// Run runs a case on a peer, with n operations; 0 means as many as it has by default.
func (c Case) Run(p Peer, n int) (Result, error) {
	if n == 0 {
		n = c.Ops
	}
	if n < 0 {
		return Result{}, errors.New("the number of operations is negative")
	}
	r, err := c.run(p, n)
	r.Case = c.Name
	return r, err
}

// Value is the figure that counts.
func (c Case) Value(r Result) float64 {
	switch c.Unit {
	case Latency:
		return r.Median
	case Heap:
		return r.Heap
	case Outage:
		return r.Seconds
	default:
		return float64(r.Ops) / r.Seconds
	}
}

// Better says how many times as good a is as b.
func (c Case) Better(a, b float64) float64 {
	if c.Unit == Rate {
		return a / b
	}
	return b / a
}
