package lease_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/lease"
)

const second lease.Time = 1e9

// step is one event of a script and what must come of it.
type step struct {
	at    lease.Time
	event lease.Event
	want  []lease.Effect
}

func TestScripts(t *testing.T) {
	valid, draining, fenced := lease.PhaseChanged{Phase: driver.LeaseValid}, lease.PhaseChanged{Phase: driver.LeaseDraining}, lease.PhaseChanged{Phase: driver.LeaseFenced}
	over := []lease.Effect{lease.Deadline{Drains: lease.Never, At: lease.Never}, fenced}
	until := func(start lease.Time) lease.Deadline {
		return lease.Deadline{Drains: start + 6*second, At: start + 9*second}
	}
	renewed := func(start lease.Time) lease.Renewed { return lease.Renewed{Start: start, TTL: 10 * second} }
	for name, script := range map[string][]step{
		"drains, then is fenced": {
			{6*second - 1, lease.Tick{}, nil},
			{6 * second, lease.Tick{}, []lease.Effect{draining}},
			{9*second - 1, lease.Tick{}, nil},
			{9 * second, lease.Tick{}, over},
			{20 * second, lease.Tick{}, nil},
		},
		"counts from the instant before the renewal was sent": {
			{5 * second, renewed(3 * second), []lease.Effect{until(3 * second)}},
			{9 * second, lease.Tick{}, []lease.Effect{draining}},
			{12 * second, lease.Tick{}, over},
		},
		"a renewal makes a draining lease valid": {
			{7 * second, lease.Tick{}, []lease.Effect{draining}},
			{8 * second, renewed(7 * second), []lease.Effect{until(7 * second), valid}},
		},
		"an answer that took its time leaves the lease draining": {
			{7 * second, lease.Tick{}, []lease.Effect{draining}},
			{8 * second, renewed(second), []lease.Effect{until(second)}},
		},
		"an answer after the deadline revives nothing": {
			{9 * second, renewed(8 * second), over},
			{9 * second, renewed(9 * second), nil},
		},
		"an older renewal changes nothing": {
			{3 * second, renewed(2 * second), []lease.Effect{until(2 * second)}},
			{4 * second, renewed(second), nil},
		},
		"a shorter grant counts": {
			{4 * second, lease.Renewed{Start: 3 * second, TTL: second}, []lease.Effect{
				lease.Deadline{Drains: 36e8, At: 39e8}, lease.Deadline{Drains: lease.Never, At: lease.Never}, fenced,
			}},
		},
		"lost is fenced":              {{second, lease.Lost{}, over}, {2 * second, renewed(second), nil}},
		"nothing granted is fenced":   {{second, lease.Renewed{Start: second}, over}},
		"less than nothing is fenced": {{second, lease.Renewed{Start: second, TTL: -1}, over}},
		"a start in the future is now": {
			{second, renewed(100 * second), []lease.Effect{until(second)}},
		},
		"a clock that goes back stands still": {
			{7 * second, lease.Tick{}, []lease.Effect{draining}},
			{second, lease.Tick{}, nil},
		},
		"a grant for ever": {
			{second, lease.Renewed{Start: second, TTL: math.MaxInt64}, []lease.Effect{
				lease.Deadline{Drains: second + math.MaxInt64/10*6 + 4, At: second + math.MaxInt64/10*9 + 6},
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := lease.New(renewed(0))
			for i, s := range script {
				if got := m.Step(s.at, s.event); !slices.Equal(got, s.want) {
					t.Fatalf("step %d, %T at %d: %v, want %v", i, s.event, s.at, got, s.want)
				}
			}
		})
	}
}

func TestNew(t *testing.T) {
	m := lease.New(lease.Renewed{Start: 5 * second, TTL: 10 * second})
	if d := m.Deadline(); d != (lease.Deadline{Drains: 11 * second, At: 14 * second}) || m.Phase() != driver.LeaseValid {
		t.Errorf("deadline %v, phase %v", d, m.Phase())
	}
	if m := lease.New(lease.Renewed{Start: second}); m.Phase() != driver.LeaseFenced {
		t.Errorf("a lease of no time is %v", m.Phase())
	}
}

func TestWake(t *testing.T) {
	m := lease.New(lease.Renewed{TTL: 10 * second})
	for _, want := range []lease.Time{6 * second, 9 * second} {
		wake, wanted := m.Wake()
		if wake != want || !wanted {
			t.Fatalf("wake %d, %v; want %d", wake, wanted, want)
		}
		if len(m.Step(wake, lease.Tick{})) == 0 {
			t.Fatalf("nothing happens at %d", wake)
		}
	}
	if wake, wanted := m.Wake(); wanted {
		t.Errorf("a fenced lease wants to be woken at %d", wake)
	}
}

// overstays runs a member with a lossy provider and reports whether the member
// took its lease for valid when the provider did not, or when it had been
// fenced before.
func overstays(seed uint64, f lease.Faults) bool {
	rng := rand.New(rand.NewPCG(seed, 1))
	m := lease.New(lease.Renewed{TTL: 10 * second})
	m.Break(f)
	now, expires, lost, fenced := lease.Time(0), 10*second, false, false
	for range 40 {
		start := now
		now += lease.Time(rng.Int64N(int64(4 * second))) // until it arrives
		lost = lost || now >= expires
		if !lost && rng.IntN(2) == 0 {
			expires = now + 10*second
			now += lease.Time(rng.Int64N(int64(12 * second))) // until the answer arrives
			m.Step(now, lease.Renewed{Start: start, TTL: 10 * second})
		} else {
			m.Step(now, lease.Tick{})
		}
		if lost = lost || now >= expires; lost && m.Phase() != driver.LeaseFenced {
			return true
		}
		if d := m.Deadline(); m.Phase() != driver.LeaseFenced && (fenced || d.At > expires) {
			return true
		}
		fenced = m.Phase() == driver.LeaseFenced
	}
	return false
}

func TestNeverOverstays(t *testing.T) {
	caught := make(map[lease.Faults]int)
	for seed := range uint64(2000) {
		if overstays(seed, lease.Faults{}) {
			t.Fatalf("seed %d: the member took its lease for valid when it was over", seed)
		}
		for _, f := range []lease.Faults{{Revives: true}, {CountsFromAnswer: true}} {
			if overstays(seed, f) {
				caught[f]++
			}
		}
	}
	if len(caught) != 2 {
		t.Errorf("only these faults were noticed: %v", caught)
	}
	t.Logf("noticed in 2,000 runs: %v", caught)
}
