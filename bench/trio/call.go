package trio

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/granary-go/granary/bench/benchpb"
	"github.com/granary-go/granary/bench/workload"
)

// size is how much data a call has, in bytes.
const size = 16

func name(grain int) string { return "grain-" + strconv.Itoa(grain) }

// call calls a grain and says on which member it is.
func call(p Peer, grain string, m *benchpb.Question) (member int, err error) {
	got, err := p.Ask(grain, m)
	if err != nil {
		return 0, err
	}
	if len(got.GetData()) != len(m.GetData()) || got.GetMember() >= Size {
		return 0, errors.New("the answer is not what was asked")
	}
	return int(got.GetMember()), nil
}

// spread counts grains by their members.
type spread struct {
	mu sync.Mutex // guards on
	on [Size]int
}

func (s *spread) add(member int) {
	s.mu.Lock()
	s.on[member]++
	s.mu.Unlock()
}

// check fails unless grains are on all members, where there are enough.
func (s *spread) check() error {
	sum := 0
	for _, n := range s.on {
		sum += n
	}
	for _, n := range s.on {
		if n == 0 && sum >= grains {
			return fmt.Errorf("the members have %d grains: this is no cluster", s.on)
		}
	}
	return nil
}

// first calls each grain for the first time.
func (f *fleet) first(p Peer, n int) (workload.Result, error) {
	var on spread
	m := &benchpb.Question{Data: make([]byte, size)}
	r, err := workload.Clients(f.c.Case, min(64, n), n, func(i int) error {
		member, err := call(p, name(i), m)
		if err == nil {
			on.add(member)
		}
		return err
	})
	if err != nil {
		return r, fmt.Errorf("the first calls: %w", err)
	}
	return r, on.check()
}

func activate(f *fleet, p Peer, n int) (workload.Result, error) {
	return f.counted(func() (workload.Result, error) { return f.first(p, n) })
}

// calls are of grains that are active, in turn.
func calls(f *fleet, p Peer, n int) (workload.Result, error) {
	if _, err := f.first(p, grains); err != nil {
		return workload.Result{}, err
	}
	m := &benchpb.Question{Data: make([]byte, size)}
	return f.counted(func() (workload.Result, error) {
		return workload.Clients(f.c.Case, f.c.clients, n, func(i int) error {
			_, err := call(p, name(i%grains), m)
			return err
		})
	})
}

// counted adds what the members have allocated.
func (f *fleet) counted(run func() (workload.Result, error)) (workload.Result, error) {
	before, err := f.usage()
	if err != nil {
		return workload.Result{}, err
	}
	r, err := run()
	if err != nil {
		return r, err
	}
	after, err := f.usage()
	r.Allocations += float64(after.Mallocs-before.Mallocs) / float64(r.Ops)
	r.Bytes += float64(after.Bytes-before.Bytes) / float64(r.Ops)
	return r, err
}
