package partition

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// Invariant 7: a resolve on a retained slot never waits for a view change.
// During 100 changes, a member joins, leaves, or nobody does, every resolve of
// an identity whose owner stays is one question, answered by its owner in the
// step that took it. The client hears of each view last: who asks by a view that
// its owner has not seen may wait for that.
//
// A moved identity, whose new owner is asked before it has the view, shows that
// the count can fail: that resolve waits.
func TestRetainedIdentitiesNeverWait(t *testing.T) {
	f := newFleet(t, "a", "b", "c", "d", "e")
	four, five := []driver.MemberID{"a", "b", "c", "d"}, []driver.MemberID{"a", "b", "c", "d", "e"}
	f.show(f.next(four...))
	f.fill(1000)
	moved, retained := f.moves(f.view, f.next(five...))
	asked, waited := f.counts()
	resolves := f.during(retained, func(progress func()) {
		for i := range 100 {
			ids := five
			if i/2%2 > 0 {
				ids = four // of four changes one lets e in, one takes it out
			}
			f.show(f.next(ids...))
			progress()
		}
	})
	askedThen, waitedThen := f.counts()
	if n := askedThen - asked; resolves < 100 || n != resolves {
		t.Errorf("%d resolves of retained identities took %d questions", resolves, n)
	}
	if n := waitedThen - waited; n != 0 {
		t.Errorf("%d of %d resolves of retained identities waited", n, resolves)
	}
	f.askEarly(f.next(five...), f.ids[moved[0]][0])
	if _, n := f.counts(); n != waitedThen+1 {
		t.Errorf("%d resolves of a moved identity waited, want 1: the count cannot fail", n-waitedThen)
	}
	f.audit(1000)
}

// askEarly shows a view to the client, and to the members only when the new
// owner of an identity has the client's question.
func (f *fleet) askEarly(v driver.View, id driver.Identity) {
	f.tb.Helper()
	before, _ := f.counts()
	f.client.lookup.SetView(v)
	var wg sync.WaitGroup
	wg.Go(func() { f.resolve(id) })
	for asked := before; asked == before && !f.tb.Failed(); asked, _ = f.counts() {
	}
	f.show(v)
	wg.Wait()
}

// counts sums what the owners have counted.
func (f *fleet) counts() (asked, waited int) {
	f.tb.Helper()
	for _, s := range f.seats {
		survey, err := s.lookup.SurveyOwner(f.tb.Context())
		if err != nil {
			f.tb.Fatal(err)
		}
		asked += survey.Asked
		waited += survey.Waited
	}
	return asked, waited
}

// during has the client resolve identities of slots, one at a time, while do
// runs, and counts them. A call of progress waits for the next answer.
func (f *fleet) during(slots []placement.Slot, do func(progress func())) (n int) {
	answered, done := make(chan struct{}), atomic.Bool{}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(answered)
		for !done.Load() {
			ids := f.ids[slots[rand.N(len(slots))]]
			f.resolve(ids[rand.N(len(ids))])
			n++
			select {
			case answered <- struct{}{}:
			default:
			}
		}
	})
	do(func() { <-answered })
	done.Store(true)
	wg.Wait()
	return n
}
