package drivertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
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

// steady is the least lease time of cases in which no lease is to end: what
// they do takes its time on a machine that is busy.
const steady = 15 * time.Second

// cutOff cuts one member off its backend, and another one silently. Both are
// removed, but not while their leases are valid, and join again.
func cutOff(tr *providerTrial) {
	cut, stalled := tr.link(), tr.link()
	stays, a, b := tr.begin(kitMember(0)), tr.begin(kitMember(1), by(cut)), tr.begin(kitMember(2), by(stalled))
	allHold([]*process{stays, a, b}, stays, a, b)
	heal, resume := cut.Cut(), stalled.Stall()
	defer heal()
	defer resume()
	begun := time.Now()
	tr.notef("%v is cut off, the connection of %v stalls", a, b)
	stays.holding(stays)
	if passed := time.Since(begun); passed > tr.service.TTL+tr.service.Late {
		tr.errorf("members that were cut off were removed after %v", passed)
	}
	heal()
	resume()
	tr.notef("both connections are whole again")
	next := rejoin(a, b)
	all := append(next, stays)
	allHold(all, all...)
}

// shortStall holds everything up for a quarter of the lease time.
func shortStall(tr *providerTrial) {
	tr.ttl = max(tr.ttl, steady)
	link := tr.link()
	members := tr.start(3, by(link))
	heal := link.Stall()
	tr.notef("all connections stall")
	pause(tr.ctx, tr.ttl/4)
	heal()
	tr.notef("they go on")
	tr.unharmed(members, by(link))
}

// unharmed expects that nobody was removed, and that others can join and leave.
func (tr *providerTrial) unharmed(members []*process, change ...func(*Setup)) {
	fresh := tr.begin(kitMember(8), change...)
	allHold(append(members[:len(members):len(members)], fresh), append(members[:len(members):len(members)], fresh)...)
	fresh.leave()
	allHold(members, members...)
	for _, m := range members {
		if !m.valid() {
			tr.errorf("%v has lost its lease", m)
		}
	}
}

// breakConnections breaks them again and again while members come and go.
func breakConnections(tr *providerTrial) {
	tr.ttl = max(tr.ttl, steady)
	link := tr.link()
	members := tr.start(3, by(link))
	for n := range 3 {
		link.Break()
		tr.notef("all connections break")
		guest := tr.begin(kitMember(4+n), by(link))
		link.Break()
		tr.notef("all connections break")
		allHold(append(members[:3:3], guest), append(members[:3:3], guest)...)
		link.Break()
		tr.notef("all connections break")
		guest.leave()
		allHold(members, members...)
	}
	tr.unharmed(members, by(link))
}

// slowBackend makes each round trip take a twentieth of the lease time.
func slowBackend(tr *providerTrial) {
	tr.ttl = max(tr.ttl, steady)
	link := tr.link()
	link.Slow(tr.ttl / 40)
	members := tr.start(3, by(link))
	for begun := time.Now(); time.Since(begun) < tr.ttl/2 && tr.ctx.Err() == nil; pause(tr.ctx, tr.ttl/20) {
		for _, m := range members {
			if !m.valid() {
				tr.errorf("%v lost its lease as the backend is slow", m)
				return
			}
		}
	}
	tr.unharmed(members, by(link))
}

// unreachable has a member join by way of a link that is cut.
func unreachable(tr *providerTrial) {
	link := tr.link()
	heal := link.Cut()
	ctx, cancel := context.WithTimeout(tr.ctx, tr.ttl)
	defer cancel()
	setup := Setup{Address: link.Address(), TTL: tr.ttl}
	p := &process{trial: tr, setup: setup, provider: tr.service.New(setup), member: kitMember(0)}
	session, err := p.provider.Join(ctx, driver.Request{Cluster: tr.cluster, Member: p.member, BindHost: "127.0.0.1", Logger: slog.New(slog.DiscardHandler)})
	switch {
	case err == nil:
		// It may go on trying; Watch says what is wrong.
		if _, err = session.Watch(ctx, 0); err == nil {
			err = errors.New("a view")
		}
		if closing := session.Close(); closing != nil {
			tr.errorf("Close: %w", closing)
		}
	case tr.ctx.Err() != nil:
		tr.errorf("Join does not return when its context is done")
	}
	tr.notef("without a backend: %v", err)
	if !strings.Contains(err.Error(), link.Address()) {
		tr.errorf("the error does not name %s, where the backend should be: %w", link.Address(), err)
	}
	heal()
	next := p.succeed()
	next.holding(next)
}

// clocksFarOff has members whose wall clocks are hours apart, and whose leases
// are counted by clocks whose rates differ by nearly a tenth. The one with the
// slowest clock is cut off: its lease has ended when it is removed.
func clocksFarOff(tr *providerTrial) {
	link := tr.link()
	fast := tr.begin(kitMember(0), clocks(1.04, 9*time.Hour))
	usual := tr.begin(kitMember(1))
	slow := tr.begin(kitMember(2), clocks(0.95, -9*time.Hour), by(link))
	allHold([]*process{fast, usual, slow}, fast, usual, slow)
	pause(tr.ctx, tr.ttl+tr.ttl/2)
	for _, m := range []*process{fast, usual, slow} {
		if !m.valid() {
			tr.errorf("%v has lost its lease as clocks differ", m)
		}
	}
	heal := link.Stall()
	defer heal()
	tr.notef("the connection of %v stalls", slow)
	allHold([]*process{fast, usual}, fast, usual)
	heal()
	next := rejoin(slow)[0]
	allHold([]*process{fast, usual, next}, fast, usual, next)
}

// clocks gives a process a lease clock of another rate and another wall clock.
func clocks(rate float64, off time.Duration) func(*Setup) {
	begun := time.Now()
	return func(s *Setup) {
		s.Clock = func() time.Duration { return time.Duration(float64(time.Since(begun)) * rate) }
		s.Wall = func() time.Time { return time.Now().Add(off) }
	}
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
	tr.backend.Stop(tr.t)
	tr.notef("the backend is stopped")
	tr.backend.Start(tr.t)
	passed := time.Since(begun)
	tr.notef("the backend serves again, %v later", passed)
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
	wg.Wait()
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
