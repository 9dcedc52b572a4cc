package drivertest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// sharingCases leave the backend as it is. Those that take longest come first.
var sharingCases = []providerCase{
	{"a slow backend", slowBackend},
	{"a connection that stalls for a short time", shortStall},
	{"connections that break", breakConnections},
	{"five members that join at once", joinAtOnce},
	{"drain and leave", drainAndLeave},
	{"a crash", crash},
	{"an observer", observe},
	{"an observer alone", observeAlone},
	{"a restart under a new id", restartUnderNewID},
	{"another guarantee is refused", refuseGuarantee},
	{"close ends all calls", closeEndsCalls},
	{"members come and go", comeAndGo},
	{"who looked away is shown the newest view", lookAway},
	{"leases are renewed", renewed},
	{"two clusters are apart", twoClusters},
	{"members that are cut off", cutOff},
	{"a backend that cannot be reached at first", unreachable},
	{CaseClocks, clocksFarOff},
}

func joinAtOnce(tr *providerTrial) {
	begun := time.Now()
	for _, m := range tr.start(5) {
		if timed, says := m.provider.(driver.LeaseTimer); says && timed.LeaseTime() < tr.ttl {
			tr.errorf("LeaseTime gives %v; a first start waits for %v", timed.LeaseTime(), tr.ttl)
		}
		if m.session == nil {
			continue
		}
		if lease := m.session.Lease(); lease == nil || !lease.Valid() || lease.Phase() != driver.LeaseValid {
			tr.errorf("%v has no valid lease", m)
		}
	}
	if passed := time.Since(begun); passed > 3*tr.service.TTL+10*time.Second {
		tr.errorf("founding a cluster took %v", passed)
	}
}

func drainAndLeave(tr *providerTrial) {
	members := tr.start(3)
	leaver := members[1]
	if leaver.session == nil {
		return
	}
	if err := leaver.session.Drain(tr.ctx); err != nil {
		tr.errorf("Drain: %w", err)
	}
	leaves := func(v driver.View) bool {
		m, in := v.Member(leaver.member.ID)
		return in && m.State == driver.Leaving
	}
	for _, m := range members {
		m.until("a member that leaves", leaves)
	}
	begun := time.Now()
	leaver.leave()
	allHold([]*process{members[0], members[2]}, members[0], members[2])
	if passed := time.Since(begun); passed > tr.service.TTL/2 {
		tr.errorf("leaving took %v: as if the member had crashed", passed)
	}
	leaver.ends(driver.ErrRemoved)
	if lease := leaver.session.Lease(); lease != nil && lease.Valid() {
		tr.errorf("a member that has left has a valid lease")
	}
}

func crash(tr *providerTrial) {
	members := tr.start(3)
	last := time.Now() // no renewal can be later
	members[0].close()
	if members[0].session != nil {
		if lease := members[0].session.Lease(); lease != nil && lease.Valid() {
			tr.errorf("the lease of a session that was closed is valid")
		}
	}
	allHold(members[1:], members[1:]...)
	if passed := time.Since(last); passed > tr.service.TTL+tr.service.Late {
		tr.errorf("a member that crashed was removed after %v", passed)
	}
}

func observe(tr *providerTrial) {
	observer := tr.begin(driver.Member{Address: "kit.example:999"})
	members := tr.start(2)
	observer.holding(members...)
	if observer.session == nil || members[0].session == nil {
		return
	}
	if lease := observer.session.Lease(); lease != nil {
		tr.errorf("an observer has the lease %v", lease)
	}
	third := tr.begin(kitMember(3))
	observer.holding(members[0], members[1], third)
	members[0].leave()
	observer.holding(members[1], third)
	if err := errors.Join(observer.session.Drain(tr.ctx), observer.session.Leave(tr.ctx)); err != nil {
		tr.errorf("an observer leaves: %w", err)
	}
}

// observeAlone expects that an observer neither founds a cluster nor keeps one:
// whoever comes after it is in the first view, alone.
func observeAlone(tr *providerTrial) {
	observer := tr.begin(driver.Member{Address: "kit.example:999"})
	ctx, cancel := context.WithTimeout(tr.ctx, tr.ttl+tr.ttl/2)
	defer cancel()
	if v, err := observer.watch(ctx); err == nil {
		tr.errorf("an observer of a cluster without members is shown %s", describeView(v))
	}
	only := tr.start(1)[0]
	observer.holding(only)
	only.leave()
	observer.close()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for epoch, v := range tr.views {
		for _, m := range v.Members {
			if m.Address == observer.member.Address {
				tr.errs = append(tr.errs, errors.New("an observer is in view "+describeView(tr.views[epoch])))
			}
		}
	}
}

// restartUnderNewID begins a member at the address of one that crashed.
func restartUnderNewID(tr *providerTrial) {
	members := tr.start(2)
	members[0].close()
	successor := members[0].succeed()
	allHold([]*process{members[1], successor}, members[1], successor)
}

