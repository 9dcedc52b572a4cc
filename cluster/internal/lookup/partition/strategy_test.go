package partition

import (
	"testing"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// The owner actor goes by the view's strategy.
func TestOwnerAsksTheStrategy(t *testing.T) {
	l, _, view := newLookup(t)
	asked := make(chan driver.Identity, 1)
	l.cfg.Strategies = map[string]placement.Pick{"s": func(id driver.Identity, hosts []driver.Member, _ uint64, _ driver.MemberID) int {
		asked <- id
		return len(hosts) - 1
	}}
	view.Members[0].Kinds[0].Strategy = "s"
	l.SetView(view)
	if _, err := l.Resolve(t.Context(), alice, "", driver.Fence{}); err != nil {
		t.Fatal(err)
	}
	select {
	case id := <-asked:
		if id != alice {
			t.Errorf("asked for %v", id)
		}
	default:
		t.Error("the strategy was not asked")
	}
}
