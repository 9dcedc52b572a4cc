package history

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/anishathalye/porcupine"
)

// maxSteps bounds the steps of porcupine's search, for one identity, that lead to nothing new.
const maxSteps = 50_000_000

// maxConfirmed bounds the identities, beyond those of [Options.Shorten], whose history is shortened only to have porcupine say that
// it fails. Of more, and of those that it cannot be said of, the finding is [Undecided].
const maxConfirmed = 10

// CheckLinearizable checks each identity of the workloads [Register], [Counter] and [List] by itself: there is one order of its
// operations, each somewhere between its Start and End, in which every answer is right. Refused operations are left out. Unknown
// ones are open-ended, and may or may not have taken effect.
//
// Where values are unique a witness is looked for without a search, and porcupine verifies it (witness.go). Its own search ends after
// [Options.Timeout], or when it would need more than [Options.Memory]; what it could neither find nor refute is [Undecided].
// Identities are checked one by one, and not as porcupine's partitions, so that each has a result, a timeout and a memory of its own.
func CheckLinearizable(h *History, o Options) Report {
	o = o.withDefaults()
	r := Report{Oracle: "linearizability"}
	subjects := h.subjects()
	results := make([]result, len(subjects))
	inParallel(len(subjects), func(i int) { results[i] = subjects[i].judge(o) })
	left := max(o.Shorten, 0)
	for i, s := range subjects {
		r.countf(int64(len(s.operations)), "operations checked")
		r.countf(1, "identities checked")
		if results[i].verdict == porcupine.Ok {
			continue
		}
		shorten := !results[i].malformed && (left > 0 || left > -maxConfirmed && results[i].refuted && results[i].verdict == porcupine.Unknown)
		if shorten {
			left--
		}
		f := h.notLinearizable(s, results[i], o, shorten)
		r.countf(1, "identities, %s, %s (%s)", strings.ToLower(f.Level.String()), s.kind, h.Mode(s.kind))
		r.find(f)
	}
	return r
}

// notLinearizable makes a finding, with the shortest history if that is wanted. What porcupine could not refute in its limits is
// refuted by a shorter history that it can.
func (h *History) notLinearizable(s *subject, found result, o Options, shorten bool) Finding {
	f := Finding{
		Rule: "not linearizable", Level: h.stateLevel(s.kind), Kind: s.kind, Identity: s.identity,
		Text: fmt.Sprintf("%s, %d operations: %s", s.workload, len(s.operations), found.why),
	}
	switch {
	case found.malformed:
		f.Rule, f.Level = "malformed operation", Failure
		return f
	case shorten && (found.refuted || found.verdict == porcupine.Illegal):
		if short := s.shorten(o); s.sort.search(short.calls, o).verdict == porcupine.Illegal {
			f.Shortest, f.Operations, f.At = short, short.Operations, short.At
			f.Text = s.workload + ": " + short.Text
			return f
		}
	}
	if found.verdict == porcupine.Unknown {
		f.Level = Undecided
	}
	return f
}

// subject is the operations of one identity that are checked together, in order of Start.
type subject struct {
	grain
	workload   string
	sort       *sort
	operations []*Operation
}

// subjects parts the operations.
func (h *History) subjects() []*subject {
	type key struct {
		grain
		workload string
	}
	byKey := map[key]*subject{}
	var all []*subject
	for _, op := range h.Operations {
		kind := sorts[op.Workload]
		if kind == nil {
			continue
		}
		k := key{grain{op.Kind, op.Identity}, op.Workload}
		if byKey[k] == nil {
			byKey[k] = &subject{grain: k.grain, workload: op.Workload, sort: kind}
			all = append(all, byKey[k])
		}
		byKey[k].operations = append(byKey[k].operations, op)
	}
	return all
}

// result is what a check has come to.
type result struct {
	verdict   porcupine.CheckResult
	why       string
	malformed bool
	// refuted: no witness can be there, whatever became of porcupine's search.
	refuted bool
}

// judge checks all of it.
func (s *subject) judge(o Options) result {
	calls, err := callsUntil(s.sort, s.operations, Never)
	if err != nil {
		return result{verdict: porcupine.Illegal, why: err.Error(), malformed: true}
	}
	return s.sort.check(calls, o)
}

// look looks for a witness. Without one, a history that is not refuted may still be right.
func (s *sort) look(calls []*call) (witness []*call, found, refuted bool) {
	order, exact := s.witness(calls)
	if len(order) == len(calls) && s.place(order) {
		return order, true, false
	}
	return nil, false, exact
}

// fails reports whether calls are not linearizable, as far as it can be told in a time.
func (s *sort) fails(calls []*call, o Options) bool {
	calls = s.bound(calls)
	_, found, refuted := s.look(calls)
	return !found && (refuted || s.search(calls, o).verdict == porcupine.Illegal)
}

// check has porcupine verify a witness, or search for one itself.
func (s *sort) check(calls []*call, o Options) result {
	calls = s.bound(calls)
	witness, found, refuted := s.look(calls)
	if !found {
		r := s.search(calls, o)
		r.refuted = refuted
		return r
	}
	all := operations(witness)
	for i := range all {
		all[i].Call, all[i].Return = int64(2*i), int64(2*i+1)
	}
	if !porcupine.CheckOperations(s.model(s.step), all) {
		return s.search(calls, o)
	}
	return result{verdict: porcupine.Ok}
}

// search has porcupine search, within limits.
func (s *sort) search(calls []*call, o Options) result {
	steps, remembered := 0, 0
	mostSteps, mostRemembered := maxSteps, o.Memory/(len(calls)/8+128)
	model := s.model(func(state any, c *call) (bool, any) {
		steps++
		if steps > mostSteps || remembered > mostRemembered {
			return false, state // from here on nothing works, so that porcupine soon ends
		}
		ok, state := s.step(state, c)
		if ok {
			remembered++
		}
		return ok, state
	})
	verdict := porcupine.CheckOperationsTimeout(model, operations(calls), o.Timeout)
	switch {
	case verdict == porcupine.Unknown:
		return result{verdict: verdict, why: fmt.Sprintf("it takes longer than %v", o.Timeout)}
	case verdict == porcupine.Illegal && (steps > mostSteps || remembered > mostRemembered):
		return result{verdict: porcupine.Unknown, why: fmt.Sprintf("it takes more than %d steps", min(steps, mostSteps))}
	case verdict == porcupine.Illegal:
		return result{verdict: verdict, why: "no order of the operations explains all answers"}
	}
	return result{verdict: verdict}
}

// operations gives porcupine's form of calls, with clients numbered by their names.
func operations(calls []*call) []porcupine.Operation {
	var clients []string
	for _, c := range calls {
		clients = append(clients, c.Client)
	}
	slices.Sort(clients)
	clients = slices.Compact(clients)
	all := make([]porcupine.Operation, len(calls))
	for i, c := range calls {
		client, _ := slices.BinarySearch(clients, c.Client)
		all[i] = porcupine.Operation{ClientId: client, Input: c, Call: int64(c.Start), Return: int64(c.ret)}
	}
	return all
}

// inParallel calls f for each number below n, in as many goroutines as there are processors, and waits for all.
func inParallel(n int, f func(int)) {
	var all sync.WaitGroup
	next := make(chan int)
	for range min(n, runtime.GOMAXPROCS(0)) {
		all.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}
