package providers

import (
	"errors"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/test/fleet"
)

const (
	members = 3
	grains  = 60
	// pace is how often a call is begun at most: the machine has other things to do.
	pace = 2 * time.Millisecond
)

// step is one thing that happens to a cluster under calls.
type step struct {
	name string // as the table has it
	run  func(*round)
	// fault steps take grains away from their callers. What counts is when every one of them answers again; in the others
	// it is how long a call waits at most.
	fault bool
}

// cost is the time that counts in a step.
func (s step) cost(m measure) time.Duration {
	if s.fault {
		return m.Recovery
	}
	return m.Slowest
}

// steps are the scenario, in order. Each ends when every grain has answered a call that began after it.
var steps = []step{
	{"one is killed", (*round).kill, true},
	{"one joins", (*round).join, false},
	{"one leaves", (*round).leave, false},
	{"all restart, one after the other", (*round).roll, false},
	{"the service is away for two lease times", (*round).outage, true},
}

// measure is what a step was seen to cost.
type measure struct {
	Backend string `json:"backend"`
	Round   int    `json:"round"`
	Step    string `json:"step"`
	// Calls were made during the step, and Failed of them failed; Unknown of these may have run.
	Calls   int `json:"calls"`
	Failed  int `json:"failed"`
	Unknown int `json:"unknown"`
	// Recovery is from the fault, or from what ends it, until every grain has answered a call that began after it.
	Recovery time.Duration `json:"recovery"`
	// Slowest is the longest that a call took which was answered.
	Slowest time.Duration `json:"slowest"`
}

// round is one run of the scenario.
type round struct {
	t     *testing.T
	crew  *crew
	load  *fleet.Load
	names []fleet.Name
	gone  *member
	// expected is what Recovery is the time of.
	expected *fleet.Expectation
}

// run runs the scenario once and gives a measure for each step that the backend has.
func run(t *testing.T, b backend, s service, number int, opts ...func(*crew)) (all []measure) {
	c := newCrew(t, b, s, members, opts...)
	names := fleet.Names(c.grains, kind)
	r := &round{t: t, crew: c, names: names, load: c.load(c.client(), names, nil)}
	r.load.Every(t, limit, names)
	for _, step := range steps {
		if step.name == steps[len(steps)-1].name && s.stop == nil {
			continue // there is no service
		}
		r.load.Reset()
		step.run(r)
		recovery := r.load.Wait(t, limit, r.expected)
		f := r.load.Since()
		t.Logf("%s, round %d, %s: %d calls, recovery %s, failed: %s", b.name, number, step.name, f.Calls, recovery, f.Text())
		all = append(all, measure{b.name, number, step.name, f.Calls, f.Failed(), unknown(f), recovery, f.Slowest})
	}
	r.load.Stop()
	c.end()
	return all
}

// from starts the clock.
func (r *round) from() { r.expected = r.load.Expect(r.names) }

func (r *round) kill() {
	r.gone = r.crew.oldest()
	r.from()
	r.gone.Kill()
}

func (r *round) join() {
	r.crew.add(r.gone)
	r.from()
}

func (r *round) leave() {
	r.gone = r.crew.oldest()
	r.crew.leave(r.gone)
	r.from()
}

func (r *round) roll() {
	r.crew.add(r.gone) // so that there are three again
	r.load.Every(r.t, limit, r.names)
	r.load.Reset()
	for range members {
		m := r.crew.oldest()
		r.crew.leave(m)
		r.crew.add(m)
	}
	r.from()
}

func (r *round) outage() {
	r.crew.service.stop()
	timer := time.NewTimer(2 * r.crew.backend.lease)
	defer timer.Stop()
	select {
	case <-timer.C: // the outage itself
	case <-r.t.Context().Done():
		r.t.Fatal("the test was broken off during an outage")
	}
	r.crew.service.again()
	r.from()
}

// unknown counts the failed calls that may have run.
func unknown(f fleet.Figures) (n int) {
	for _, errs := range f.Errs {
		for _, err := range errs {
			if errors.Is(err, cluster.ErrUnknownOutcome) {
				n++
			}
		}
	}
	return n
}
