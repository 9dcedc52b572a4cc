package history

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Shortest is a part of an identity's history that is not linearizable by itself: of what came first, and as little of it as could
// be found. It is a proof of its own: whoever leaves out more of it, or adds to it what was left out, explains nothing.
type Shortest struct {
	Operations []*Operation // in order of Start
	// At is the moment at which it shows. What ended later is taken as open.
	At   time.Duration
	Text string
	// Of is how many operations the whole history has; Until how many had begun when it showed.
	Of, Until int

	sort  *sort
	calls []*call
}

// Open reports whether an operation is taken as one that nobody has heard of.
func (s *Shortest) Open(op *Operation) bool { return op.Outcome == Unknown || op.End > s.At }

// shorten looks for the shortest history of a subject that is not linearizable.
func (s *subject) shorten(o Options) *Shortest {
	search := &search{subject: s, until: now() + o.ShortenFor, options: o}
	at := search.prefix()
	calls, _ := callsUntil(s.sort, s.operations, at) // they have been parsed before
	began := len(calls)
	calls = search.remove(keep(calls, s.sort.bound(calls)))
	found := &Shortest{At: at, Of: len(s.operations), Until: began, sort: s.sort, calls: calls}
	for _, c := range calls {
		found.Operations = append(found.Operations, c.Operation)
	}
	found.Text = found.explain()
	return found
}

// keep leaves those of calls that are among others, as they are: a bound must not outlast the call that it follows from.
func keep(calls, others []*call) []*call {
	there := map[*Operation]bool{}
	for _, c := range others {
		there[c.Operation] = true
	}
	return slices.DeleteFunc(slices.Clone(calls), func(c *call) bool { return !there[c.Operation] })
}

// search is the search for it.
type search struct {
	*subject
	until   time.Duration // when it ends
	options Options
}

func (s *search) over() bool { return now() > s.until }

// prefix gives the first moment at which the history fails: the end of an operation. Every later one has all the constraints
// of an earlier one, so that half of the moments can be left out each time.
func (s *search) prefix() time.Duration {
	var ends []time.Duration
	for _, op := range s.operations {
		if op.Outcome == OK {
			ends = append(ends, op.End)
		}
	}
	slices.Sort(ends)
	low, high := 0, len(ends)-1 // it fails at high
	for low < high && !s.over() {
		middle := (low + high) / 2
		calls, _ := callsUntil(s.sort, s.operations, ends[middle]) // they have been parsed before
		if s.sort.fails(calls, s.options) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return ends[high]
}

// remove leaves out as many calls as it can, beginning with the last ones and, as that may end in a dead end, also with the first.
func (s *search) remove(calls []*call) []*call {
	backward := s.removeLots(calls, true)
	if forward := s.removeLots(calls, false); len(forward) < len(backward) {
		return forward
	}
	return backward
}

// removeLots tries large lots first, then smaller ones, then one by one until none can go.
func (s *search) removeLots(whole []*call, backward bool) []*call {
	calls, gone := whole, map[*Operation]bool{}
	for size := max(len(calls)/2, 1); ; size = max(size/2, 1) {
		before := len(calls)
		lots := slices.Collect(slices.Chunk(calls, size))
		if backward {
			slices.Reverse(lots)
		}
		for _, lot := range lots {
			if s.over() {
				return calls
			}
			try := maps.Clone(gone)
			for _, c := range lot {
				try[c.Operation] = true
			}
			if left := s.sort.without(whole, try); len(left) < len(calls) && s.sort.fails(left, s.options) {
				gone, calls = missing(whole, left), left
			}
		}
		if size == 1 && len(calls) == before {
			return calls
		}
	}
}

// missing gives what of whole is not left: less than was to go, as some of it had to stay.
func missing(whole, left []*call) map[*Operation]bool {
	gone := map[*Operation]bool{}
	for _, c := range whole {
		gone[c.Operation] = true
	}
	for _, c := range left {
		delete(gone, c.Operation)
	}
	return gone
}

// explain says in a sentence what the history shows.
func (s *Shortest) explain() string {
	last := slices.MaxFunc(s.calls, func(a, b *call) int { return cmp.Compare(endOf(a), endOf(b)) })
	text := fmt.Sprintf("no order explains %s of %s", last, last.Client)
	if value, ok := last.seen(); ok && s.sort == &registers {
		writers, _ := writersOf(s.calls)
		if value != "" && writers[value] == nil {
			text += "; nobody whose write may have run has written " + value
		}
	}
	return text
}

func endOf(c *call) time.Duration {
	if c.open {
		return -1
	}
	return c.End
}