func refuseGuarantee(tr *providerTrial) {
	members := tr.start(2)
	m := kitMember(7)
	m.Kinds[0].Guarantee = driver.BestEffort
	odd := tr.begin(m)
	if _, err := odd.watch(tr.ctx); !errors.Is(err, driver.ErrRefused) || !strings.Contains(err.Error(), "Kit") {
		tr.errorf("a member with another guarantee: %w, want %w that names the kind", orNil(err), driver.ErrRefused)
	}
	third := tr.begin(kitMember(3))
	members[0].holding(members[0], members[1], third)
}

func closeEndsCalls(tr *providerTrial) {
	p := tr.start(1)[0]
	if p.session == nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { p.ends(driver.ErrClosed) })
	lease := p.session.Lease()
	wg.Go(func() {
		for last := lease.Phase(); ; {
			phase, err := lease.Watch(tr.ctx, last)
			if err != nil && !errors.Is(err, driver.ErrClosed) {
				tr.errorf("Watch of a lease whose session is closed: %w", err)
			}
			if err != nil {
				return
			}
			last = phase
		}
	})
	p.close()
	wg.Wait()
}

// comeAndGo has members join and leave at once, several times. What is checked
// is that all see the same views in one order.
func comeAndGo(tr *providerTrial) {
	observer := tr.begin(driver.Member{Address: "kit.example:999"})
	old := tr.start(2)
	for round := range 4 {
		var wg sync.WaitGroup
		guests := make([]*process, 3)
		for i := range guests {
			wg.Go(func() {
				guests[i] = tr.begin(kitMember(3 + i))
				guests[i].until("itself", func(driver.View) bool { return true })
				if i == round%3 {
					guests[i].leave()
				}
			})
		}
		wg.Wait()
		allHold(old, append(without(guests, round%3), old...)...)
		for i, g := range guests {
			wg.Go(func() {
				if i != round%3 {
					g.leave()
				}
				g.close()
			})
		}
		wg.Wait()
		allHold(append(old[:2:2], observer), old...)
	}
}

func without(all []*process, n int) (rest []*process) {
	return append(append(rest, all[:n]...), all[n+1:]...)
}

// lookAway has a member that does not watch while views pass.
func lookAway(tr *providerTrial) {
	members := tr.start(2)
	busy, away := members[0], members[1]
	for n := range 3 {
		guest := tr.begin(kitMember(3 + n))
		allHold([]*process{busy, guest}, busy, away, guest)
		guest.leave()
		busy.holding(busy, away)
	}
	if away.session == nil || tr.ctx.Err() != nil {
		return
	}
	away.session.Refresh(busy.after)
	shown := 0
	away.until("the epoch that the other has seen", func(v driver.View) bool {
		shown++
		return v.Epoch == busy.after
	})
	if v, err := away.session.Watch(tr.ctx, 0); err != nil || v.Epoch != busy.after {
		tr.errorf("Watch after nothing gives view %d, %v; want the newest, %d", v.Epoch, err, busy.after)
	}
	if shown > 3 {
		tr.errorf("who looked away while 6 views passed is shown %d; want the newest", shown)
	}
}

// renewed lets members do nothing for several lease times.
func renewed(tr *providerTrial) {
	members := tr.start(2)
	for begun := time.Now(); time.Since(begun) < 3*tr.ttl && tr.ctx.Err() == nil; pause(tr.ctx, tr.ttl/20) {
		for _, m := range members {
			if !m.valid() {
				tr.errorf("the lease of %v has ended after %v, and nothing was wrong", m, time.Since(begun))
				return
			}
		}
	}
	fresh := tr.begin(kitMember(3))
	allHold(append(members, fresh), append(members[:2:2], fresh)...)
}

// twoClusters has two clusters whose members have the same addresses.
func twoClusters(tr *providerTrial) {
	other := &providerTrial{
		service: tr.service, t: tr.t, ctx: tr.ctx, cancel: tr.cancel, cluster: tr.cluster + "2", backend: tr.backend, ttl: tr.ttl,
		begun: tr.begun, incarnations: 1, views: make(map[uint64]driver.View),
	}
	var here, there []*process
	var wg sync.WaitGroup
	wg.Go(func() { here = tr.start(2) })
	wg.Go(func() { there = other.start(3) })
	wg.Wait()
	if a, b := tr.incarnation(here), other.incarnation(there); a == b {
		tr.errorf("two clusters have the incarnation %q", a)
	}
	there[0].leave()
	allHold(there[1:], there[1:]...)
	here[0].leave()
	allHold(here[1:], here[1:]...)
	for _, p := range other.all() {
		p.close()
	}
	other.verify()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.errs = append(tr.errs, other.found()...)
}

func (tr *providerTrial) incarnation(members []*process) string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.views[members[0].after].Incarnation
}
