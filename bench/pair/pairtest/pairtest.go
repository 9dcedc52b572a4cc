// Package pairtest tests a peer of package pair: that each case runs, in two processes, and loses nothing.
package pairtest

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/granary-go/granary/bench/pair"
)

// Main is TestMain of a peer's program: the other process of a case is this program, too, and then does what its main does.
func Main(m *testing.M, main func()) {
	if slices.Contains(os.Args, "-serve") {
		main()
		return
	}
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // of the other processes: they end often
	os.Exit(m.Run())
}

// Cases runs the cases whose names begin with a prefix. Each counts what arrives, so that a link that passes has lost nothing.
func Cases(t *testing.T, prefix string, newPeer func() pair.Peer) {
	t.Helper()
	for _, c := range pair.Cases {
		if !strings.HasPrefix(c.Name, prefix) {
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
