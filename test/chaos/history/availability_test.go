package history

import (
	"fmt"
	"testing"
	"time"
)

func TestOutage(t *testing.T) {
	for name, c := range map[string]struct {
		text     string
		from, to int
	}{
		"served":                      {"a 1-2 read\n a 100-103 read\n a 200-201 read", 100, 103},
		"nobody calls":                {"a 1-2 read\n a 100-101 read", 1, 2},
		"failed calls before it":      {"a 1-2 read\n a 10-! read\n b 50-90 read", 10, 90},
		"answers to others":           {"a 1-20 read\n b 2-10 read\n c 3-15 read", 1, 10},
		"one waits between answers":   {"a 1-30 read\n b 2-3 read\n c 25-26 read", 3, 26},
		"never served again":          {"a 1-2 read\n a 10-? read\n b 11-! read", 10, 300},
		"unheard, and others go on":   {"a 1-? read\n b 2-3 read\n b 30-31 read", 1, 3},
		"begins as another is served": {"a 1-4 read\n b 4-9 read", 4, 9},
	} {
		t.Run(name, func(t *testing.T) {
			operations := script(t, "any", c.text)
			for _, op := range operations {
				if op.Outcome == Refused {
					op.End = op.Start + 29*time.Millisecond
				}
			}
			got := longestOutage(grain{"K", "a"}, operations, 300*time.Millisecond)
			if from, to := got.From.Milliseconds(), got.To.Milliseconds(); int(from) != c.from || int(to) != c.to {
				t.Errorf("from %d to %d, want from %d to %d", from, to, c.from, c.to)
			}
		})
	}
}

func TestAvailable(t *testing.T) {
	operations := script(t, Register, "a 1-9 read\n a 10-! read\n a 11-! read\n a 12-? read")
	for i, op := range operations {
		if op.Outcome != OK {
			op.Error = fmt.Sprintf("cluster: call K/a-%d: the connection to 10.0.0.%d:8080 was lost", i, i)
		}
	}
	a := Available(with(Lease, operations))
	if a.Answered != 1 || a.Failed != 3 || len(a.Worst) != 1 || len(a.Causes) != 2 {
		t.Fatalf("%+v", a)
	}
	if c := a.Causes[0]; c.Value != 2 || c.Name != "refused: cluster: call ‹grain›: the connection to ‹address› was lost" {
		t.Errorf("first cause %+v", c)
	}
	if a.Worst[0].Kind != "K" || a.Worst[0].Identity != "a" {
		t.Errorf("worst %+v", a.Worst)
	}
}

func TestCause(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "nothing was heard of it",
		"remote: dial [::1]:80": "remote: dial ‹address›",
		"remote: the connection to 127.0.0.1:42001 was lost before the message arrived: EOF": "remote: the connection to ‹address› was lost before the message arrived: EOF",
		"cluster: call Counter/c-17: no answer within 2.5s, on 3BXYQF3R4GAR5WGC":             "cluster: call ‹grain›: no answer within ‹time›, on ‹id›",
		"Counter/c@M:1a2.0000000000000003 is gone":                                           "‹grain› is gone",
		"fenced: token 000001a213d39ef5.0000000000000001":                                    "fenced: token ‹token›",
		"took 1m30s, 250ms and 17 tries of \"x y\"":                                          "took ‹time›, ‹time› and ‹n› tries of ‹text›",
		"dial tcp node-1.internal:8080: connect: connection refused":                         "dial tcp ‹address›: connect: connection refused",
	} {
		if got := Cause(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
