package main

import (
	"os"
	"slices"
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

// Every case counts what arrives, so that a link that passes has lost nothing.
func TestCases(t *testing.T) {
	for _, c := range pair.Cases {
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
