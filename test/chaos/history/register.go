package history

import (
	"errors"
	"fmt"
	"time"
)

// registers hold one value, "" at first.
var registers = sort{
	parse: func(c *call) error {
		c.value, c.expect, c.result = c.Argument, c.Expect, c.Result
		switch c.Do {
		case DoRead:
			return nil
		case DoWrite, DoCAS:
			if c.value == "" {
				return errors.New("a register's values are not empty")
			}
			return nil
		}
		return fmt.Errorf("a register has no operation %q", c.Do)
	},
	bound:   boundRegister,
	without: withoutRegister,
	witness: witnessRegister,
	init:    func() any { return "" },
	step: func(state any, c *call) (bool, any) {
		switch c.Do {
		case DoRead:
			return state == c.result, state
		case DoCAS:
			if state == c.expect {
				state = c.value
			}
			return c.open || state == c.result, state
		}
		return true, c.value
	},
	equal: func(a, b any) bool { return a == b },
	show:  func(state any) string { return fmt.Sprintf("%q", state) },
}

// seen gives the value that an answered call has found in the register; none if it did not look.
func (c *call) seen() (value string, ok bool) {
	switch {
	case c.Do == DoRead:
		return c.result, true
	case c.Do == DoCAS && c.result == c.value:
		return c.expect, true // it was exchanged
	case c.Do == DoCAS:
		return c.result, true
	}
	return "", false
}

// writersOf gives who writes which value, as long as values are unique: of those that are not it says so.
func writersOf(calls []*call) (writers map[string]*call, several map[string]bool) {
	writers, several = map[string]*call{}, map[string]bool{}
	for _, c := range calls {
		if c.Do == DoRead {
			continue
		}
		if writers[c.value] != nil {
			several[c.value] = true
		}
		writers[c.value] = c
	}
	return writers, several
}

// boundRegister: a write whose value was seen had run before that was answered. Nobody can tell one whose value was not seen
// from one that never ran, and so it need not have. An open compare-and-set that was seen has seen what it expected.
func boundRegister(calls []*call) []*call {
	writers, several := writersOf(calls)
	seen := map[string]time.Duration{}
	var look func(value string, by time.Duration)
	look = func(value string, by time.Duration) {
		if at, ok := seen[value]; ok && at <= by {
			return
		}
		seen[value] = by
		if w := writers[value]; w != nil && w.open && w.Do == DoCAS && !several[value] {
			look(w.expect, by)
		}
	}
	for _, c := range calls {
		if value, ok := c.seen(); ok && !c.open {
			look(value, c.ret)
		}
	}
	kept := make([]*call, 0, len(calls))
	for _, c := range calls {
		if c.open && !several[c.value] {
			by, ok := seen[c.value]
			if !ok {
				continue
			}
			bounded := *c
			bounded.ret = min(c.ret, max(by, c.Start))
			c = &bounded
		}
		kept = append(kept, c)
	}
	return kept
}

// withoutRegister keeps the writers of values that were seen by what is left.
func withoutRegister(calls []*call, drop map[*Operation]bool) []*call {
	needed := map[string]bool{}
	for again := true; again; {
		again = false
		for _, c := range calls {
			stays := !drop[c.Operation] || c.Do != DoRead && needed[c.value]
			if !stays {
				continue
			}
			value, ok := c.seen()
			if c.open {
				value, ok = c.expect, c.Do == DoCAS
			}
			if ok && !needed[value] {
				needed[value], again = true, true
			}
		}
	}
	var left []*call
	for _, c := range calls {
		if !drop[c.Operation] || c.Do != DoRead && needed[c.value] {
			left = append(left, c)
		}
	}
	return left
}
