package bubble_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/clustertest/bubble"
)

// broken are tests that use the kit wrongly, or have a fault, and what they must fail with.
var broken = map[string]struct {
	test func(t *testing.T)
	want string
}{
	"no members":          {inBubble(bubble.Options{Member: bank().Member}, nil), "Options.Members is 0; it must be from 1 to 100"},
	"too many members":    {inBubble(bubble.Options{Members: 101, Member: bank().Member}, nil), "Options.Members is 101"},
	"no kinds":            {inBubble(bubble.Options{Members: 1}, nil), "Options.Member is nil; it must give the kinds"},
	"a member that fails": {inBubble(bubble.Options{Members: 1, Member: badOptions}, nil), "member 0 does not start"},
	"no such member":      {inBubble(bank(), func(c *bubble.Cluster) { c.Kill(3) }), "there is no member 3; there have been 3, from 0 on"},
	"killed twice": {inBubble(bank(), func(c *bubble.Cluster) {
		c.Kill(1)
		c.Kill(1)
	}), "member 1 was killed before"},
	"cut off the dead": {inBubble(bank(), func(c *bubble.Cluster) {
		c.Kill(1)
		c.Cut(0, 1)
	}), "member 1 was killed before"},
	"a negative delay":       {inBubble(bank(), func(c *bubble.Cluster) { c.Slow(0, 1, -time.Second) }), "cannot be slower by -1s; it must be from 0 to 1m0s"},
	"a goroutine that stays": {inBubble(bank(), func(*bubble.Cluster) { go func() { select {} }() }), "deadlock: main bubble goroutine has exited but blocked goroutines remain"},
	"no scenario":            {func(t *testing.T) { bubble.Scenarios(t, 0, 1, sound()) }, "0 scenarios with 5 faults"},
	"too many faults":        {func(t *testing.T) { bubble.Scenarios(t, 1, 1, bubble.Plan{Faults: 101, New: sound().New}) }, "with 101 faults"},
	"no plan":                {func(t *testing.T) { bubble.Scenarios(t, 1, 1, bubble.Plan{}) }, "New is nil: true"},
	"no work": {func(t *testing.T) {
		bubble.Scenarios(t, 1, 1, bubble.Plan{New: func() bubble.Workload { return bubble.Workload{Options: bank()} }})
	}, "Workload.Work is nil"},
	"a count that is none": {func(t *testing.T) {
		t.Setenv(bubble.CountVariable, "many")
		bubble.Scenarios(t, 1, 1, sound())
	}, `GRANARY_TEST_COUNT is "many"; it must be a number of scenarios`},
	"a seed that is none": {func(t *testing.T) {
		t.Setenv(bubble.SeedVariable, "-1")
		bubble.Scenarios(t, 1, 1, sound())
	}, `GRANARY_TEST_SEED is "-1"; it must be a seed, a number`},
	"work that fails": {func(t *testing.T) {
		t.Setenv(bubble.SeedVariable, "42")
		bubble.Scenarios(t, 7, 1, bubble.Plan{Faults: 1, New: func() bubble.Workload {
			return bubble.Workload{Options: bank(), Work: func(context.Context, *bubble.Cluster) error { return errors.New("the till is short") }}
		}})
	}, "the scenario of seed 42 failed: the till is short"},
}

func inBubble(o bubble.Options, f func(c *bubble.Cluster)) func(t *testing.T) {
	return func(t *testing.T) {
		bubble.Run(t, o, func(_ *testing.T, c *bubble.Cluster) {
			if f != nil {
				f(c)
			}
		})
	}
}

func badOptions(int) []cluster.Option {
	store := clustertest.NewFencedStore()
	return []cluster.Option{account(store), account(store)}
}

const chosen = "GRANARY_BUBBLE_BROKEN"

// TestBroken is run by TestNonsense, in a process of its own.
func TestBroken(t *testing.T) {
	if test, ok := broken[os.Getenv(chosen)]; ok {
		test.test(t)
	}
}

func TestNonsense(t *testing.T) {
	for name, test := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestBroken$")
			cmd.Env = append(os.Environ(), chosen+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || ctx.Err() != nil || !strings.Contains(string(out), test.want) {
				t.Errorf("ends with %v; want a failure with %q:\n%s", err, test.want, out)
			}
		})
	}
}
