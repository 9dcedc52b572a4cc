package etcd

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// parts is in how many parts the time of a call is divided: after each, if nobody has answered, another server is asked.
const parts = 4

// hedged makes a call that may be made twice. While nobody answers it is made again, beside the first: the client takes
// the servers in turn, and one that hangs is not known to before the probes of its connection fail, which takes longer
// than a lease. It returns what succeeded first, or what the store answered, [driver.ErrLeaseLost] or [driver.ErrConflict];
// when all have failed, the first error. None of them runs any more then. With one endpoint there is nobody else to ask.
//
// It makes one call to a server, never two that build on each other: of two servers one of which hangs, taken in turn,
// that one would always get the second.
func hedged[T any](ctx context.Context, endpoints int, call func(context.Context) (T, error)) (T, error) {
	deadline, bounded := ctx.Deadline()
	if endpoints <= 1 || !bounded {
		return call(ctx)
	}
	var calls sync.WaitGroup
	defer calls.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		value T
		err   error
	}
	most := min(endpoints, parts)
	answers := make(chan answer, most)
	begin := func() {
		calls.Go(func() {
			value, err := call(ctx)
			answers <- answer{value, err}
		})
	}
	begin()
	again := time.NewTicker(max(time.Until(deadline)/parts, time.Millisecond))
	defer again.Stop()
	var first error
	for begun, ended := 1, 0; ; {
		select {
		case a := <-answers:
			if a.err == nil || errors.Is(a.err, driver.ErrLeaseLost) || errors.Is(a.err, driver.ErrConflict) {
				return a.value, a.err
			}
			if first == nil {
				first = a.err
			}
			if ended++; ended == begun {
				return a.value, first
			}
		case <-again.C:
			if begun < most {
				begun++
				begin()
			}
		}
	}
}
