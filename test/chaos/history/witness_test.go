package history

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// plain asks porcupine about calls as they are, without bounds and witnesses.
func plain(s *sort, calls []*call) bool {
	return porcupine.CheckOperations(s.model(s.step), operations(calls))
}

// muddle makes a small history that may or may not be right: answers are exchanged, and some end sooner or later than they did.
func muddle(seed uint64, workload string) []*Operation {
	chance := rand.New(rand.NewPCG(seed, 2))
	operations := generate(seed, workload, []string{"a", "a", mixed}[seed%3], 2+chance.IntN(4), 4+chance.IntN(9), 12)
	for range chance.IntN(8) {
		a, b := operations[chance.IntN(len(operations))], operations[chance.IntN(len(operations))]
		switch {
		case a.Outcome == OK && b.Outcome == OK && a.Do == b.Do:
			a.Result = b.Result
		case a.Outcome == OK && chance.IntN(2) == 0:
			a.End = a.Start + 1
		case a.Outcome == OK:
			a.Outcome, a.End = Unknown, Never
		}
	}
	if seed%2 == 1 { // many at the same moment
		for _, op := range operations {
			op.Start = op.Start.Round(700)
			if op.End != Never {
				op.End = max(op.End.Round(700), op.Start)
			}
		}
	}
	return sortOperations(operations)
}

// TestWitness compares what bounds and witnesses tell with porcupine's own search, on many small histories; and holds what is left
// without some calls to its promise: if that is not linearizable, neither is the whole.
func TestWitness(t *testing.T) {
	const histories = 1000
	for _, workload := range []string{Register, Counter, List} {
		right, wrong, exact := 0, 0, 0
		for seed := range uint64(histories) {
			s, all := sorts[workload], muddle(seed, workload)
			calls, err := callsUntil(s, all, Never)
			if err != nil {
				t.Fatal(err)
			}
			want := plain(s, calls)
			bound := s.bound(calls)
			if plain(s, bound) != want {
				t.Fatalf("%s, seed %d: bounded %v, want %v\n%s", workload, seed, !want, want, told(calls))
			}
			_, found, refuted := s.look(bound)
			if found && !want || refuted && want {
				t.Fatalf("%s, seed %d: a witness is there: %v, refuted: %v; porcupine says %v\n%s", workload, seed, found, refuted, want, told(bound))
			}
			if found || refuted {
				exact++
			}
			if want {
				right++
			} else {
				wrong++
			}
			chance := rand.New(rand.NewPCG(seed, 3))
			drop := map[*Operation]bool{}
			for _, c := range calls {
				drop[c.Operation] = chance.IntN(3) == 0
			}
			if left := s.without(calls, drop); want && !plain(s, left) {
				t.Fatalf("%s, seed %d: all of it is right, and what is left is not\n%s\nleft:\n%s", workload, seed, told(calls), told(left))
			}
			if f := CheckLinearizable(with(Strict, all), Options{}).Findings; (len(f) == 0) != want {
				t.Fatalf("%s, seed %d: judged %v, porcupine says %v\n%s", workload, seed, f, want, told(calls))
			}
		}
		if right < histories/10 || wrong < histories/10 || exact < histories*2/3 {
			t.Errorf("%s: %d right and %d wrong, %d decided without a search: the test shows little", workload, right, wrong, exact)
		}
	}
}

func told(calls []*call) string {
	var text strings.Builder
	for _, c := range calls {
		fmt.Fprintf(&text, "%s %d-%d %s (sum %d)\n", c.Client, c.Start/time.Nanosecond, c.ret/time.Nanosecond, c, c.sum)
	}
	return text.String()
}
