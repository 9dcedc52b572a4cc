package drivertest

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

type providerCase struct {
	name string
	run  func(*providerTrial)
}

// haste is how long, besides two lease times, a case may go on in which a wait was in vain.
const haste = 10 * time.Second

// overdue is how long after its time a case may take to end.
const overdue = 20 * time.Second

// check runs one case, in a cluster of its own and for a bounded time.
func (s ProviderService) check(t testing.TB, c providerCase, backend Backend) []error {
	ctx, cancel := context.WithTimeout(t.Context(), patience+12*(s.TTL+s.Late))
	defer cancel()
	tr := &providerTrial{
		service: s, t: t, ctx: ctx, cancel: cancel, cluster: "kit-" + rand.Text(), backend: backend, ttl: s.TTL,
		begun: time.Now(), incarnations: 1, views: make(map[uint64]driver.View),
	}
	done := make(chan struct{})
	go func() { // ends with the case, or is reported
		defer close(done)
		c.run(tr)
		for _, p := range tr.all() {
			p.close()
		}
	}()
	select {
	case <-done:
	case <-ctx.Done():
		timer := time.NewTimer(overdue)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
			tr.errorf("it hangs: a call does not return %v after its context is done", overdue)
		}
	}
	tr.verify()
	return tr.found()
}

// providerTrial is one run of one case.
type providerTrial struct {
	service ProviderService
	t       testing.TB
	ctx     context.Context
	cancel  context.CancelFunc // of ctx
	hurry   sync.Once
	cluster string
	backend Backend
	// ttl is the lease time of the processes that are begun.
	ttl   time.Duration
	begun time.Time
	// incarnations is how many there may be.
	incarnations int

	mu        sync.Mutex // guards the fields below
	processes []*process
	// splits is set once there is a provider without leases: its views may unite two sides of a split.
	splits bool
	views  map[uint64]driver.View
	errs   []error
	trace  []string
}

func (tr *providerTrial) errorf(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.errs = append(tr.errs, fmt.Errorf(format, args...))
}

// failsf is errorf for a wait that was in vain. What else the case waits for has little time from then on, as it may
// wait for the same.
func (tr *providerTrial) failsf(format string, args ...any) {
	tr.errorf(format, args...)
	tr.hurry.Do(func() { time.AfterFunc(haste+2*(tr.service.TTL+tr.service.Late), tr.cancel) })
}

// notef adds a line to what is told of a case that fails.
func (tr *providerTrial) notef(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.trace = append(tr.trace, fmt.Sprintf("%8.3fs ", time.Since(tr.begun).Seconds())+fmt.Sprintf(format, args...))
}

func (tr *providerTrial) all() []*process {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.processes)
}

// link gives a new way to the backend.
func (tr *providerTrial) link() Link {
	if tr.backend.Link != nil {
		return tr.backend.Link(tr.t)
	}
	return NewProxy(tr.t, tr.backend.Address)
}

// rejoin is again for several.
func rejoin(all ...*process) []*process {
	next := make([]*process, len(all))
	var wg sync.WaitGroup
	for i, p := range all {
		wg.Go(func() { next[i] = p.again() })
	}
	wg.Wait()
	return next
}

// start begins n members at once and waits until all are in.
func (tr *providerTrial) start(n int, change ...func(*Setup)) []*process {
	members := make([]*process, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { members[i] = tr.begin(kitMember(i), change...) })
	}
	wg.Wait()
	allHold(members, members...)
	return members
}

// allHold waits until processes hold a view of these members. One that has
// seen it is not shown it again.
func allHold(all []*process, members ...*process) {
	var wg sync.WaitGroup
	for _, p := range all {
		wg.Go(func() { p.holding(members...) })
	}
	wg.Wait()
}
