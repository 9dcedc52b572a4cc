package main

import (
	"fmt"
	"strings"

	"github.com/granary-go/granary/bench/pair"
	"github.com/granary-go/granary/bench/trio"
	"github.com/granary-go/granary/bench/workload"
)

// A comparison is one table: cases, and the peers that run them.
type comparison struct {
	name  string
	cases []workload.Case
	peers []peer
	// begins and ends are the lines of a file between which the table goes.
	begins, ends string
}

var comparisons = []comparison{
	{"actor", workload.Cases, []peer{
		{"granary", ours, "peer/granary", nil, ""},
		{"protoactor", rival, "peer/protoactor", nil, ""},
		{"hollywood", rival, "peer/hollywood", nil, ""},
		{"goakt", rival, "peer/goakt", nil, ""},
		{"channel", floor, "peer/floor", []string{"channel"}, ""},
		{"queue", floor, "peer/floor", []string{"queue"}, ""},
	}, "<!-- make bench begins -->\n", "<!-- make bench ends -->\n"},
	{"remote", pairCases(), []peer{
		{"granary", ours, "peer/granary/remote", nil, ""},
		{"protoactor", rival, "peer/protoactor/remote", nil, ""},
		{"hollywood", rival, "peer/hollywood/remote", nil, ""},
		{"goakt", rival, "peer/goakt/remote", nil, ""},
		{"tcp", floor, "peer/floor/tcp", nil, ""},
		{"stream", floor, "peer/grpc/stream", nil, ""},
		{"unary", floor, "peer/grpc/unary", nil, "ask"},
	}, "<!-- make bench remote begins -->\n", "<!-- make bench remote ends -->\n"},
	{"cluster", trioCases(), []peer{
		{"granary", ours, "peer/granary/cluster", nil, ""},
		{"protoactor", rival, "peer/protoactor/cluster", nil, ""},
		{"goakt", rival, "peer/goakt/cluster", nil, ""},
	}, "<!-- make bench cluster begins -->\n", "<!-- make bench cluster ends -->\n"},
}

func pairCases() (cases []workload.Case) {
	for _, c := range pair.Cases {
		cases = append(cases, c.Case)
	}
	return cases
}

func trioCases() (cases []workload.Case) {
	for _, c := range trio.Cases {
		cases = append(cases, c.Case)
	}
	return cases
}

// comparisonsOf gives those of the names, each with the cases and the peers of other names; all where there are none.
func comparisonsOf(names, cases, peers string) ([]comparison, error) {
	chosen, err := choose("table", names, comparisons, func(c comparison) string { return c.name })
	if err != nil {
		return nil, err
	}
	var allCases []workload.Case
	var allPeers []peer
	for _, c := range chosen {
		allCases, allPeers = append(allCases, c.cases...), append(allPeers, c.peers...)
	}
	nameOfCase, nameOfPeer := func(c workload.Case) string { return c.Name }, func(p peer) string { return p.name }
	if _, err := choose("case", cases, allCases, nameOfCase); err != nil {
		return nil, err
	}
	if _, err := choose("peer", peers, allPeers, nameOfPeer); err != nil {
		return nil, err
	}
	var found []comparison
	for _, c := range chosen { // one that has none of them is left out
		c.cases, _ = choose("case", cases, c.cases, nameOfCase)
		c.peers, _ = choose("peer", peers, c.peers, nameOfPeer)
		if len(c.cases) > 0 && len(c.peers) > 0 {
			found = append(found, c)
		}
	}
	return found, nil
}

// choose gives those of all whose names stand in a list with commas, in its order; all if it is empty. The error says which there is none of.
func choose[T any](what, names string, all []T, name func(T) string) (chosen []T, err error) {
	if names == "" {
		return all, nil
	}
	for wanted := range strings.SplitSeq(names, ",") {
		before := len(chosen)
		for _, one := range all {
			if name(one) == wanted {
				chosen = append(chosen, one)
			}
		}
		if len(chosen) == before {
			err = fmt.Errorf("there is no %s %q", what, wanted)
		}
	}
	return chosen, err
}
