package pair

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/granary-go/granary/bench/workload"
)

// A Case is one way to load a pair of processes.
type Case struct {
	workload.Case

	targets int
	size    int // of the data of a message, in bytes
	window  window
	clients int // zero in a case that tells
}

// window is what may be in flight of what is told: some batches.
type window struct{ batch, credits int }

var (
	small = window{1024, 64}
	// The others are 3 MiB: peers that write all that waits at once stay below the 4 MiB that they can read.
	wide  = window{256, 12}
	large = window{8, 6}
)

const many = 1000

// Cases are all, in the order of the table.
var Cases = []Case{
	{rate("tell16", "tell, 16 B", 2_000_000), 1, 16, small, 0},
	{rate("tell1k", "tell, 1 KiB", 400_000), 1, 1 << 10, wide, 0},
	{rate("tell64k", "tell, 64 KiB", 16_000), 1, 64 << 10, large, 0},
	{rate("tellmany", "tell, 16 B, to 1,000 actors", 1_000_000), many, 16, small, 0},
	{workload.Case{Name: "ask1", Title: "ask, one client, median", Ops: 15_000, Unit: workload.Latency}, 1, 16, window{}, 1},
	{rate("ask64", "ask, 64 clients", 150_000), 1, 16, window{}, 64},
	{rate("ask256", "ask, 256 clients", 150_000), 1, 16, window{}, 256},
	{rate("askmany", "ask, 64 clients, of 1,000 actors", 150_000), many, 16, window{}, 64},
}

func rate(name, title string, ops int) workload.Case {
	return workload.Case{Name: name, Title: title, Ops: ops, Unit: workload.Rate}
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

// Run starts the other process, by the arguments given besides its own, and runs a case with n operations on the peer in this one; 0
// means as many as the case has by default.
func (c Case) Run(p Peer, n int, args ...string) (workload.Result, error) {
	if n < 0 {
		return workload.Result{}, errors.New("the number of operations is negative")
	}
	if n == 0 {
		n = c.Ops
	}
	t, err := serve(c, args)
	if err != nil {
		return workload.Result{}, err
	}
	defer t.child.Close()
	r, err := t.run(p, n)
	r.Case = c.Name
	return r, err
}
