package trio

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/granary-go/granary/bench/workload"
)

// A Case is one way to load a cluster.
type Case struct {
	workload.Case

	clients int
	run     func(c *fleet, p Peer, n int) (workload.Result, error)
}

// grains is how many there are, but in the case that activates.
const grains = 1000

// Cases are all, in the order of the table.
var Cases = []Case{
	{workload.Case{Name: "grain1", Title: "grain call, one client, median", Ops: 10_000, Unit: workload.Latency}, 1, calls},
	{workload.Case{Name: "grain64", Title: "grain calls, 64 clients, 1,000 grains", Ops: 100_000, Unit: workload.Rate}, 64, calls},
	{workload.Case{Name: "activate", Title: "first calls, 64 clients, 20,000 grains", Ops: 20_000, Unit: workload.Rate}, 64, activate},
	{workload.Case{Name: "failover", Title: "SIGKILL of one of three, until every grain answers", Ops: grains, Unit: workload.Outage}, 64, failover},
	{workload.Case{Name: "leave", Title: "one of three leaves, until every grain answers elsewhere", Ops: grains, Unit: workload.Outage}, 64, leave},
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

// Run starts the members, each by the arguments that args gives for it besides its own, and runs a case with n operations, for which the peer is the client; 0
// means as many as the case has by default.
func (c Case) Run(p Peer, n int, args func(member int) []string) (workload.Result, error) {
	if n < 0 {
		return workload.Result{}, errors.New("the number of operations is negative")
	}
	if n == 0 {
		n = c.Ops
	}
	f, err := start(c, args)
	if err != nil {
		return workload.Result{}, err
	}
	defer f.close()
	if err := p.Connect(f.client); err != nil {
		return workload.Result{}, fmt.Errorf("connect: %w", err)
	}
	if err := await(p); err != nil {
		return workload.Result{}, err
	}
	r, err := c.run(f, p, n)
	r.Case = c.Name
	return r, err
}
