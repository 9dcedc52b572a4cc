package history

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// object is a real one, to make histories that are right: each operation takes effect at a moment within its interval.
type object struct {
	value string
	sum   int64
	list  []string
}

func (o *object) do(op *Operation) {
	switch op.Workload + op.Do {
	case Register + DoRead:
		op.Result = o.value
	case Register + DoWrite:
		o.value = op.Argument
	case Register + DoCAS:
		if o.value == op.Expect {
			o.value = op.Argument
		}
		op.Result = o.value
	case Counter + DoRead:
		op.Result = strconv.FormatInt(o.sum, 10)
	case Counter + DoAdd:
		amount, _ := strconv.ParseInt(op.Argument, 10, 64)
		o.sum += amount
		op.Result = strconv.FormatInt(o.sum, 10)
	case List + DoAppend:
		o.list = append(o.list, op.Argument)
		op.Result = strconv.Itoa(len(o.list))
	case List + DoRead:
		op.Result = ListText(o.list...)
	}
}

// mixed is an identity whose counter gets several amounts.
const mixed = "mixed"

// generate makes the operations of clients on one identity, in a seeded order. Of a hundred, so many are unknown (half of which
// have taken effect) and as many refused.
func generate(seed uint64, workload, identity string, clients, operations, unknown int) []*Operation {
	chance := rand.New(rand.NewPCG(seed, 1))
	o := &object{}
	free := make([]time.Duration, clients) // when each begins its next
	var all []*Operation
	for n := range operations {
		c := n % clients
		op := &Operation{By: "c.1", Client: fmt.Sprint("c", c), Workload: workload, Kind: "K", Identity: identity, Outcome: OK}
		op.Start = free[c] + time.Duration(chance.IntN(1000)+1)
		op.End = op.Start + time.Duration(chance.IntN(3000)+2)
		free[c] = op.End
		op.Do = map[string][]string{Register: {DoRead, DoWrite, DoCAS}, Counter: {DoRead, DoAdd}, List: {DoRead, DoAppend, DoAppend}}[workload][chance.IntN(map[string]int{Register: 3, Counter: 2, List: 3}[workload])]
		op.Argument = "1"
		if identity == mixed {
			op.Argument = strconv.Itoa(1 + chance.IntN(3))
		}
		if workload != Counter {
			op.Argument = fmt.Sprint("v", n)
		}
		all = append(all, op)
	}
	// Each takes effect at a moment of its own.
	type effect struct {
		at time.Duration
		op *Operation
	}
	effects := make([]*effect, len(all))
	for i, op := range all {
		effects[i] = &effect{op.Start + 1 + time.Duration(chance.Int64N(int64(op.End-op.Start))), op}
	}
	by(effects, func(e *effect) int64 { return int64(e.at) })
	for _, e := range effects {
		fate := chance.IntN(100)
		if e.op.Do == DoCAS {
			e.op.Expect = []string{o.value, "other"}[chance.IntN(2)]
		}
		switch {
		case fate < unknown:
			e.op.Outcome = Unknown
			if fate%2 == 0 {
				o.do(e.op)
			}
			e.op.Result = ""
		case fate < 2*unknown:
			e.op.Outcome = Refused
		default:
			o.do(e.op)
		}
	}
	return sortOperations(all)
}
