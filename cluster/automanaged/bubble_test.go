package automanaged

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// site is a network in memory with one host for each process.
type site struct {
	t       *testing.T
	network *memNetwork
	hosts   []string
}

func newSite(t *testing.T, hosts ...string) *site {
	return &site{t: t, network: newMemNetwork(), hosts: hosts}
}

func (s *site) provider(host string) *Provider {
	return NewWithConfig(time.Second, 6330, s.hosts...).WithListener(s.network.listen).WithDialer(s.network.dialer(host))
}

func (s *site) member(host string) *process {
	return newProcess(s.t, s.provider(host), host, host+":8080")
}

func (s *site) client(host string) *process {
	p := s.member(host)
	p.client = true
	return p
}

// split makes the first hosts unreachable for the others, or reachable again.
func (s *site) split(some, others []*process, is bool) {
	for _, a := range some {
		for _, b := range others {
			s.network.cut(a.request.BindHost, b.request.BindHost, is)
		}
	}
}

func TestSingleMemberIsUpWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330")
		begin := time.Now()
		a := s.member("a").open()
		v := a.holds(a)
		if took := time.Since(begin); took > 500*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if v.Previous != 0 || v.Incarnation == "" || v.Epoch>>16 < uint64(begin.UnixMilli()) {
			t.Errorf("first view %+v", v)
		}
		a.leave()
	})
}

func TestMembersInAnyOrder(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			s := newSite(t, "a:6330", "b:6330", "dead:6330")
			var all []*process
			for _, i := range rng.Perm(5) {
				all = append(all, s.member(string(rune('a'+i))).open())
				time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond)
			}
			begin := time.Now()
			allHold(t, all...)
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("took %v", took)
			}
			for _, p := range all {
				p.crash()
			}
		})
	}
}

func TestTwentyMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "m00:6330", "m01:6330")
		var all []*process
		for i := range 20 {
			all = append(all, s.member(fmt.Sprintf("m%02d", i)).open())
		}
		allHold(t, all...)
		for _, p := range all[:5] {
			p.leave()
		}
		for _, p := range all[5:10] {
			p.crash()
		}
		allHold(t, all[10:]...)
	})
}

// A process that dies ends its connections, and nobody listens any more; one whose machine vanishes says nothing.
func TestCrashIsNoticedAfterSeveralPings(t *testing.T) {
	for offset := range 10 {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, "a:6330", "b:6330")
			a, b := s.member("a").open(), s.member("b").open()
			allHold(t, a, b)
			time.Sleep(10*time.Second + time.Duration(offset)*100*time.Millisecond)
			begin := time.Now()
			b.crash()
			a.holds(a)
			if took := time.Since(begin); took < 2*quickest || took > 3*quickest {
				t.Errorf("noticed after %v", took)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, "a:6330", "b:6330")
			a, b := s.member("a").open(), s.member("b").open()
			allHold(t, a, b)
			time.Sleep(10*time.Second + time.Duration(offset)*100*time.Millisecond)
			begin := time.Now()
			s.network.cut("a", "b", true)
			a.holds(a)
			if took := time.Since(begin); took < 2*time.Second || took > 4*time.Second {
				t.Errorf("noticed after %v that nothing comes", took)
			}
			b.crash()
		})
	}
}

func TestMemberThatComesBackIsWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330", "b:6330", "c:6330")
		a, b, c := s.member("a").open(), s.member("b").open(), s.member("c").open()
		allHold(t, a, b, c)
		for _, p := range []*process{c, a, b, c} {
			p.crash()
			begin := time.Now()
			p.open()
			allHold(t, a, b, c)
			if took := time.Since(begin); took > 1500*time.Millisecond {
				t.Errorf("took %v", took)
			}
		}
	})
}

func TestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330", "b:6330", "c:6330")
		a, b, c := s.member("a").open(), s.member("b").open(), s.member("c").open()
		allHold(t, a, b, c)
		all := []*process{a, b, c}
		for len(all) > 0 {
			// The coordinator goes first, at last as the only one.
			all[0].last = 0
			v := all[0].until("any", func(driver.View) bool { return true })
			leaver := all[0]
			for _, p := range all {
				if p.id() == v.Members[0].ID {
					leaver = p
				}
			}
			if err := leaver.session.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			leaver.last = 0
			leaver.until("leaving", func(v driver.View) bool {
				m, in := v.Member(leaver.id())
				return in && m.State == driver.Leaving
			})
			begin := time.Now()
			if err := leaver.session.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took > 0 {
				t.Errorf("leaving took %v", took)
			}
			if _, err := leaver.session.Watch(t.Context(), 0); !errors.Is(err, driver.ErrRemoved) {
				t.Errorf("after leaving: %v", err)
			}
			var rest []*process
			for _, p := range all {
				if p != leaver {
					p.last = 0
					rest = append(rest, p)
				}
			}
			for _, p := range rest {
				if _, in := p.until("any", func(driver.View) bool { return true }).Member(leaver.id()); in {
					t.Errorf("%s still shows the member that left", p.id())
				}
			}
			leaver.crash()
			all = rest
			for _, p := range all {
				p.last = 0
			}
		}
	})
}

func TestLeaveIsBoundedByItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330", "b:6330")
		a, b := s.member("a").open(), s.member("b").open()
		allHold(t, a, b)
		s.split([]*process{a}, []*process{b}, true)
		for _, p := range []*process{a, b} {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			if err := p.session.Leave(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", p.id(), err)
			}
			cancel()
		}
	})
}

func TestSplitHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330", "c:6330")
		var all []*process
		for _, h := range []string{"a", "b", "c", "d", "e"} {
			p := s.member(h).open()
			p.rejoins = true
			all = append(all, p)
		}
		allHold(t, all...)
		some, others := all[:2], all[2:]
		s.split(some, others, true)
		allHold(t, some...)
		allHold(t, others...)
		s.split(some, others, false)
		allHold(t, all...)
		removals := 0
		for _, p := range all {
			removals += p.removals
			p.crash()
		}
		if removals != 2 && removals != 3 {
			t.Errorf("%d members were removed; want one side", removals)
		}
	})
}

func TestTwoMembersWithOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330", "b:6330")
		a := s.member("a").open()
		a.holds(a)
		b := s.member("b")
		b.request.Member.Address = "a:8080"
		b.provider = b.provider.WithAdvertisedHost("b")
		b.open()
		_, err := b.session.Watch(t.Context(), 0)
		if err == nil || !strings.Contains(err.Error(), "address a:8080 is held by member "+string(a.id())) {
			t.Fatalf("the second one is told: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if v, err := b.session.Watch(ctx, 0); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "a:8080 is held") {
			t.Fatalf("then it waits: %v, %v", v, err)
		}
		a.crash()
		b.holds(b)
	})
}

func TestUnreachableNewcomerIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330")
		a := s.member("a").open()
		a.holds(a)
		b := s.member("b")
		b.provider = b.provider.WithAdvertisedHost("nowhere:1")
		b.open()
		if _, err := b.session.Watch(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "cannot reach it at its ping address nowhere:1") {
			t.Errorf("told: %v", err)
		}
		b.crash()
		b.provider = s.provider("b").WithAdvertisedHost("a:6330")
		b.open()
		if _, err := b.session.Watch(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "leads back to the coordinator") {
			t.Errorf("told: %v", err)
		}
	})
}

func TestOtherClusterIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330", "b:6330")
		a, b, c := s.member("a").open(), s.member("b"), s.client("c")
		b.request.Cluster, c.request.Cluster = "other", "third"
		b.open()
		a.holds(a)
		b.holds(b)
		c.open()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := c.session.Watch(ctx, 0)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `, not to "third"`) {
			t.Errorf("the client is told: %v", err)
		}
		for p, hosts := range map[*process]int{a: 1, b: 1, c: 2} {
			if n := p.logs.count("belongs to another cluster"); n != hosts {
				t.Errorf("%s logged it %d times:\n%s", p.request.Cluster, n, p.logs)
			}
			p.crash()
		}
	})
}

func TestRefreshAsksAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "a:6330", "b:6330")
		s.hosts = []string{"a:6330"}
		a := s.member("a").open()
		a.holds(a)
		b := s.member("b").open()
		allHold(t, a, b)
		time.Sleep(10*time.Second + 500*time.Millisecond)
		synctest.Wait()
		_, before := s.network.traffic()
		b.session.Refresh(b.last)
		synctest.Wait()
		if _, now := s.network.traffic(); now != before {
			t.Errorf("a view that is known caused %d writes", now-before)
		}
		b.session.Refresh(b.last + 1)
		synctest.Wait()
		if _, now := s.network.traffic(); now == before {
			t.Error("a hint caused no ping")
		}
	})
}
