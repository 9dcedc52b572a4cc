package history

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"
)

// ListText writes a list as the result of an operation: values in brackets, with spaces between. No value may hold any of these.
func ListText(values ...string) string { return "[" + strings.Join(values, " ") + "]" }

// chain is a list that shares its beginning with others. Two are the same if length and hash are: one of 2⁶⁴ wrong answers.
type chain struct {
	before *chain
	value  string
	length int64
	hash   uint64
}

var (
	seed  = maphash.MakeSeed()
	empty = &chain{}
)

func (c *chain) append(value string) *chain {
	h := maphash.Comparable(seed, struct {
		before uint64
		value  string
	}{c.hash, value})
	return &chain{before: c, value: value, length: c.length + 1, hash: h}
}

func (c *chain) values() []string {
	all := make([]string, c.length)
	for ; c.length > 0; c = c.before {
		all[c.length-1] = c.value
	}
	return all
}

// lists hold what was appended, in its order.
var lists = sort{
	parse:   parseList,
	bound:   boundList,
	without: withoutList,
	witness: witnessList,
	init:    func() any { return empty },
	step: func(state any, c *call) (bool, any) {
		list := as[*chain](state)
		if c.Do == DoAppend {
			list = list.append(c.value)
		}
		switch {
		case c.open:
			return true, list
		case c.list == nil:
			return list.length == c.sum, list
		}
		return list.length == c.list.length && list.hash == c.list.hash, list
	},
	equal: func(a, b any) bool {
		x, y := as[*chain](a), as[*chain](b)
		return x.length == y.length && x.hash == y.hash
	},
	show: func(state any) string { return shortened(ListText(as[*chain](state).values()...)) },
}

func parseList(c *call) (err error) {
	c.value = c.Argument
	switch {
	case c.Do != DoAppend && c.Do != DoRead:
		return fmt.Errorf("a list has no operation %q", c.Do)
	case c.Do == DoAppend && (c.value == "" || strings.ContainsAny(c.value, "[] \t\r\n")):
		return fmt.Errorf("%q can be no value of a list: it is empty, or has a space or a bracket", c.value)
	case c.open:
		return nil
	case strings.HasPrefix(c.Result, "[") && strings.HasSuffix(c.Result, "]"):
		c.list = empty
		for value := range strings.FieldsSeq(c.Result[1 : len(c.Result)-1]) {
			c.list = c.list.append(value)
		}
		c.sum = c.list.length
		return nil
	case c.Do == DoRead:
		return fmt.Errorf("%q is no list: write [a b c]", c.Result)
	}
	c.sum, err = number(c.Result)
	return err
}

// longest gives the longest list that a call has seen.
func longest(calls []*call) *chain {
	most := empty
	for _, c := range calls {
		if c.list != nil && c.list.length > most.length {
			most = c.list
		}
	}
	return most
}

// boundList: an open append whose value was seen in a list had run before that was answered. Of the others, which have their
// places behind the longest list if they have any, only lengths may tell; to these they are all alike.
func boundList(calls []*call) []*call {
	most := longest(calls)
	by := map[string]time.Duration{}
	for _, c := range calls {
		for l := c.list; l != nil && l.length > 0; l = l.before {
			if at, ok := by[l.value]; ok && at <= c.ret {
				continue
			}
			by[l.value] = c.ret
		}
	}
	var behind []int64 // lengths that answered appends tell which are not in the longest list
	for _, c := range calls {
		if _, listed := by[c.value]; c.Do == DoAppend && !c.open && !listed {
			behind = append(behind, c.sum)
		}
	}
	slices.Sort(behind)
	_, several := writersOf(calls)
	var seen, rest []*call
	for _, c := range calls {
		at, listed := by[c.value]
		if c.open && several[c.value] { // what was seen may be another's: nothing bounds it
			seen = append(seen, c)
			continue
		}
		if c.open && listed {
			bounded := *c
			bounded.ret = min(c.ret, max(at, c.Start))
			seen = append(seen, &bounded)
			continue
		}
		rest = append(rest, c)
	}
	rest = boundAlike(rest, func(c *call) int64 {
		if c.sum <= most.length {
			return 0
		}
		answered, _ := slices.BinarySearch(behind, c.sum+1)
		return c.sum - most.length - int64(answered)
	})
	all := slices.Concat(rest, seen)
	slices.SortStableFunc(all, func(a, b *call) int { return int(min(max(a.Start-b.Start, -1), 1)) })
	return all
}

// placesOf gives the place of each value, and how many claim each place. An answered append knows its own; that of another one
// follows from the values before it in the longest list: not from its length alone, which may be what is wrong.
func placesOf(calls []*call) (place map[string]int64, same map[int64]int) {
	place, same = map[string]int64{}, map[int64]int{}
	for _, c := range calls {
		if c.Do == DoAppend && !c.open {
			place[c.value] = c.sum
			same[c.sum]++
		}
	}
	at := int64(0)
	for _, value := range longest(calls).values() {
		if claimed, ok := place[value]; ok {
			at = claimed
			continue
		}
		at++
		place[value] = at
		same[at]++
	}
	return place, same
}

// withoutList takes values out of the lists that hold them, and out of the lengths from their places on. An append whose place
// is not known, or which another one claims as well, stays.
func withoutList(calls []*call, drop map[*Operation]bool) []*call {
	place, same := placesOf(calls)
	var left []*call
	gone := map[string]bool{}
	var places []int64
	for _, c := range calls {
		at, known := place[c.value]
		switch {
		case !drop[c.Operation], c.Do == DoAppend && (!known || same[at] > 1):
			left = append(left, c)
		case c.Do == DoAppend:
			gone[c.value] = true
			places = append(places, at)
		}
	}
	slices.Sort(places)
	for i, c := range left {
		if c.open {
			continue
		}
		shifted := *c
		if c.list != nil {
			shifted.list = c.list.without(gone)
			shifted.sum = shifted.list.length
		} else {
			n, _ := slices.BinarySearch(places, c.sum+1)
			shifted.sum -= int64(n)
		}
		left[i] = &shifted
	}
	return left
}

func (c *chain) without(gone map[string]bool) *chain {
	left := empty
	for _, value := range c.values() {
		if !gone[value] {
			left = left.append(value)
		}
	}
	return left
}
