package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// A trouble is a kind of fault.
type trouble string

const (
	kill      trouble = "kill"            // SIGKILL, and a new process at the same address when it is over
	freeze    trouble = "freeze"          // SIGSTOP, SIGCONT when it is over
	split     trouble = "split"           // two halves of the hosts do not hear one another
	oneWay    trouble = "one way"         // nothing gets from some members to the others, but the other way
	isolate   trouble = "isolate"         // a member hears nobody, nor the services
	lossy     trouble = "loss"            // packets of a member get lost
	slow      trouble = "delay"           // packets of a member come late
	shuffled  trouble = "reorder"         // packets of a member overtake one another
	narrow    trouble = "narrow"          // the links of a member are slow
	outage    trouble = "outage"          // the service is killed, and started again when it is over
	noService trouble = "no service"      // some members do not reach the services
	rolling   trouble = "rolling restart" // all members leave gracefully and are started anew, in turn
)

// fault is one of a run's.
type fault struct {
	What trouble
	At   time.Duration // since the faults begin
	For  time.Duration
	Who  []int // the members that it is done to, by number
	// Much is how bad: the share of packets that are lost or reordered, the delay in milliseconds, bytes a second in KiB.
	Much float64
}

func (f fault) String() string {
	text := fmt.Sprintf("%s at %s for %s", f.What, f.At.Round(time.Millisecond), f.For.Round(time.Millisecond))
	if len(f.Who) > 0 {
		text += fmt.Sprintf(" of %v", f.Who)
	}
	if f.Much != 0 {
		text += fmt.Sprintf(" by %.3g", f.Much)
	}
	return text
}

// plan is what a seed says of a run.
type plan struct {
	Seed    uint64
	Members int
	Faults  []fault
	Rates   []float64 // of the members' lease clocks
	// Offset is what the clocks of a member that is started while faults happen are ahead, where that can be had.
	Offset time.Duration
}

const (
	fewest, most = 3, 5 // members
	// drift is how much the rate of a lease clock differs from the true one: what two of them differ by stays below the
	// tenth that the promise allows.
	drift = 0.04
	// every is the time between the beginnings of two faults, on average.
	every = 2500 * time.Millisecond
	// last is how long before the end the last fault begins, at least; a quarter of a run that is shorter than four of it.
	last = 7500 * time.Millisecond
)

// newPlan draws a plan. All faults end within the length. Without a service there are no faults of it.
func newPlan(seed uint64, length time.Duration, service bool) plan {
	r := rand.New(rand.NewPCG(seed, 0x6368616f73))
	p := plan{Seed: seed, Members: fewest + r.IntN(most-fewest+1), Offset: time.Duration(1+r.IntN(1000)) * time.Hour}
	for range p.Members {
		p.Rates = append(p.Rates, 1+drift*(2*r.Float64()-1))
	}
	troubles := []trouble{kill, kill, kill, freeze, freeze, split, oneWay, isolate, isolate, lossy, slow, shuffled, narrow, rolling}
	if service {
		troubles = append(troubles, outage, noService)
	}
	for at := time.Duration(0); ; {
		at += every/2 + time.Duration(r.Int64N(int64(every)))
		if at > length-min(last, length/4) {
			break
		}
		p.Faults = append(p.Faults, draw(r, p.Members, troubles, at, length))
	}
	return p
}

func draw(r *rand.Rand, members int, troubles []trouble, at, length time.Duration) fault {
	f := fault{What: troubles[r.IntN(len(troubles))], At: at}
	f.For = min(time.Duration(200+r.IntN(6000))*time.Millisecond, length-at)
	all := r.Perm(members)
	switch f.What {
	case kill, freeze, isolate:
		f.Who = all[:1]
	case split, oneWay, noService:
		f.Who = all[:1+r.IntN(members-1)]
	case lossy:
		f.Who, f.Much = all[:1], 0.02+0.2*r.Float64()
	case shuffled:
		f.Who, f.Much = all[:1], 0.05+0.3*r.Float64()
	case slow:
		f.Who, f.Much = all[:1], float64(20+r.IntN(400))
	case narrow:
		f.Who, f.Much = all[:1], float64(20+r.IntN(200))
	}
	slices.Sort(f.Who)
	return f
}

// String is the plan, a line a fault.
func (p plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d members, clock rates %.3f", p.Seed, p.Members, p.Rates)
	for _, f := range p.Faults {
		fmt.Fprintf(&b, "\n    %s", f)
	}
	return b.String()
}

func TestPlan(t *testing.T) {
	const length = 30 * time.Second
	seen := make(map[trouble]int)
	for seed := range uint64(200) {
		p := newPlan(seed, length, true)
		if again := newPlan(seed, length, true); again.String() != p.String() {
			t.Fatalf("a seed has two plans:\n%s\n%s", p, again)
		}
		for _, f := range p.Faults {
			seen[f.What]++
			if f.At+f.For > length || f.For <= 0 {
				t.Errorf("%s does not end within %s", f, length)
			}
			if slices.ContainsFunc(f.Who, func(i int) bool { return i < 0 || i >= p.Members }) || len(f.Who) == p.Members {
				t.Errorf("%s: there are %d members", f, p.Members)
			}
		}
		for _, f := range newPlan(seed, length, false).Faults {
			if f.What == outage || f.What == noService {
				t.Errorf("%s: there is no service", f)
			}
		}
	}
	for _, what := range []trouble{kill, freeze, split, oneWay, isolate, lossy, slow, shuffled, narrow, rolling, outage, noService} {
		if seen[what] < 50 {
			t.Errorf("%s: %d in 200 plans", what, seen[what])
		}
	}
}

// A long run has faults until shortly before its end.
func TestLongPlan(t *testing.T) {
	const length = 30 * time.Minute
	faults := newPlan(1, length, true).Faults
	if at := faults[len(faults)-1].At; at < length-4*last || at > length-last {
		t.Errorf("the last of %d faults begins at %s of %s", len(faults), at, length)
	}
}
