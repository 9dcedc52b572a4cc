package drivertest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/granary-go/granary/cluster/driver"
)

// longest is how many lines of a trace are told.
const longest = 300

// found gives what a case found, and behind it what the processes saw.
func (tr *providerTrial) found() []error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if len(tr.errs) == 0 {
		return nil
	}
	lines, left := tr.trace, ""
	if n := len(lines) - longest; n > 0 {
		lines, left = lines[n:], fmt.Sprintf("\n(%d lines before)", n)
	}
	return append(slices.Clone(tr.errs), fmt.Errorf("what happened:%s\n%s", left, strings.Join(lines, "\n")))
}

// describeView gives a view in one line.
func describeView(v driver.View) string {
	members := make([]string, 0, len(v.Members))
	for _, m := range v.Members {
		text := short(m.ID)
		if m.State != driver.Active {
			text += " " + m.State.String()
		}
		members = append(members, text)
	}
	return fmt.Sprintf("view %d from %d of %.4s: %s", v.Epoch, v.Previous, v.Incarnation, strings.Join(members, ", "))
}

// verify checks the views of a case as a whole.
func (tr *providerTrial) verify() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	fail := func(format string, args ...any) { tr.errs = append(tr.errs, fmt.Errorf(format, args...)) }
	epochs := slices.Sorted(maps.Keys(tr.views))
	incarnations := make(map[string]bool)
	gone := make(map[driver.MemberID]uint64)
	var last driver.View
	for _, epoch := range epochs {
		v := tr.views[epoch]
		if incarnations[v.Incarnation] && v.Incarnation != last.Incarnation {
			fail("view %d is of incarnation %q again, after %q", epoch, v.Incarnation, last.Incarnation)
		}
		incarnations[v.Incarnation] = true
		tr.follows(v, last, fail)
		for _, m := range v.Members {
			if since, out := gone[m.ID]; out {
				fail("%s is in view %d, and was not in view %d after it had been in an older one", short(m.ID), epoch, since)
			}
		}
		for _, m := range last.Members {
			if _, in := v.Member(m.ID); !in {
				gone[m.ID] = epoch
			}
		}
		last = v
	}
	if len(incarnations) > tr.incarnations {
		fail("there are %d incarnations; want at most %d", len(incarnations), tr.incarnations)
	}
}

// follows checks a view against the one that is known before it.
func (tr *providerTrial) follows(v, last driver.View, fail func(string, ...any)) {
	switch {
	case v.Previous >= v.Epoch:
		fail("view %d was made from %d", v.Epoch, v.Previous)
	case v.Incarnation != last.Incarnation:
		return
	case v.Previous == 0 && !tr.splits:
		fail("view %d was made from 0, and there is %d: with leases a cluster does not split, so that no view unites two sides", v.Epoch, last.Epoch)
	case v.Previous < last.Epoch && v.Previous != 0:
		fail("view %d was made from %d, and there is %d", v.Epoch, v.Previous, last.Epoch)
	}
	// Who stays keeps the order, and whoever comes is behind them.
	var stay []driver.MemberID
	for _, m := range last.Members {
		if _, in := v.Member(m.ID); in {
			stay = append(stay, m.ID)
		}
	}
	for i, id := range stay {
		if v.Members[i].ID != id {
			fail("in view %d the members are not in order of seniority: %s, after %s", v.Epoch, describeView(v), describeView(last))
			return
		}
	}
}
