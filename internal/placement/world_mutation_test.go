package placement

import (
	"reflect"
	"testing"

	"github.com/granary-go/granary/internal/lease"
	"github.com/granary-go/granary/internal/record"
)

// worldMutations are the rules of the other machines, and of the shell, whose
// absence the world finds.
var worldMutations = []struct {
	name   string
	broken worldFaults
}{
	{"RemoveEarly", worldFaults{record: record.Faults{RemoveEarly: true}}},
	{"FoundAtOnce", worldFaults{record: record.Faults{FoundAtOnce: true}}},
	{"WritesFenced", worldFaults{record: record.Faults{WritesFenced: true}}},
	{"CountsFromAnswer", worldFaults{lease: lease.Faults{CountsFromAnswer: true}}},
	{"lease by a flag", worldFaults{flag: true}},
	{"messages by address", worldFaults{byAddress: true}},
}

// byScript are rules that guard against what does no harm in the world; their
// own room shows that they are needed.
var byScript = map[string]string{
	"Revives":          "a renewal that the store took makes the lease good there, whenever its answer comes: see the scripts of internal/lease",
	"KeepsIncarnation": "a member whose record is made anew has no open slot there: the owner's rule 1 asks for the incarnation too; see the scripts of internal/record",
}

func TestWorldMutations(t *testing.T) {
	for _, m := range worldMutations {
		t.Run(m.name, func(t *testing.T) {
			for seed := range uint64(20 * *worldRuns) {
				if w := runWorld(seed, m.broken); w.failure != "" {
					t.Logf("found in run %d: %s", seed+1, w.failure)
					return
				}
			}
			t.Errorf("not found in %d runs", 20**worldRuns)
		})
	}
}

// No rule of the other machines is left out.
func TestEveryRuleOfTheWorldIsSwitchedOff(t *testing.T) {
	tried := make(map[string]bool)
	for _, m := range worldMutations {
		tried[m.name] = true
	}
	for _, faults := range []reflect.Type{reflect.TypeFor[record.Faults](), reflect.TypeFor[lease.Faults]()} {
		for field := range faults.Fields() {
			if tried[field.Name] == (byScript[field.Name] != "") {
				t.Errorf("%v.%s is switched off by the world: %v, by a script: %v; want one", faults, field.Name, tried[field.Name], byScript[field.Name] != "")
			}
		}
	}
}
