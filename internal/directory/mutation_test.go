package directory

import (
	"reflect"
	"testing"
)

// name gives the one rule that is switched off.
func (f faults) name(t *testing.T) string {
	t.Helper()
	var off []string
	for field, v := range reflect.ValueOf(f).Fields() {
		if v.Bool() {
			off = append(off, field.Name)
		}
	}
	if len(off) != 1 {
		t.Fatalf("%v are switched off; want one", off)
	}
	return off[0]
}

// simulated are the rules whose absence the simulation finds.
var simulated = []faults{
	{voidUnseen: true},
	{reuseOwn: true},
	{releaseEarly: true},
	{omitStopping: true},
	{joinUnwritten: true},
	{openEarly: true},
	{claimClosed: true},
	{noFounder: true},
	{eraBack: true},
}

// firstSeeds are where the search begins for those that few seeds find.
var firstSeeds = map[string]uint64{"noFounder": 600, "reuseOwn": 290, "eraBack": 20}

// scripted are the rules that guard against what the simulation does not do or
// hardly ever: leases that end, an era that is opened by a member whose view is
// that late.
var scripted = []struct {
	broken faults
	script func(t *testing.T, broken faults) (violation string)
}{
	{faults{startUnchecked: true}, leaseEndsMeanwhile},
	{faults{noGreeting: true}, newcomerUnknown},
}

func TestMutationsByScript(t *testing.T) {
	t.Parallel()
	for _, m := range scripted {
		t.Run(m.broken.name(t), func(t *testing.T) {
			if violation := m.script(t, faults{}); violation != "" {
				t.Errorf("with all rules: %s", violation)
			}
			violation := m.script(t, m.broken)
			if violation == "" {
				t.Error("not found")
			}
			t.Log(violation)
		})
	}
}

// TestMutations shows that each rule is needed: without it the simulation finds
// a violation.
func TestMutations(t *testing.T) {
	t.Parallel()
	runs := uint64(4 * *simRuns)
	for _, broken := range simulated {
		t.Run(broken.name(t), func(t *testing.T) {
			t.Parallel()
			first := max(firstSeeds[broken.name(t)], 1)
			for seed := first; seed < first+runs; seed++ {
				if s := simulate(seed, broken, false); s.failure != "" {
					t.Logf("found in run %d: %s", seed, s.failure)
					return
				}
			}
			t.Errorf("not found in %d runs", runs)
		})
	}
}

// No rule is left out.
func TestEveryRuleIsSwitchedOff(t *testing.T) {
	t.Parallel()
	tried := make(map[string]int)
	for _, broken := range simulated {
		tried[broken.name(t)]++
	}
	for _, m := range scripted {
		tried[m.broken.name(t)]++
	}
	for field := range reflect.TypeFor[faults]().Fields() {
		if tried[field.Name] != 1 {
			t.Errorf("%s is switched off by %d tests; want 1", field.Name, tried[field.Name])
		}
	}
}
