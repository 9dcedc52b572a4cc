package history

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// counters hold a sum, zero at first.
var counters = sort{
	parse: func(c *call) (err error) {
		if c.Do != DoAdd && c.Do != DoRead {
			return fmt.Errorf("a counter has no operation %q", c.Do)
		}
		if c.Do == DoAdd {
			c.amount, err = number(c.Argument)
		}
		if err == nil && !c.open {
			c.sum, err = number(c.Result)
		}
		return err
	},
	bound:   boundCounter,
	without: withoutCounter,
	witness: witnessCounter,
	init:    func() any { return int64(0) },
	step: func(state any, c *call) (bool, any) {
		sum := as[int64](state) + c.amount
		return c.open || sum == c.sum, sum
	},
	equal: func(a, b any) bool { return a == b },
	show:  func(state any) string { return strconv.FormatInt(as[int64](state), 10) },
}

// boundCounter: where all amounts are the same and positive, a sum tells how many of the open adds had run. They differ only in
// their beginnings, so that without loss the one that began first ran first, and those that no sum needs have not run.
func boundCounter(calls []*call) []*call {
	amount := int64(0)
	var sums []int64 // of answered adds
	for _, c := range calls {
		if c.Do != DoAdd {
			continue
		}
		if amount == 0 {
			amount = c.amount
		}
		if c.amount != amount || c.amount <= 0 {
			return calls
		}
		if !c.open {
			sums = append(sums, c.sum)
		}
	}
	slices.Sort(sums)
	return boundAlike(calls, func(c *call) int64 {
		answered, _ := slices.BinarySearch(sums, c.sum+1)
		return c.sum/max(amount, 1) - int64(answered)
	})
}

// boundAlike bounds open calls that all have the same effect. Ran tells how many of them had run when an answered call had, by
// what it has seen.
func boundAlike(calls []*call, ran func(*call) int64) []*call {
	var by []time.Duration // by when the first, the second, … had run
	for _, c := range calls {
		if c.open {
			continue
		}
		for n := min(ran(c), int64(len(calls))); n > 0; n-- {
			for int64(len(by)) < n {
				by = append(by, Never)
			}
			if by[n-1] <= c.ret {
				break // and so have those before it
			}
			by[n-1] = c.ret
		}
	}
	kept := make([]*call, 0, len(calls))
	for _, c := range calls { // in order of Start
		if c.open {
			if len(by) == 0 {
				continue
			}
			bounded := *c
			bounded.ret = min(c.ret, max(by[0], c.Start))
			c, by = &bounded, by[1:]
		}
		kept = append(kept, c)
	}
	return kept
}

// madeOf gives the sum that each add has made, and how many adds claim each. An answered one knows its own. Where all amounts
// are the same, open ones have made the sums that are missing: those that began first the lowest.
func madeOf(calls []*call) (made map[*Operation]int64, same map[int64]int) {
	made, same = map[*Operation]int64{}, map[int64]int{}
	amount, alike, highest := int64(0), true, int64(0)
	var open []*call
	for _, c := range calls {
		if !c.open {
			highest = max(highest, c.sum)
		}
		if c.Do != DoAdd {
			continue
		}
		alike = alike && c.amount > 0 && (amount == 0 || c.amount == amount)
		if amount = c.amount; c.open {
			open = append(open, c)
			continue
		}
		made[c.Operation] = c.sum
		same[c.sum]++
	}
	if !alike {
		return made, same
	}
	for sum := amount; len(open) > 0; sum += amount {
		if same[sum] > 0 {
			continue
		} else if sum > highest {
			break
		}
		made[open[0].Operation], open = sum, open[1:]
	}
	return made, same
}

// withoutCounter takes adds out of the sums that hold them: those from the one that they have made on. An add whose sum another
// one claims as well stays, and so does one of which it is not known.
func withoutCounter(calls []*call, drop map[*Operation]bool) []*call {
	made, same := madeOf(calls)
	var left, gone []*call
	for _, c := range calls {
		sum, known := made[c.Operation]
		switch {
		case !drop[c.Operation], c.Do == DoAdd && (!known || same[sum] > 1):
			left = append(left, c)
		case c.Do == DoAdd:
			gone = append(gone, c)
		}
	}
	slices.SortFunc(gone, func(a, b *call) int { return cmp.Compare(made[a.Operation], made[b.Operation]) })
	sums, total := make([]int64, len(gone)), make([]int64, len(gone)+1)
	for i, g := range gone {
		sums[i], total[i+1] = made[g.Operation], total[i]+g.amount
	}
	for i, c := range left {
		if n, _ := slices.BinarySearch(sums, c.sum+1); !c.open && n > 0 {
			shifted := *c
			shifted.sum -= total[n]
			left[i] = &shifted
		}
	}
	return left
}
