package zktest

import (
	"sync"
	"testing"

	"github.com/granary-go/granary/cluster/drivertest"
)

// Proxy forwards TCP connections to one address, as long as it is not told otherwise. It ends with its test. Its
// methods may be called from several goroutines.
type Proxy struct {
	// Address is where it listens, as host:port.
	Address string

	link *drivertest.Proxy

	mu   sync.Mutex // guards heal
	heal func()     // nil when everything passes
}

// NewProxy starts a proxy for a target.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	link := drivertest.NewProxy(t, target)
	return &Proxy{Address: link.Address(), link: link}
}

// Block lets nothing pass any more, in either direction: connections stay up, and new ones are accepted.
func (p *Proxy) Block() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.heal == nil {
		p.heal = p.link.Stall()
	}
}

// Unblock lets everything pass again, also what was held up.
func (p *Proxy) Unblock() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.heal != nil {
		p.heal()
		p.heal = nil
	}
}

// Break closes all connections.
func (p *Proxy) Break() { p.link.Break() }
