package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/granary-go/granary/bench/pair"
)

// The other process of a case is this program, too.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-serve") {
		main()
		return
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // of the other processes: they end often
	os.Exit(m.Run())
}

// A call answers what was asked.
func TestCases(t *testing.T) {
	for _, c := range pair.Cases {
		if !strings.HasPrefix(c.Name, "ask") {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			p := newPeer()
			defer p.Close()
			r, err := c.Run(p, 3000)
			if err != nil || r.Ops > 3000 || r.Ops < 2000 || c.Value(r) <= 0 || r.Allocations <= 0 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}
