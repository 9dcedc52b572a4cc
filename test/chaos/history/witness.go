package history

import (
	"cmp"
	"slices"
	"time"
)

// A witness is an order of all calls in which every answer is right. Unique values tell most of it, so that it is found, or
// found not to be there, without a search: a hundred clients of one identity cost no more than one. Porcupine has the last word:
// it is given the witness to verify, or without one the history itself (linear.go).

// place puts calls, in the order of a witness, on moments within their intervals, and takes their steps. It reports whether both
// could be done.
func (s *sort) place(order []*call) bool {
	at, state := time.Duration(-1), s.init()
	for _, c := range order {
		if at = max(at, c.Start); at > c.ret {
			return false
		}
		ok, next := s.step(state, c)
		if !ok {
			return false
		}
		state = next
	}
	return true
}

// bySum gives the calls that have seen a sum or a length, in its order: what has made it before what has read it.
func bySum(calls []*call, makes string) []*call {
	var all []*call
	for _, c := range calls {
		if !c.open {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b *call) int {
		return cmp.Or(cmp.Compare(a.sum, b.sum), -cmp.Compare(btoi(a.Do == makes), btoi(b.Do == makes)), cmp.Compare(a.Start, b.Start))
	})
	return all
}

func btoi(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// witnessCounter: amounts are positive, so that sums have one order; where one is missing, the open add that began first has
// made it. It cannot tell which one, if there are several amounts.
func witnessCounter(calls []*call) (order []*call, exact bool) {
	amount, alike := int64(0), true
	var open []*call // in order of Start
	for _, c := range calls {
		if c.Do != DoAdd {
			continue
		}
		if c.amount <= 0 {
			return nil, false
		}
		alike = alike && (amount == 0 || c.amount == amount)
		if amount = c.amount; c.open {
			open = append(open, c)
		}
	}
	sum := int64(0)
	for _, c := range bySum(calls, DoAdd) {
		for sum < c.sum-c.amount && len(open) > 0 {
			if !alike {
				return nil, false
			}
			order, open, sum = append(order, open[0]), open[1:], sum+open[0].amount
		}
		order, sum = append(order, c), sum+c.amount
	}
	return append(order, open...), true
}

// witnessList: what made each length is the append that was answered with it, or has its place in the longest list; behind that,
// the open one that began first.
func witnessList(calls []*call) (order []*call, exact bool) {
	listed := longest(calls).values()
	left := map[string]*call{} // appends that have no place yet
	for _, c := range calls {
		if c.Do == DoAppend && left[c.value] != nil {
			return nil, false
		} else if c.Do == DoAppend {
			left[c.value] = c
		}
	}
	put := func(c *call) {
		order = append(order, c)
		delete(left, c.value)
	}
	rest := unlisted(calls, listed)
	length := int64(0)
	for _, c := range bySum(calls, DoAppend) {
		for ; length < c.sum-btoi(c.Do == DoAppend); length++ {
			var next *call
			if length < int64(len(listed)) {
				next = left[listed[length]]
			} else if len(rest) > 0 {
				next, rest = rest[0], rest[1:]
			}
			if next == nil || !next.open {
				return nil, true
			}
			put(next)
		}
		if c.Do == DoRead {
			order = append(order, c)
			continue
		}
		put(c)
		length++
	}
	for _, c := range calls {
		if c.open && left[c.value] == c {
			order = append(order, c)
		}
	}
	return order, true
}

// unlisted gives the open appends that are not in a list, in order of Start.
func unlisted(calls []*call, list []string) []*call {
	there := map[string]bool{}
	for _, value := range list {
		there[value] = true
	}
	var all []*call
	for _, c := range calls {
		if c.open && !there[c.value] {
			all = append(all, c)
		}
	}
	return all
}
