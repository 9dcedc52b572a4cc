package bubble

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Environment variables of [Scenarios]: SeedVariable replays the scenario of one
// seed alone, CountVariable sets how many there are.
const (
	SeedVariable  = "GRANARY_TEST_SEED"
	CountVariable = "GRANARY_TEST_COUNT"
)

const (
	// lastHeal is how long after the last fault all is healed.
	lastHeal = 10 * time.Second
	// healTime is how long the members may then take to see each other.
	healTime = 2 * time.Minute
)

// Plan says what a scenario is. Each has its own cluster.
type Plan struct {
	// New gives the cluster of one scenario and what runs on it. It is called anew
	// for each, so that they share nothing.
	New func() Workload
	// Faults is how many are drawn for a scenario, from 0 to 100.
	Faults int
}

// Workload is what runs in one scenario.
type Workload struct {
	Options Options
	// Work runs while faults happen, in a goroutine of its own, and waits for all goroutines that it starts. It uses the
	// Client and leaves the members alone. Ten seconds after the last fault all is healed. Its context ends when it has taken ten
	// minutes of the bubble's time. Calls that fail are its own affair; an error fails the scenario.
	Work func(ctx context.Context, c *Cluster) error
	// Check runs after the work, when all is healed and every process sees all members. It may be nil.
	Check func(ctx context.Context, c *Cluster) error
}

// Failure is a scenario that failed.
type Failure struct { //nolint:errname // it is what Explore gives, and an error besides
	// Seed draws the same faults again.
	Seed uint64
	// Trace is the faults in order, with the time since the start at which each was
	// due. One comes later when another took long.
	Trace []string
	// Err is what was wrong.
	Err error
}

// Error implements error.
func (f *Failure) Error() string {
	return fmt.Sprintf("bubble: the scenario of seed %d failed: %v\nfaults:\n\t%s\nreplay it alone with %s=%d",
		f.Seed, f.Err, strings.Join(f.Trace, "\n\t"), SeedVariable, f.Seed)
}

// Unwrap gives what was wrong.
func (f *Failure) Unwrap() error { return f.Err }

// Scenarios runs n scenarios, of the seeds from seed on, or as many as [CountVariable] says, and fails the test at the
// first that fails. It gives how many it ran.
func Scenarios(t *testing.T, n int, seed uint64, p Plan) (ran int) {
	t.Helper()
	if text := os.Getenv(CountVariable); text != "" {
		count, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("bubble: %s is %q; it must be a number of scenarios", CountVariable, text)
		}
		n = count
	}
	if text := os.Getenv(SeedVariable); text != "" {
		only, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("bubble: %s is %q; it must be a seed, a number", SeedVariable, text)
		}
		n, seed = 1, only
	}
	if f := Explore(t, n, seed, p); f != nil {
		t.Fatal(f)
	}
	return n
}

// Explore is Scenarios without a verdict: it gives the first scenario that
// failed, nil if none did, and reads no environment. The test fails only if the
// plan is nonsense or a process does not start.
func Explore(t *testing.T, n int, seed uint64, p Plan) *Failure {
	t.Helper()
	if n < 1 || p.New == nil || p.Faults < 0 || p.Faults > 100 {
		t.Fatalf("bubble: %d scenarios with %d faults, New is nil: %t; it must be at least one, with 0 to 100 faults and a New",
			n, p.Faults, p.New == nil)
	}
	for i := range uint64(n) {
		if f := explore(t, seed+i, p); f != nil {
			return f
		}
	}
	return nil
}

func explore(t *testing.T, seed uint64, p Plan) (failure *Failure) {
	t.Helper()
	w := p.New()
	if w.Work == nil {
		t.Fatal("bubble: Workload.Work is nil")
	}
	Run(t, w.Options, func(t *testing.T, c *Cluster) {
		trace, err := scenario(t.Context(), c, w, draw(seed, p.Faults, w.Options.Members))
		if err != nil {
			failure = &Failure{Seed: seed, Trace: trace, Err: err}
		}
	})
	return failure
}

// scenario runs the work in a goroutine and the faults in its own.
func scenario(ctx context.Context, c *Cluster, w Workload, steps []step) (trace []string, err error) {
	work, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- w.Work(work, c) }()
	begin := time.Now()
	for _, s := range steps { // all of them, however long the work takes: a replay has the same
		timer := time.NewTimer(s.at - time.Since(begin))
		<-timer.C
		s.do(c)
		trace = append(trace, s.String())
	}
	err = <-done
	if err != nil {
		return trace, err
	}
	if err := c.Settle(healTime); err != nil {
		return trace, err
	}
	if w.Check == nil {
		return trace, nil
	}
	return trace, w.Check(ctx, c)
}

type fault string

const (
	faultKill    fault = "kill"     // for which another member is added
	faultIsolate fault = "isolate"  // from all and the store
	faultStore   fault = "no store" // from the store
	faultCut     fault = "cut"      // one way
	faultPause   fault = "pause"    // nothing passes, and all arrives later
	faultSlow    fault = "slow"     // what two members send each other
	faultHeal    fault = "heal"
)

// step is a fault at a time since the start.
type step struct {
	at           time.Duration
	fault        fault
	member, peer int // peer is added by a kill
	delay        time.Duration
}

func (s step) String() string {
	text := fmt.Sprintf("%v %s", s.at, s.fault)
	switch s.fault {
	case faultKill:
		return fmt.Sprintf("%s %d, and %d is added", text, s.member, s.peer)
	case faultCut:
		return fmt.Sprintf("%s %d to %d", text, s.member, s.peer)
	case faultSlow:
		return fmt.Sprintf("%s %d and %d by %v", text, s.member, s.peer, s.delay)
	case faultHeal:
		return text
	default:
		return fmt.Sprintf("%s %d", text, s.member)
	}
}

// draw gives the faults of a seed, and an end of them.
func draw(seed uint64, faults, members int) []step {
	r := rand.New(rand.NewPCG(seed, 0))
	kinds := []fault{faultKill, faultIsolate, faultStore, faultPause, faultHeal}
	if members > 1 {
		kinds = append(kinds, faultCut, faultSlow)
	}
	alive, next := make([]int, members), members
	for i := range alive {
		alive[i] = i
	}
	steps := make([]step, 0, faults+1)
	at := time.Duration(0)
	for range faults {
		at += time.Duration(r.IntN(3000)) * time.Millisecond
		first := r.IntN(members)
		s := step{at: at, fault: kinds[r.IntN(len(kinds))], member: alive[first]}
		switch s.fault {
		case faultKill:
			s.peer = next
			alive = append(slices.Delete(alive, first, first+1), next)
			next++
		case faultCut, faultSlow:
			s.peer = alive[(first+1+r.IntN(members-1))%members]
			s.delay = time.Duration(1+r.IntN(500)) * time.Millisecond
		}
		steps = append(steps, s)
	}
	return append(steps, step{at: at + lastHeal, fault: faultHeal})
}

func (s step) do(c *Cluster) {
	switch s.fault {
	case faultKill:
		c.Kill(s.member)
		c.Add()
	case faultIsolate:
		c.Isolate(s.member)
	case faultStore:
		c.CutStore(s.member)
	case faultCut:
		c.Cut(s.member, s.peer)
	case faultPause:
		c.Pause(s.member)
	case faultSlow:
		c.Slow(s.member, s.peer, s.delay)
	case faultHeal:
		c.Heal()
	}
}
