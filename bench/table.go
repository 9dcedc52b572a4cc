package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/granary-go/granary/bench/workload"
)

// cell is what a peer has measured in a case, round by round; 0 where it failed.
type cell struct {
	values   []float64
	allocs   []float64
	worst    []float64
	errors   int // the most of a round
	failures []error
}

type results struct{ cells map[[2]string]*cell }

func newResults() *results { return &results{map[[2]string]*cell{}} }

func (r *results) at(c workload.Case, p peer) *cell {
	at := [2]string{c.Name, p.name}
	if r.cells[at] == nil {
		r.cells[at] = &cell{}
	}
	return r.cells[at]
}

func (r *results) add(c workload.Case, p peer, measured workload.Result, err error) {
	here := r.at(c, p)
	if err != nil {
		here.failures = append(here.failures, err)
		here.values = append(here.values, 0)
		return
	}
	here.values = append(here.values, c.Value(measured))
	here.allocs = append(here.allocs, measured.Allocations)
	here.worst = append(here.worst, measured.Worst)
	here.errors = max(here.errors, measured.Errors)
}

// median leaves the failed rounds out; ok is false if all have failed.
func (c *cell) median() (value float64, ok bool) {
	good := slices.DeleteFunc(slices.Clone(c.values), func(v float64) bool { return v == 0 })
	if len(good) == 0 {
		return 0, false
	}
	return middle(good), true
}

func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// ratios compares two peers round by round.
func (r *results) ratios(c workload.Case, a, b peer) []float64 {
	var all []float64
	x, y := r.at(c, a).values, r.at(c, b).values
	for i := range min(len(x), len(y)) {
		if x[i] > 0 && y[i] > 0 {
			all = append(all, c.Better(x[i], y[i]))
		}
	}
	return all
}

// table is Markdown: a line for each case.
func (r *results) table(cases []workload.Case, chosen []peer) string {
	var b strings.Builder
	b.WriteString("| case |")
	for _, p := range chosen {
		fmt.Fprintf(&b, " %s |", p.name)
	}
	b.WriteString(" to the best library | to the best by hand |\n|---|" + strings.Repeat("---|", len(chosen)+2) + "\n")
	for _, c := range cases {
		fmt.Fprintf(&b, "| %s |", c.Title)
		for _, p := range chosen {
			fmt.Fprintf(&b, " %s |", r.figure(c, p))
		}
		fmt.Fprintf(&b, " %s | %s |\n", r.against(c, chosen, rival), r.against(c, chosen, floor))
	}
	return b.String()
}

func (r *results) figure(c workload.Case, p peer) string {
	here := r.at(c, p)
	value, ok := here.median()
	if !ok {
		if len(here.failures) == 0 {
			return "–"
		}
		return "failed: " + here.failures[0].Error()
	}
	text := quantity(c, value)
	if c.Unit == workload.Latency {
		text += fmt.Sprintf(" (99 %%: %s)", quantity(c, middle(here.worst)))
	}
	if c.Unit == workload.Outage {
		text += fmt.Sprintf(", %d errors, longest call %s", here.errors, quantity(c, middle(here.worst)))
	} else if c.Unit != workload.Heap {
		text += fmt.Sprintf(", %.1f allocs", middle(here.allocs))
	}
	if n := len(here.failures); n > 0 {
		text += fmt.Sprintf(", failed in %d of %d: %v", n, len(here.values), here.failures[0])
	}
	return text
}

func quantity(c workload.Case, v float64) string {
	switch {
	case c.Unit == workload.Latency:
		return fmt.Sprintf("%.2f µs", v*1e6)
	case c.Unit == workload.Outage:
		return fmt.Sprintf("%.2f s", v)
	case c.Unit == workload.Heap:
		return fmt.Sprintf("%.0f B", v)
	case v >= 1e6:
		return fmt.Sprintf("%.2f M/s", v/1e6)
	default:
		return fmt.Sprintf("%.1f k/s", v/1e3)
	}
}

// against compares ours with the best of a kind.
func (r *results) against(c workload.Case, chosen []peer, k kind) string {
	var us, best *peer
	record := 0.0
	for _, p := range chosen {
		if p.kind == ours {
			us = &p
		}
		if p.kind != k {
			continue
		}
		if value, ok := r.at(c, p).median(); ok && (best == nil || c.Better(value, record) > 1) {
			best, record = &p, value
		}
	}
	if us == nil || best == nil {
		return "–"
	}
	all := r.ratios(c, *us, *best)
	if len(all) == 0 {
		return "–"
	}
	return fmt.Sprintf("**%.2f** × %s (%.2f–%.2f)", middle(all), best.name, slices.Min(all), slices.Max(all))
}

func outcome(c workload.Case, r workload.Result, err error) string {
	if err != nil {
		return "failed: " + err.Error()
	}
	return quantity(c, c.Value(r))
}

// replace replaces what stands between two lines of a file.
func replace(file, begin, end, table string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(text), begin)
	_, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		return fmt.Errorf("%s has no lines %q and %q, between which the table goes", file, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return os.WriteFile(file, []byte(before+begin+table+end+after), 0o644) //nolint:gosec // a document
}
