package main

import (
	"testing"

	"github.com/granary-go/granary/bench/workload"
)

// Every case counts what arrives, so that one that passes on an inbox has lost nothing.
func TestCases(t *testing.T) {
	for name, inboxes := range map[string]func() inbox{
		"channel": func() inbox { return make(channel, depth) },
		"queue":   func() inbox { return newQueue() },
	} {
		for _, c := range workload.Cases {
			t.Run(name+"/"+c.Name, func(t *testing.T) {
				r, err := c.Run(peer{inboxes}, 500)
				if err != nil || r.Ops <= 0 || c.Value(r) <= 0 {
					t.Errorf("%+v, %v", r, err)
				}
			})
		}
	}
}
