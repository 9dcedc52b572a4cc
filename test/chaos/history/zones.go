package history

import (
	"cmp"
	"slices"
	"time"
)

// block is a part of a register's history that is one piece in every order: a write and all that has seen its value; and what
// has exchanged it, with all that has seen that. It comes about in the order of its calls.
type block struct {
	calls []*call
	// first is when the first of its calls has ended, last when the last has begun. If first is before last the block takes that
	// time, and no other can be there; else it can be at any one moment between the two.
	first, last time.Duration
}

func (b *block) add(calls ...*call) {
	for _, c := range calls {
		b.calls = append(b.calls, c)
		b.first, b.last = min(b.first, c.ret), max(b.last, c.Start)
	}
}

// witnessRegister puts the blocks in the order of their times, if these leave room for each other: that is so exactly if there
// is any order (Gibbons and Korach, "Testing shared memories", 1997, of registers whose writes have values of their own).
func witnessRegister(calls []*call) (order []*call, exact bool) {
	writers, several := writersOf(calls)
	if len(several) > 0 {
		return nil, false
	}
	readers, exchanged := map[string][]*call{}, map[string]*call{}
	for _, c := range calls {
		switch value, ok := c.seen(); {
		case c.Do == DoCAS && (c.open || c.result == c.value):
			if c.expect == c.value {
				return nil, false
			}
			if exchanged[c.expect] != nil {
				return nil, true // only one can have found it
			}
			exchanged[c.expect] = c
		case ok:
			readers[value] = append(readers[value], c)
		}
	}
	placed := 0
	var blocks []*block
	grow := func(b *block, value string) {
		for {
			b.add(readers[value]...)
			next := exchanged[value]
			if next == nil {
				break
			}
			b.add(next)
			value = next.value
		}
		placed += len(b.calls)
		blocks = append(blocks, b)
	}
	grow(&block{first: -1, last: -1}, "") // before all else
	for _, c := range calls {
		if c.Do == DoWrite {
			b := &block{first: Never, last: -1}
			b.add(c)
			grow(b, c.value)
		}
	}
	if placed != len(calls) || writers[""] != nil {
		return nil, true // something was seen that nobody has written
	}
	for _, b := range inOrder(blocks) {
		order = append(order, b.calls...)
	}
	return order, true
}

// inOrder sorts blocks: those that take time by its beginning; the others by the first moment at which they can be, which is within
// the time of another only if they come behind it.
func inOrder(blocks []*block) []*block {
	return slices.SortedStableFunc(slices.Values(blocks), func(a, b *block) int {
		return cmp.Or(cmp.Compare(min(a.first, a.last), min(b.first, b.last)), cmp.Compare(btoi(a.first < a.last), btoi(b.first < b.last)))
	})
}
