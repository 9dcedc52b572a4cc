package drivertest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

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
	all := append(rejoin(a, b), stays)
	allHold(all, all...)
}

// watching does something while members watch, as they do in a cluster, and
// expects that they are shown nothing.
func (tr *providerTrial) watching(members []*process, do func()) {
	ctx, cancel := context.WithCancel(tr.ctx)
	var wg sync.WaitGroup
	for _, m := range members {
		wg.Go(func() {
			if v, err := m.watch(ctx); err == nil {
				tr.errorf("%v is shown %s; nobody has come or gone", m, describeView(v))
			} else if ctx.Err() == nil {
				tr.errorf("%v: Watch ends with %w", m, err)
			}
		})
	}
	do()
	cancel()
	wg.Wait()
}

// breaks cuts short what goes by way of a link.
func (tr *providerTrial) breaks(link Link, members []*process) {
	tr.watching(members, func() {
		link.Break()
		tr.notef("all connections break")
		pause(tr.ctx, tr.ttl/50)
	})
}

// shortStall holds everything up for a quarter of the lease time.
func shortStall(tr *providerTrial) {
	tr.ttl = max(tr.ttl, steady)
	link := tr.link()
	members := tr.start(3, by(link))
	tr.watching(members, func() {
		heal := link.Stall()
		tr.notef("all connections stall")
		pause(tr.ctx, tr.ttl/4)
		heal()
		tr.notef("they go on")
		pause(tr.ctx, tr.ttl/50)
	})
	tr.unharmed(members, by(link))
}

// unharmed expects that nobody was removed, and that others can join and leave.
func (tr *providerTrial) unharmed(members []*process, change ...func(*Setup)) {
	fresh := tr.begin(kitMember(8), change...)
	all := slices.Concat(members, []*process{fresh})
	allHold(all, all...)
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
		tr.breaks(link, members)
		guest := tr.begin(kitMember(4+n), by(link))
		link.Break() // maybe before the others have seen it
		all := slices.Concat(members, []*process{guest})
		allHold(all, all...)
		tr.breaks(link, all)
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
