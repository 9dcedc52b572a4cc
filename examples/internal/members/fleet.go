package members

import (
	"context"
	"errors"
	"fmt"
)

// Fleet is several members.
type Fleet []*Process

// StartAll starts n members, one after the other. When that fails, those that run are in the fleet, which is to be stopped in
// any case.
func StartAll(ctx context.Context, n int, args ...string) (Fleet, error) {
	var f Fleet
	for range n {
		p, err := Start(ctx, args...)
		if err != nil {
			return f, err
		}
		f = append(f, p)
	}
	return f, nil
}

// At gives the member with an address. It panics if there is none: a grain has named one that nobody has started.
func (f Fleet) At(address string) *Process {
	for _, p := range f {
		if p.Address == address {
			return p
		}
	}
	panic(fmt.Sprintf("members: no member has the address %q", address))
}

// Stop lets all members take their leave, one after the other.
func (f Fleet) Stop() error {
	var err error
	for _, p := range f {
		err = errors.Join(err, p.Stop())
	}
	return err
}
