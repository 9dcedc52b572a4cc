package remote

import (
	"iter"
	"sync"
	"sync/atomic"
)

// endpointMap holds the endpoints by their addresses.
type endpointMap struct {
	m     sync.Map
	count atomic.Int64
}

func (e *endpointMap) Load(address string) (*endpoint, bool) {
	v, _ := e.m.Load(address)
	ep, ok := v.(*endpoint)
	return ep, ok
}

// Add stores an endpoint for an address that has none.
func (e *endpointMap) Add(address string, ep *endpoint) {
	e.m.Store(address, ep)
	e.count.Add(1)
}

func (e *endpointMap) Delete(address string) {
	if _, ok := e.m.LoadAndDelete(address); ok {
		e.count.Add(-1)
	}
}

func (e *endpointMap) Len() int { return int(e.count.Load()) }

func (e *endpointMap) All() iter.Seq[*endpoint] {
	return func(yield func(*endpoint) bool) {
		e.m.Range(func(_, v any) bool {
			ep, ok := v.(*endpoint)
			return !ok || yield(ep)
		})
	}
}
