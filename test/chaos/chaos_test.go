package chaos

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/internal/servertest"
)

// short is how long faults happen in the run that `make test-all` does.
const short = 2 * time.Minute

// TestSeed is one run of two minutes, by a seed that is the same each time.
func TestSeed(t *testing.T) {
	servertest.Need(t, "consul") // it takes minutes: `make test-all` runs it
	report(t, run(t, find(t, "etcd"), newPlan(1, short, true), short))
}

// TestChaos is one run as the flags say: `make chaos` runs it.
func TestChaos(t *testing.T) {
	if *seedFlag == 0 && !flagGiven("chaos.for") {
		t.Skip("takes long: `make chaos` runs it")
	}
	s, seed := find(t, *onFlag), *seedFlag
	if seed == 0 {
		seed = uint64(rand.Uint32())
	}
	p := newPlan(seed, *lengthFlag, s.backend != "automanaged")
	t.Logf("%s, %s", s.name, p)
	report(t, run(t, s, p, *lengthFlag))
}

// find gives the setting of a name.
func find(t *testing.T, name string) setting {
	for _, s := range settings {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("there is no setting %q; settings are %v", name, settings)
	return setting{}
}

// report logs what came of a run, and fails the test if that is not what was promised.
func report(t *testing.T, r result) {
	t.Helper()
	if r.verdict != nil {
		var text strings.Builder
		r.verdict.Print(&text)
		t.Logf("network: %s; recovered after %s\n%s", r.Network, r.Recovered.Round(time.Millisecond), &text)
	}
	for _, f := range r.Findings {
		t.Error(f)
	}
}
