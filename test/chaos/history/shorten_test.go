package history

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// TestGenerated judges histories that are right, with unknown outcomes and refusals.
func TestGenerated(t *testing.T) {
	for seed := range uint64(10) {
		for _, workload := range []string{Register, Counter, List} {
			operations := generate(seed, workload, "a", 5, 300, 5)
			r := CheckLinearizable(with(Strict, operations), Options{})
			if len(r.Findings) > 0 || r.Counted("operations checked") != 300 {
				t.Errorf("seed %d, %s: %+v", seed, workload, r)
			}
		}
	}
}

// spoil changes the first answered operation behind a moment that change accepts.
func spoil(operations []*Operation, from time.Duration, change func(*Operation) bool) *Operation {
	for _, op := range operations {
		if op.Outcome == OK && op.Start > from && change(op) {
			return op
		}
	}
	return nil
}

// TestShortest plants a wrong answer into long histories that are right, and finds it in a few operations. Those of which nobody
// knows may stay, as long as sums and places need them.
func TestShortest(t *testing.T) {
	for _, c := range []struct {
		name, workload string
		most           int
		change         func(operations []*Operation, op *Operation) bool
	}{
		{"stale read", Register, 3, func(all []*Operation, op *Operation) bool {
			return op.Do == DoRead && stale(all, op, func(o *Operation) bool { return o.Do == DoWrite }, func(o *Operation) string { return o.Argument })
		}},
		{"read of nobody's", Register, 1, func(_ []*Operation, op *Operation) bool {
			if op.Do == DoRead {
				op.Result = "phantom"
			}
			return op.Do == DoRead
		}},
		{"sum twice", Counter, 3, func(all []*Operation, op *Operation) bool {
			return op.Do == DoAdd && stale(all, op, func(o *Operation) bool { return o.Do == DoAdd }, func(o *Operation) string { return o.Result })
		}},
		{"stale sum", Counter, 3, func(all []*Operation, op *Operation) bool {
			return op.Do == DoRead && stale(all, op, func(o *Operation) bool { return o.Do == DoAdd }, func(o *Operation) string { return o.Result })
		}},
		{"stale list", List, 3, func(all []*Operation, op *Operation) bool {
			return op.Do == DoRead && stale(all, op, func(o *Operation) bool { return o.Do == DoRead && o.Result != "[]" }, func(o *Operation) string { return o.Result })
		}},
		{"value lost from a list", List, 3, func(_ []*Operation, op *Operation) bool {
			values := strings.Fields(strings.Trim(op.Result, "[]"))
			if op.Do != DoRead || len(values) < 9 {
				return false
			}
			op.Result = ListText(slices.Delete(values, 5, 6)...)
			return true
		}},
		{"value twice in a list", List, 2, func(_ []*Operation, op *Operation) bool {
			values := strings.Fields(strings.Trim(op.Result, "[]"))
			if op.Do != DoRead || len(values) < 9 {
				return false
			}
			op.Result = ListText(append(values, values[5])...)
			return true
		}},
	} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%s, seed %d", c.name, seed), func(t *testing.T) {
				operations := generate(seed, c.workload, "a", 4, 200, 3)
				bad := spoil(operations, operations[100].Start, func(op *Operation) bool { return c.change(operations, op) })
				if bad == nil {
					t.Fatal("nothing was spoilt")
				}
				r := CheckLinearizable(with(Strict, operations), Options{})
				expect(t, r, "not linearizable", Failure)
				s := r.Findings[0].Shortest
				if len(s.Operations) > c.most {
					var text strings.Builder
					s.print(&text, new(Verdict))
					t.Errorf("%d operations, want at most %d\n%s\nspoilt was %+v", len(s.Operations), c.most, text.String(), bad)
				}
				if !slices.Contains(s.Operations, bad) && c.name != "value lost from a list" {
					t.Errorf("the spoilt operation %+v is not in it", bad)
				}
				if s.At < bad.End && c.name == "stale read" {
					t.Errorf("it shows at %v, before the spoilt answer at %v", s.At, bad.End)
				}
			})
		}
	}
}

// stale gives an operation the answer of one long before it.
func stale(all []*Operation, op *Operation, like func(*Operation) bool, answer func(*Operation) string) bool {
	for _, o := range all[20:] {
		if o.Outcome == OK && like(o) {
			op.Result = answer(o)
			return true
		}
	}
	return false
}

// TestManyClients judges what porcupine alone cannot: thirty clients of one identity, all the time. A wrong answer is found there, too.
func TestManyClients(t *testing.T) {
	little := Options{Shorten: -1, Memory: 4 << 20}
	for _, workload := range []string{Register, Counter, List} {
		operations := generate(1, workload, "a", 30, 1200, 4)
		expect(t, CheckLinearizable(with(Strict, operations), little), "", Failure)
		if workload == List {
			continue // porcupine's search is short: lists tell their order
		}
		bad := spoil(operations, operations[600].Start, func(op *Operation) bool {
			return op.Do == DoRead && stale(operations, op, func(o *Operation) bool { return o.Do == DoAdd || o.Do == DoWrite },
				func(o *Operation) string { return map[string]string{Register: o.Argument, Counter: o.Result}[workload] })
		})
		calls, _ := callsUntil(sorts[workload], operations, Never)
		if v := sorts[workload].search(calls, little.withDefaults()).verdict; v != porcupine.Unknown {
			t.Errorf("%s: porcupine says %s, want that it gives up", workload, v)
		}
		r := CheckLinearizable(with(Strict, operations), little)
		expect(t, r, "not linearizable", Failure)
		if len(r.Findings) != 1 || r.Findings[0].Shortest == nil || !slices.Contains(r.Findings[0].Operations, bad) {
			t.Errorf("%s: %+v, want the history with %+v", workload, r.Findings, bad)
		}
	}
}

// TestShortestIsPrinted looks at a shortest history as it is printed.
func TestShortestIsPrinted(t *testing.T) {
	h := with(Strict, script(t, Register, `
		a 1-2 write v @1.1
		b 3-4 write w @1.1
		c 5-6 read @1.1 = w
		a 7-20 read @1.1 = v
		b 8-9 write x @1.1
		c 30-31 read @1.1 = x`))
	var text strings.Builder
	v := &Verdict{Reports: []Report{CheckLinearizable(h, Options{})}, Last: h.Last}
	v.Print(&text)
	const want = `  who  from      to        what: result  token  call
  a    0.001000  0.002000  write v: ok   1.1    
  b    0.003000  0.004000  write w: ok   1.1    
  a    0.007000  0.020000  read: v       1.1    
`
	for _, part := range []string{"FAILED", "not linearizable, K/a, at 0.020000", "no order explains read: v of a", "3 of 6 operations, 5 of which had begun", want} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("%q is not in\n%s", part, text.String())
		}
	}
}

// TestMuch judges twenty thousand operations on fifty identities, and bounds the work by the limits that are counted, not by a clock.
func TestMuch(t *testing.T) {
	var all []*Operation
	for i := range 50 {
		workload := []string{Register, Counter, List}[i%3]
		all = append(all, generate(uint64(i), workload, fmt.Sprint(i), 8, 400, 4)...)
	}
	r := CheckLinearizable(with(Strict, sortOperations(all)), Options{Timeout: time.Hour})
	if len(r.Findings) > 0 || r.Counted("operations checked") != 20_000 || r.Counted("identities checked") != 50 {
		t.Errorf("%+v", r)
	}
}
