package drivertest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// owningCases stop the backend, or make it forget.
var owningCases = []providerCase{
	{CaseRestart, restartBackend},
	{CaseLongOutage, longOutage},
	{CaseEmptied, emptied},
}

// can reports whether the backend can do something, and fails if not.
func (tr *providerTrial) can(what string, f func(testing.TB)) bool {
	if f == nil {
		tr.errorf("the Backend has no %s; if there is no way to do it, say why in Omit of ProviderService", what)
	}
	return f != nil
}

// restartBackend stops the backend and starts it at once.
func restartBackend(tr *providerTrial) {
	if !tr.can("Stop", tr.backend.Stop) || !tr.can("Start", tr.backend.Start) {
		return
	}
	tr.ttl = max(tr.ttl, steady)
	members := tr.start(3)
	begun := time.Now()
	var passed time.Duration
	tr.watching(members, func() {
		tr.backend.Stop(tr.t)
		tr.notef("the backend is stopped")
		pause(tr.ctx, tr.ttl/50)
		tr.backend.Start(tr.t)
		passed = time.Since(begun)
		tr.notef("the backend serves again, %v later", passed)
		pause(tr.ctx, tr.ttl/50)
	})
	if passed > tr.ttl/2 {
		tr.errorf("the backend took %v to start again; this case is about less than half of the lease time, %v", passed, tr.ttl)
		return
	}
	tr.unharmed(members)
}

// longOutage stops the backend until all leases have ended.
func longOutage(tr *providerTrial) {
	if !tr.can("Stop", tr.backend.Stop) || !tr.can("Start", tr.backend.Start) {
		return
	}
	observer := tr.begin(driver.Member{Address: "kit.example:999"})
	members := tr.start(3)
	observer.holding(members...)
	tr.backend.Stop(tr.t)
	tr.notef("the backend is stopped")
	var wg sync.WaitGroup
	for _, m := range members {
		wg.Go(func() { tr.fenced(m) })
	}
	wg.Wait() // that nobody may watch meanwhile is part of the contract
	pause(tr.ctx, tr.ttl/2)
	tr.backend.Start(tr.t)
	tr.notef("the backend serves again")
	next := rejoin(members...)
	allHold(append(next[:3:3], observer), next...)
}

// fenced expects that a lease goes through its phases in time.
func (tr *providerTrial) fenced(m *process) {
	if m.session == nil {
		return
	}
	ctx, cancel := context.WithTimeout(tr.ctx, tr.ttl+tr.service.Late)
	defer cancel()
	for phase := driver.LeaseValid; phase != driver.LeaseFenced; {
		next, err := m.session.Lease().Watch(ctx, phase)
		if err != nil || next < phase {
			tr.errorf("%v: after the phase %v its lease has %v, %w", m, phase, next, orNil(err))
			return
		}
		tr.notef("the lease of %v is %v", m, next)
		phase = next
	}
	if m.valid() {
		tr.errorf("the lease of %v is fenced, and valid", m)
	}
}

// emptied makes the backend forget everything, twice. Whoever makes the first
// record then has a wall clock that is far behind: epochs go on rising all the
// same, as all of the processes were there before.
func emptied(tr *providerTrial) {
	if !tr.can("Empty", tr.backend.Empty) {
		return
	}
	tr.incarnations = 3
	ahead := tr.begin(kitMember(0), clocks(1, 9*time.Hour))
	ahead.holding(ahead)
	members := []*process{ahead, tr.begin(kitMember(1), clocks(1, -9*time.Hour)), tr.begin(kitMember(2), clocks(1, -9*time.Hour))}
	allHold(members, members...)
	for round := range 2 {
		tr.backend.Empty(tr.t)
		tr.notef("the backend is emptied")
		if round == 0 {
			ahead.ends(driver.ErrRemoved)
			ahead.close()
			members = members[1:]
		}
		members = rejoin(members...)
		allHold(members, members...)
		if tr.ctx.Err() != nil {
			tr.errorf("in round %d: %w", round, fmt.Errorf("no time is left: %w", tr.ctx.Err()))
			return
		}
	}
}
