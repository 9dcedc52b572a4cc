package history

import (
	"strings"
	"testing"
	"time"
)

func TestLinearizable(t *testing.T) {
	for _, c := range []struct {
		name, workload, text string
		bad                  bool
	}{
		{"read what was written", Register, "a 1-2 write x\n b 3-4 read = x", false},
		{"read before the first write", Register, "a 1-2 read = nothing\n b 3-4 write x", false},
		{"read while it is written", Register, "a 1-9 write x\n b 2-3 read = nothing\n b 4-5 read = x", false},
		{"read back and forth", Register, "a 1-9 write x\n b 2-3 read = x\n b 4-5 read = nothing", true},
		{"stale read", Register, "a 1-2 write x\n a 3-4 write y\n b 5-6 read = x", true},
		{"lost write", Register, "a 1-2 write x\n b 3-4 read = nothing", true},
		{"read of nobody's", Register, "a 1-2 write x\n b 3-4 read = z", true},
		{"read from the future", Register, "b 1-2 read = x\n a 3-4 write x", true},
		{"unknown write is seen later", Register, "a 1-? write x\n a 3-4 write y\n b 5-6 read = y\n b 7-8 read = x", false},
		{"unknown write is seen and gone", Register, "a 1-? write x\n a 3-4 write y\n b 5-6 read = x\n b 7-8 read = y\n", true},
		{"unknown write never seen", Register, "a 1-? write x\n b 3-4 read = nothing\n b 5-6 read = nothing", false},
		{"refused write is seen", Register, "a 1-! write x\n b 3-4 read = x", true},
		{"refused write is not seen", Register, "a 1-! write x\n b 3-4 read = nothing", false},
		{"unknown read", Register, "a 1-2 write x\n b 3-? read", false},
		{"exchanged", Register, "a 1-2 write x\n b 3-4 cas x>y = y\n a 5-6 read = y", false},
		{"not exchanged", Register, "a 1-2 write x\n b 3-4 cas z>y = x\n a 5-6 read = x", false},
		{"both exchanged", Register, "a 1-2 write x\n b 3-5 cas x>y = y\n c 3-5 cas x>z = z", true},
		{"exchange lies", Register, "a 1-2 write x\n b 3-4 cas x>y = x", true},
		{"unknown exchange", Register, "a 1-2 write x\n b 3-? cas x>y\n a 4-5 read = x\n a 6-7 read = y", false},
		{"chain of unknown exchanges", Register, "a 1-? cas >x\n b 2-? cas x>y\n a 6-7 read = y", false},
		{"chain that lacks one", Register, "a 1-! cas >x\n b 2-? cas x>y\n a 6-7 read = y", true},
		{"write that touches", Register, "a 1-5 write x\n b 5-6 write y\n c 9-10 read = x", false},
		{"write between", Register, "a 1-5 write x\n b 6-7 write y\n c 9-10 read = x", true},
		{"a value twice", Register, "a 1-? write x\n b 2-3 write x\n c 4-5 write y\n c 6-7 read = x", false},

		{"sums", Counter, "a 1-2 add 1 = 1\n b 3-4 add 1 = 2\n b 5-6 read = 2", false},
		{"one sum twice", Counter, "a 1-3 add 1 = 1\n b 1-3 add 1 = 1", true},
		{"lost add", Counter, "a 1-2 add 1 = 1\n b 3-4 read = 0", true},
		{"unknown add counts", Counter, "a 1-? add 1\n b 3-4 add 1 = 2", false},
		{"unknown add counts later", Counter, "a 1-? add 1\n b 3-4 add 1 = 1\n b 5-6 read = 2", false},
		{"unknown add counts twice", Counter, "a 1-? add 1\n b 3-4 add 1 = 3", true},
		{"unknown add before it began", Counter, "b 3-4 add 1 = 2\n a 5-? add 1", true},
		{"refused add counts", Counter, "a 1-! add 1\n b 3-4 read = 1", true},
		{"unknown adds of different amounts", Counter, "a 1-? add 2\n a 1-? add 5\n b 3-4 add 1 = 1\n b 5-6 read = 6", false},
		{"sum of none of the amounts", Counter, "a 1-? add 2\n a 1-? add 5\n b 3-4 add 1 = 1\n b 5-6 read = 4", true},

		{"list", List, "a 1-2 append x = [x]\n b 3-4 append y = 2\n b 5-6 read = [x y]", false},
		{"empty list", List, "a 1-2 read = []\n b 3-4 append y = 1", false},
		{"lost append", List, "a 1-2 append x = 1\n b 3-4 append y = [y]", true},
		{"another order", List, "a 1-5 append x = 1\n b 1-5 append y = 2\n b 6-7 read = [y x]", true},
		{"twice", List, "a 1-2 append x = 1\n b 3-4 read = [x x]", true},
		{"unknown append is seen", List, "a 1-? append x\n b 3-4 append y = 2\n b 5-6 read = [x y]", false},
		{"unknown append is seen and gone", List, "a 1-? append x\n b 3-4 read = [x]\n b 5-6 read = []", true},
		{"unknown append that a length tells", List, "a 1-2 append w = [w]\n a 3-? append x\n b 4-? append z\n b 5-6 append y = 3", false},
		{"length that none tells", List, "a 1-2 append w = [w]\n a 3-? append x\n b 5-6 append y = 4", true},
		{"unknown append that was tried again", List, "a 1-? append x\n a 3-4 append x = 1\n b 5-6 append y = 2\n b 7-8 read = [x y]\n b 9-10 read = [x y]", false},
		{"unknown append that was tried again and ran", List, "a 1-? append x\n a 3-4 append x = 2\n b 7-8 read = [x x]", false},
		{"unknown append that was tried again and ran thrice", List, "a 1-? append x\n a 3-4 append x = 2\n b 7-8 read = [x x x]", true},
		{"refused append is seen", List, "a 1-! append x\n b 3-4 read = [x]", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			operations := script(t, c.workload, c.text)
			calls, err := callsUntil(sorts[c.workload], operations, Never)
			if err != nil {
				t.Fatal(err)
			}
			if _, found, refuted := sorts[c.workload].look(sorts[c.workload].bound(calls)); found && c.bad || refuted && !c.bad {
				t.Errorf("a witness is there: %v, refuted: %v", found, refuted)
			}
			want := map[bool]string{true: "not linearizable"}[c.bad]
			expect(t, CheckLinearizable(with(Strict, operations), Options{Shorten: -1}), want, Failure)
			expect(t, CheckLinearizable(with(BestEffort, operations), Options{Shorten: -1}), want, Permitted)
			stored := with(BestEffort, operations)
			for kind := range stored.Plans[0].Modes {
				stored.Plans[0].Stored = map[string]bool{kind: true}
			}
			expect(t, CheckLinearizable(stored, Options{Shorten: -1}), want, Failure)
		})
	}
}

