package workload

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// Enough is how long cases of several processes last at most: what a slower peer has not done by then, it does not do.
const Enough = 10 * time.Second

// Clients has clients make n calls together, each one call after the other, and times them. A call is told its number, from 0.
func Clients(c Case, clients, n int, call func(i int) error) (Result, error) {
	took := make([][]time.Duration, clients)
	for client := range took {
		took[client] = make([]time.Duration, 0, n/clients+1)
	}
	r, err := Measure(c.Name, n, func() error {
		errs := make([]error, clients)
		var all sync.WaitGroup
		start := time.Now()
		for client := range clients {
			all.Go(func() {
				begin := start
				for i := client; i < n && begin.Sub(start) < Enough; i += clients {
					if errs[client] = call(i); errs[client] != nil {
						return
					}
					end := time.Now()
					took[client] = append(took[client], end.Sub(begin))
					begin = end
				}
			})
		}
		all.Wait()
		return errors.Join(errs...)
	})
	if err != nil {
		return r, err
	}
	calls := slices.Concat(took...)
	r.Only(len(calls))
	r.Percentiles(calls)
	return r, nil
}
