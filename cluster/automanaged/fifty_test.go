package automanaged

import (
	"fmt"
	"math/rand/v2"

	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fifty is how many members the tests in this file have.
const fifty = 50

// took tells how long a test takes in real time: most of it is work, as time in
// a bubble costs nothing.
func took(t *testing.T) {
	begun := time.Now()
	t.Cleanup(func() { t.Logf("took %v of real time", time.Since(begun)) })
}

// newFleetOf starts members at once, three of which are on the list of hosts.
// They do without gRPC, whose 2,450 connections would take minutes.
func newFleetOf(t *testing.T, n int) *fleet {
	f := &fleet{site: newSite(t, "m00:6330", "m07:6330", "m49:6330"), light: true}
	for i := range n {
		f.start(fmt.Sprintf("m%02d", i))
	}
	f.agree(f.up)
	return f
}

// crash ends processes at once.
func (f *fleet) crash(some []*follower) {
	var wg sync.WaitGroup
	for _, fo := range some {
		fo.stop()
		<-fo.done
	}
	for _, fo := range some {
		wg.Go(fo.crash)
		f.up = without(f.up, fo)
	}
	wg.Wait()
}

func without(all []*follower, one *follower) (rest []*follower) {
	for _, fo := range all {
		if fo != one {
			rest = append(rest, fo)
		}
	}
	return rest
}

// within agrees, and fails if that takes longer than it should.
func (f *fleet) within(d time.Duration, some []*follower) {
	f.t.Helper()
	begun := time.Now()
	f.agree(some)
	if took := time.Since(begun); took > d {
		f.t.Errorf("%d members agree after %v; want %v", len(some), took, d)
	}
}

func (f *fleet) removals() (n int) {
	for _, fo := range f.up {
		n += fo.removals
	}
	return n
}

func TestFiftyJoinAndAThirdCrashes(t *testing.T) {
	took(t)
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		f := newFleetOf(t, fifty)
		if took := time.Since(begun); took > 4*time.Second {
			t.Errorf("joining took %v", took)
		}
		all := f.seniors()
		f.crash(append(all[:5:5], all[20:32]...)) // the coordinator among them
		f.within(6*time.Second, f.up)
		for i := range 17 {
			f.start(fmt.Sprintf("n%02d", i))
		}
		f.within(4*time.Second, f.up)
		if n := f.removals(); n != 0 {
			t.Errorf("%d members were removed that were there", n)
		}
		f.close()
	})
}

// TestFiftyRollingRestart restarts all, two at a time: each leaves and comes back
// at its address under a new id.
func TestFiftyRollingRestart(t *testing.T) {
	took(t)
	synctest.Test(t, func(t *testing.T) {
		f := newFleetOf(t, fifty)
		for all := f.seniors(); len(all) > 0; all = all[2:] {
			for _, fo := range all[:2] {
				f.end(fo, true)
				f.start(fo.host)
			}
			f.within(3*time.Second, f.up)
		}
		if n := f.removals(); n != 0 {
			t.Errorf("%d members were removed that were there", n)
		}
		f.close()
	})
}

func TestFiftySplitAndHeal(t *testing.T) {
	for _, some := range []int{25, 20} {
		t.Run(fmt.Sprintf("%d|%d", some, fifty-some), func(t *testing.T) {
			took(t)
			synctest.Test(t, func(t *testing.T) {
				f := newFleetOf(t, fifty)
				groups := parts(f.seniors(), some, fifty-some)
				before := f.ids()
				f.divide(groups...)
				f.within(8*time.Second, groups[0])
				f.within(2*time.Second, groups[1])
				f.network.heal()
				f.agree(f.up)
				kept := 0
				for fo, id := range before {
					if fo.id() == id {
						kept++
					}
				}
				if kept != some && kept != fifty-some {
					t.Errorf("%d members kept their ids; want one side", kept)
				}
				f.close()
			})
		})
	}
}

func TestFiftyWithFlappingLinks(t *testing.T) {
	for seed := range flappingSeeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			took(t)
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 50))
				f := newFleetOf(t, fifty)
				for range 20 {
					lead := f.seniors()[0].host
					for range 12 {
						a, b := f.up[rng.IntN(fifty)].host, f.up[rng.IntN(fifty)].host
						if rng.IntN(2) == 0 {
							a = lead // who takes out the lost
						}
						switch rng.IntN(3) {
						case 0:
							f.network.cut(a, b, true)
						case 1:
							f.network.cutOneWay(a, b, true)
						default:
							f.network.cut(a, b, false)
						}
					}
					time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
				}
				f.network.heal()
				f.agree(f.up)
				t.Logf("%d removals", f.removals())
				f.close()
			})
		})
	}
}