func TestLinearizableMalformed(t *testing.T) {
	for name, c := range map[string]struct{ workload, text, part string }{
		"no such operation":   {Register, "a 1-2 add 1 = 1", `no operation "add"`},
		"empty value":         {Register, "a 1-2 write", "not empty"},
		"sum that is no sum":  {Counter, "a 1-2 add 1 = x", "no whole number"},
		"amount":              {Counter, "a 1-? add x", "no whole number"},
		"counter has no list": {Counter, "a 1-2 append x = 1", "no operation"},
		"list has no write":   {List, "a 1-2 write x", "no operation"},
		"list without":        {List, "a 1-2 read = x", "is no list"},
		"value with bracket":  {List, "a 1-? append [x", "no value"},
	} {
		t.Run(name, func(t *testing.T) {
			r := CheckLinearizable(with(BestEffort, script(t, c.workload, c.text)), Options{})
			expect(t, r, "malformed operation", Failure)
			if len(r.Findings) == 1 && !strings.Contains(r.Findings[0].Text, c.part) {
				t.Errorf("text %q, want %q in it", r.Findings[0].Text, c.part)
			}
		})
	}
}

// TestUndecided gives porcupine what it cannot finish: many open writes of the same value, which nothing bounds.
func TestUndecided(t *testing.T) {
	var text strings.Builder
	for range 40 {
		text.WriteString("a 1-? write x\na 1-? write y\n")
	}
	text.WriteString("b 2-3 read = x\n b 4-5 read = z\n")
	for part, o := range map[string]Options{
		"longer than": {Timeout: time.Millisecond, Memory: 1 << 30},
		"more than":   {Timeout: time.Hour, Memory: 1 << 20},
	} {
		r := CheckLinearizable(with(BestEffort, script(t, Register, text.String())), o)
		expect(t, r, "not linearizable", Undecided)
		if !strings.Contains(r.Findings[0].Text, part) {
			t.Errorf("%q is not in %q", part, r.Findings[0].Text)
		}
		v := &Verdict{Reports: []Report{r}}
		if v.Passed() || v.Level() != Undecided {
			t.Errorf("the verdict is %v, want undecided", v.Level())
		}
	}
}
