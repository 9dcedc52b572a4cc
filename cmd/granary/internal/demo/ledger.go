package demo

import (
	"fmt"
	"sync"
)

// A reply is what a counter said: where it runs, in which activation, and how
// often that was called.
type reply struct {
	member     int
	activation string // a later one is larger
	count      uint64
}

// ledger is what the client knows of each grain, from its replies alone. It
// finds out whether a grain went on from its count.
//
// At most one call of a grain is under way, so that its replies come in the
// order of its calls.
type ledger struct {
	mu      sync.Mutex // guards all below
	grains  []entry
	begun   uint64 // calls
	dead    map[int]bool
	watches map[*watch]struct{}
	// repeated is how many calls ran besides those that were acknowledged.
	repeated uint64
	broken   breaches
}

type entry struct {
	name    string
	calling bool
	began   uint64 // which call is under way or was the last
	last    reply
}

// breaches are what must not have happened: how often, and the first few.
type breaches struct {
	count int
	texts []string
}

const keptBreaches = 5

func (b *breaches) add(text string) {
	if b.count++; len(b.texts) < keptBreaches {
		b.texts = append(b.texts, text)
	}
}

func newLedger() *ledger {
	return &ledger{dead: map[int]bool{}, watches: map[*watch]struct{}{}}
}

// open adds n grains that nobody has called, and gives their indices.
func (l *ledger) open(n int) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	added := make([]int, n)
	for i := range added {
		added[i] = len(l.grains)
		l.grains = append(l.grains, entry{name: fmt.Sprintf("counter-%d", added[i]+1)})
	}
	return added
}

// begin starts a call of a grain; false says that one is under way.
func (l *ledger) begin(i int) (name string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := &l.grains[i]
	if g.calling {
		return "", false
	}
	l.begun++
	g.calling, g.began = true, l.begun
	return g.name, true
}

// fail ends a call without a reply.
func (l *ledger) fail(i int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.grains[i].calling = false
}

// acknowledge ends a call with its reply, and judges it.
func (l *ledger) acknowledge(i int, r reply) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := &l.grains[i]
	before := g.last
	g.calling = false
	if fault := l.judge(before, r); fault != "" {
		l.broken.add(g.name + " " + fault)
	} else if r.activation == before.activation {
		l.repeated += r.count - before.count - 1
	} else {
		l.repeated += r.count - 1
	}
	g.last = r
	for w := range l.watches {
		if w.see(i, g.began, r) {
			delete(l.watches, w)
		}
	}
}

// judge tells what is wrong with a reply that comes after another; nothing if
// it may be.
func (l *ledger) judge(before, r reply) string {
	switch {
	case r.count == 0:
		return fmt.Sprintf("answered on member %d without having counted the call", r.member)
	case before.count == 0: // the first reply ever
		return ""
	case r.activation == before.activation && r.count <= before.count:
		return fmt.Sprintf("went back from %d to %d on member %d", before.count, r.count, r.member)
	case r.activation == before.activation:
		return ""
	case !l.dead[before.member]:
		return fmt.Sprintf("lost its count of %d on member %d, which lives, and began anew on member %d", before.count, before.member, r.member)
	case r.activation < before.activation:
		return fmt.Sprintf("has activation %s after %s", r.activation, before.activation)
	case l.dead[r.member]:
		return fmt.Sprintf("began anew on member %d, which is dead", r.member)
	}
	return ""
}

// bury notes that a member is dead, before it dies: its grains may begin anew
// from now on. It gives the grains that it hosted, and those on others.
func (l *ledger) bury(member int) (lost, others []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead[member] = true
	for i, g := range l.grains {
		switch {
		case g.last.count == 0: // never called
		case g.last.member == member:
			lost = append(lost, i)
		default:
			others = append(others, i)
		}
	}
	return lost, others
}

// active gives the grains that have answered.
func (l *ledger) active() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []int
	for i, g := range l.grains {
		if g.last.count > 0 {
			found = append(found, i)
		}
	}
	return found
}

// names gives the identities of some grains.
func (l *ledger) names(grains []int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, len(grains))
	for j, i := range grains {
		names[j] = l.grains[i].name
	}
	return names
}

// replies gives the last reply of each of some grains.
func (l *ledger) replies(grains []int) map[int]reply {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := make(map[int]reply, len(grains))
	for _, i := range grains {
		last[i] = l.grains[i].last
	}
	return last
}

// kept counts the grains that went on since an earlier look at them: the
// activation is the same, and its count is higher.
func (l *ledger) kept(earlier map[int]reply) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for i, before := range earlier {
		if now := l.grains[i].last; now.activation == before.activation && now.member == before.member && now.count > before.count {
			n++
		}
	}
	return n
}

// tally counts grains by the member that answered last.
func (l *ledger) tally(grains []int) map[int]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	on := map[int]int{}
	for _, i := range grains {
		on[l.grains[i].last.member]++
	}
	return on
}

// breached gives what went wrong so far, and how many calls ran twice.
func (l *ledger) breached() (breaches, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return breaches{l.broken.count, append([]string(nil), l.broken.texts...)}, l.repeated
}

// watch waits until each of some grains has answered: a call that begins after
// the watch did, or any call in a new activation.
type watch struct {
	since   uint64         // the last call whose answer does not count, if any
	pending map[int]string // the activation whose answers do not count, if any
	done    chan struct{}  // closed when nothing is pending
}

// watch begins a watch; if anew, one for new activations.
func (l *ledger) watch(grains []int, anew bool) *watch {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &watch{pending: make(map[int]string, len(grains)), done: make(chan struct{})}
	if !anew {
		w.since = l.begun
	}
	for _, i := range grains {
		w.pending[i] = ""
		if anew {
			w.pending[i] = l.grains[i].last.activation
		}
	}
	if len(grains) == 0 {
		close(w.done)
	} else {
		l.watches[w] = struct{}{}
	}
	return w
}

// see takes a reply to a call into account; true says that it was the last.
func (w *watch) see(i int, call uint64, r reply) bool {
	old, awaited := w.pending[i]
	if !awaited || call <= w.since || r.activation == old {
		return false
	}
	delete(w.pending, i)
	if len(w.pending) > 0 {
		return false
	}
	close(w.done)
	return true
}

// missing counts the grains that have not answered yet.
func (l *ledger) missing(w *watch) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(w.pending)
}
