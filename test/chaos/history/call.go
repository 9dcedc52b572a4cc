package history

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// call is an operation as the linearizability check takes it: read, and with what is known of its end.
type call struct {
	*Operation

	open bool          // its outcome is unknown, or lies behind the prefix that is looked at
	ret  time.Duration // before it is over; Never, or sooner where that follows from what others have seen

	value, expect, result string // of a register and a list
	amount, sum           int64  // of a counter; sum is also the length that an append tells
	list                  *chain // what the call has seen of a list; nil if only its length
}

// sort is a sort of object whose histories can be checked.
type sort struct {
	// parse reads argument and result; a result only if the call is not open.
	parse func(*call) error
	// bound leaves out open calls that nobody has seen the effect of, and bounds others by those that have. It changes only
	// copies. The history that is left is linearizable exactly if the other one is.
	bound func([]*call) []*call
	// without leaves out calls so that what is left can still be explained: what it has seen of those that go away is taken out
	// of it, and those of which it needs the effect stay. If what is left is not linearizable, neither is the whole.
	without func(calls []*call, drop map[*Operation]bool) []*call
	// witness gives an order in which all may have run, of calls that bound has left: none if there is none. It is exact if any other
	// order would be as good as this one, or as none; else nothing is said.
	witness func([]*call) (order []*call, exact bool)
	init    func() any
	step    func(state any, c *call) (bool, any)
	equal   func(a, b any) bool
	show    func(state any) string
}

var sorts = map[string]*sort{Register: &registers, Counter: &counters, List: &lists}

// callsUntil gives the calls of what had begun by a moment; what ended later is open. Refused ones have not run, and a read
// that nobody knows the answer of says nothing.
func callsUntil(s *sort, operations []*Operation, until time.Duration) ([]*call, error) {
	calls := make([]*call, 0, len(operations))
	for _, op := range operations {
		c := &call{Operation: op, ret: op.End, open: op.Outcome == Unknown || op.End > until}
		if op.Start > until || op.Outcome == Refused || c.open && op.Do == DoRead {
			continue
		}
		if c.open {
			c.ret = Never
		}
		if err := s.parse(c); err != nil {
			return nil, fmt.Errorf("the %s of %s, recorded by %s: %w", op.Do, op.Client, op.By, err)
		}
		calls = append(calls, c)
	}
	return calls, nil
}

// as takes back what porcupine was given.
func as[T any](v any) T {
	t, ok := v.(T)
	if !ok {
		panic(fmt.Sprintf("history: a %T, where a %T was put in", v, t))
	}
	return t
}

func number(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no whole number", text)
	}
	return n, nil
}

// model gives what porcupine needs.
func (s *sort) model(step func(state any, c *call) (bool, any)) porcupine.Model {
	return porcupine.Model{
		Init:              s.init,
		Step:              func(state, in, _ any) (bool, any) { return step(state, as[*call](in)) },
		Equal:             s.equal,
		DescribeOperation: func(in, _ any) string { return as[*call](in).String() },
		DescribeState:     s.show,
	}
}

// String says what was done and what came of it.
func (c *call) String() string {
	what := c.Do
	switch c.Do {
	case DoCAS:
		what += " " + c.Expect + " → " + c.Argument
	case DoRead:
	default:
		what += " " + c.Argument
	}
	switch {
	case c.open:
		return what + ": ?"
	case c.Do == DoWrite:
		return what + ": ok"
	}
	return what + ": " + shortened(c.Result)
}

// shortened keeps the end of a long text.
func shortened(text string) string {
	const most = 60
	if len(text) <= most {
		if text == "" {
			return `""`
		}
		return text
	}
	return "…" + strings.ToValidUTF8(text[len(text)-most:], "")
}
