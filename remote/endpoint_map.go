package remote

import (
	"iter"
	"sync"
)

// endpointMap holds the endpoints by their addresses.
type endpointMap struct{ m sync.Map }

func (e *endpointMap) Load(address string) (*endpoint, bool) {
	v, _ := e.m.Load(address)
	ep, ok := v.(*endpoint)
	return ep, ok
}

func (e *endpointMap) Store(address string, ep *endpoint) { e.m.Store(address, ep) }

func (e *endpointMap) Delete(address string) { e.m.Delete(address) }

func (e *endpointMap) All() iter.Seq[*endpoint] {
	return func(yield func(*endpoint) bool) {
		e.m.Range(func(_, v any) bool {
			ep, ok := v.(*endpoint)
			return !ok || yield(ep)
		})
	}
}
