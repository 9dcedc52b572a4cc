package history

import (
	"strings"
	"testing"
)

// turns makes turns of K/a, one each line: member, token, begin-end, and perhaps "sent" with a moment. They are recorded by the
// process of the member's name.
func turns(t testing.TB, text string) []*Turn {
	t.Helper()
	var all []*Turn
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		token, err := ParseToken(f[1])
		if err != nil {
			t.Fatal(err)
		}
		turn := &Turn{By: f[0], Kind: "K", Identity: "a", Member: f[0], Token: token, End: Never}
		begin, end, _ := strings.Cut(f[2], "-")
		if turn.Begin = at(t, begin); end != "?" {
			turn.End = at(t, end)
		}
		if len(f) > 3 {
			turn.Sent = at(t, strings.TrimPrefix(f[3], "sent"))
		}
		all = append(all, turn)
	}
	by(all, func(t *Turn) int64 { return int64(t.Begin) })
	return all
}

func TestActivations(t *testing.T) {
	for _, c := range []struct {
		name, text string
		pause      string // of m, begin-end
		rule       string
		judged     bool // in each mode
		count      string
	}{
		{"one after the other", "m 1.1 1-2\nm 1.1 3-4\nn 1.2 5-6", "", "", false, ""},
		{"overlap", "m 1.1 1-2\nn 1.2 3-4\nm 1.1 5-6", "", "overlap", false, "overlaps, K (%)"},
		{"overlap of the third with the first", "m 1.1 1-2\nn 1.2 8-9\no 1.3 3-4\nm 1.1 5-6", "", "overlap", false, "overlaps, K (%)"},
		{"outlived", "m 1.1 1-6\nn 1.2 3-4", "", "", false, "outlived, K (%)"},
		{"killed in a turn", "m 1.1 1-?\nn 1.2 3-4", "", "", false, ""},
		{"at once after a pause", "m 1.1 1-2\nn 1.2 5-6\nm 1.1 9-10", "3-8", "", false, "turns in doubt, K (%)"},
		{"the second after a pause", "m 1.1 1-2\nn 1.2 5-6\nm 1.1 9-10\nm 1.1 11-12", "3-8", "overlap", false, "overlaps, K (%)"},
		{"sent after the pause had begun", "m 1.1 1-2\nn 1.2 5-6\nm 1.1 9-10 sent4", "3-8", "overlap", false, "overlaps, K (%)"},
		{"sent before the pause had begun", "m 1.1 1-2\nn 1.2 5-6\nm 1.1 9-10 sent2", "3-8", "", false, "turns in doubt, K (%)"},
		{"another is paused", "n 1.1 1-2\nm 1.2 5-6\nn 1.1 9-10", "3-8", "overlap", false, "overlaps, K (%)"},
		{"two turns at one time", "m 1.1 1-5\nm 1.1 3-4", "", "two turns at one time", true, ""},
		{"two turns at one time, apart", "m 1.1 1-9\nm 1.1 10-11\nm 1.1 10-12", "", "two turns at one time", true, ""},
		{"shared token", "m 1.1 1-2\nn 1.1 3-4", "", "shared token", true, ""},
		{"no token", "m - 1-2", "", "no token", true, ""},
	} {
		for _, mode := range []Mode{Lease, Strict, BestEffort} {
			t.Run(c.name+", "+string(mode), func(t *testing.T) {
				h := with(mode, nil)
				h.Turns = turns(t, c.text)
				if begin, end, ok := strings.Cut(c.pause, "-"); ok {
					h.Faults = []*Fault{{Kind: Pause, Targets: []string{"m"}, Begin: at(t, begin), End: at(t, end)}}
				}
				level := Failure
				if mode == BestEffort && !c.judged {
					level = Permitted
				}
				r := CheckActivations(h, Options{})
				expect(t, r, c.rule, level)
				if name := strings.ReplaceAll(c.count, "%", string(mode)); name != "" && r.Counted(name) == 0 {
					t.Errorf("%q is not among %v", name, r.Counts)
				}
			})
		}
	}
}

// TestOverlapsAreCounted: each turn is compared with the first of all successors, and with the longest that goes on.
func TestOverlapsAreCounted(t *testing.T) {
	h := with(Lease, nil)
	h.Turns = turns(t, "m 1.1 1-2\nn 1.2 8-9\no 1.3 3-4\nm 1.1 5-6")
	if r := CheckActivations(h, Options{}); r.Counted("overlaps, K (lease)") != 2 || len(r.Findings) != 2 {
		t.Errorf("%+v, want two overlaps", r)
	}
	h.Turns = turns(t, "m 1.1 1-9\nm 1.1 2-3\nm 1.1 5-6")
	if r := CheckActivations(h, Options{}); len(r.Findings) != 2 {
		t.Errorf("%+v, want two turns beside the first", r)
	}
}

func TestSharedTokenOfActivations(t *testing.T) {
	h := with(Lease, nil)
	a := func(member string, seq uint64) *Activation {
		return &Activation{Kind: "K", Identity: "a", Member: member, Token: Token{1, seq}}
	}
	h.Activations = []*Activation{a("m", 1), a("m", 1), a("n", 2)} // the second is a restart
	expect(t, CheckActivations(h, Options{}), "", Failure)
	h.Activations = append(h.Activations, a("m", 2))
	expect(t, CheckActivations(h, Options{}), "shared token", Failure)
}

func TestTokens(t *testing.T) {
	for name, c := range map[string]struct{ text, rule string }{
		"forward":               {"a 1-2 read @1.1\n b 3-4 read @1.2\n a 5-6 read @1.2", ""},
		"back":                  {"a 1-2 read @1.2\n b 3-4 read @1.1", "token went back"},
		"back in term":          {"a 1-2 read @2.1\n b 3-4 read @1.9", "token went back"},
		"back at the same time": {"a 1-3 read @1.2\n b 2-4 read @1.1", ""},
		"back, touching":        {"a 1-3 read @1.2\n b 3-4 read @1.1", ""},
		"back, far behind":      {"a 1-9 read @1.1\n b 2-3 read @1.2\n c 4-5 read @1.3\n d 10-11 read @1.2", "token went back"},
		"unknown":               {"a 1-2 read @1.2\n b 3-? read @1.1", ""},
		"without":               {"a 1-2 read @1.2\n b 3-4 read", ""},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, CheckTokens(with(Strict, script(t, "any", c.text)), Options{}), c.rule, Failure)
			expect(t, CheckTokens(with(BestEffort, script(t, "any", c.text)), Options{}), c.rule, Permitted)
		})
	}
}
