package automanaged

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

func TestClientBeforeAnyMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330", "b:6330")
		c := s.client("c").open()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err := c.session.Watch(ctx, 0)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no member reached: ") {
			t.Errorf("alone: %v", err)
		}
		b := s.member("b").open()
		b.holds(b)
		begin := time.Now()
		c.holds(b)
		if took := time.Since(begin); took > time.Second {
			t.Errorf("found the cluster after %v", took)
		}
		a := s.member("a").open()
		c.holds(a, b)
	})
}

func TestClientGoesToAnotherMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330")
		a := s.member("a").open()
		a.holds(a)
		b := s.member("b").open()
		c := s.client("c").open()
		c.holds(a, b)
		// It was followed by the list; from now on it knows b by the view.
		a.crash()
		c.holds(b)
		a.open()
		c.holds(a, b)
		s.network.cut("a", "c", true)
		s.network.cut("b", "c", true)
		d := s.member("d").open()
		time.Sleep(10 * time.Second)
		s.network.cut("b", "c", false)
		c.holds(a, b, d)
	})
}

func TestClientFollowsARestartedCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330", "b:6330")
		a, b, c := s.member("a").open(), s.member("b").open(), s.client("c").open()
		old := c.holds(a, b)
		a.crash()
		b.crash()
		time.Sleep(time.Minute)
		a.open()
		b.open()
		fresh := c.holds(a, b)
		if fresh.Incarnation == old.Incarnation || fresh.Epoch <= old.Epoch {
			t.Errorf("before %v, after %v", old, fresh)
		}
		a.leave()
		time.Sleep(time.Second)
		b.leave()
		c.until("an empty view", func(v driver.View) bool { return len(v.Members) == 0 })
	})
}

// A cluster whose clocks were set back may begin anew at a lower epoch.
func TestClientLeavesAHigherViewOfWhichNobodyIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330")
		a, c := s.member("a").open(), s.client("c").open()
		c.holds(a)
		o := c.session.(*observer)
		o.board.post(func(p *posted) { p.view.Epoch += 1 << 40; p.view.Entries = nil })
		a.crash()
		a.open()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		shown, _ := o.board.read()
		if v, err := c.session.Watch(ctx, shown.view.Epoch); !errors.Is(err, driver.ErrRemoved) {
			t.Fatalf("got %v, %v", v, err)
		}
		c.crash()
		c.open()
		c.holds(a)
	})
}

func TestClientDoubtsAMemberThatIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330")
		a, c := s.member("a").open(), s.client("c").open()
		v := c.holds(a)
		time.Sleep(time.Minute)
		before, _ := s.network.traffic()
		c.session.Refresh(v.Epoch)
		time.Sleep(time.Second)
		if now, _ := s.network.traffic(); now != before {
			t.Errorf("a view that is known made it dial %d times", now-before)
		}
		c.session.Refresh(v.Epoch + 1)
		time.Sleep(time.Second)
		if now, _ := s.network.traffic(); now == before {
			t.Error("it stayed with the member that is behind")
		}
	})
}
