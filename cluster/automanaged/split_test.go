package automanaged

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// healed is within how many ping intervals, of a second, of the end of a split
// all members hold one view.
const healed = 12

// follower is a process that follows its views, and joins again when it was
// removed, as a cluster does.
type follower struct {
	*process
	host string
	stop context.CancelFunc
	done chan struct{}

	mu   sync.Mutex  // guards view
	view driver.View // the newest of this life
}

// fleet are the processes of a site that are up.
type fleet struct {
	*site
	up      []*follower
	slowest time.Duration
	light   bool // without gRPC, for many processes
}

func newFleet(t *testing.T, n int) *fleet {
	f := &fleet{site: newSite(t, "a:6330", "c:6330")}
	for i := range n {
		f.start(string(rune('a' + i)))
	}
	f.agree(f.up)
	return f
}

func (f *fleet) start(host string) {
	ctx, stop := context.WithCancel(f.t.Context())
	fo := &follower{process: f.member(host), host: host, stop: stop, done: make(chan struct{})}
	if f.light {
		fo.light = f.network
		fo.provider.config.exchange = f.network.exchange(host)
	}
	fo.open()
	f.up = append(f.up, fo)
	go fo.follow(ctx)
}

func (fo *follower) follow(ctx context.Context) {
	defer close(fo.done)
	for ctx.Err() == nil {
		switch view, err := fo.session.Watch(ctx, fo.current().Epoch); {
		case err == nil:
			fo.take(view)
		case errors.Is(err, driver.ErrRemoved):
			fo.mu.Lock()
			fo.view = driver.View{}
			fo.mu.Unlock()
			fo.removals++
			fo.crash()
			if err := fo.tryOpen(); err != nil {
				fo.t.Error(err)
				return
			}
		case ctx.Err() == nil:
			time.Sleep(100 * time.Millisecond)
		}
	}
}

func (fo *follower) take(view driver.View) {
	fo.mu.Lock()
	defer fo.mu.Unlock()
	// Another life may meet the side with the lower epoch, but has hosted nothing.
	if view.Epoch <= fo.view.Epoch {
		fo.t.Errorf("%s: view %d after %d", fo.request.Member, view.Epoch, fo.view.Epoch)
	}
	if err := view.Validate(); err != nil {
		fo.t.Error(err)
	}
	if _, in := view.Member(fo.id()); !in {
		fo.t.Errorf("%s is not in the view that it was given: %v", fo.id(), view)
	}
	fo.view = view
}

func (fo *follower) current() driver.View {
	fo.mu.Lock()
	defer fo.mu.Unlock()
	return fo.view
}

// end stops a process, with a word or without.
func (f *fleet) end(fo *follower, leaves bool) {
	fo.stop()
	<-fo.done
	if leaves {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		_ = fo.session.Leave(ctx) // nobody may be there to be told
		cancel()
	}
	fo.crash()
	f.up = slices.DeleteFunc(f.up, func(o *follower) bool { return o == fo })
}

// one reports whether processes hold the same view, of just themselves.
func one(some []*follower) bool {
	first := some[0].current()
	for _, fo := range some {
		view := fo.current()
		m, in := view.Member(fo.id())
		if view.Epoch != first.Epoch || view.Epoch == 0 || len(view.Members) != len(some) || !in || m.State != driver.Active {
			return false
		}
	}
	return true
}

// agree waits until processes hold one view, of just themselves.
func (f *fleet) agree(some []*follower) {
	f.t.Helper()
	begin := time.Now()
	for !one(some) {
		if time.Since(begin) > healed*time.Second {
			text := ""
			for _, fo := range some {
				view := fo.current()
				text += fmt.Sprintf("\n%s holds %d of %v\n%s", fo.id(), view.Epoch, view.Members, fo.logs)
			}
			f.t.Fatalf("%d processes do not agree after %v:%s", len(some), time.Since(begin), text)
		}
		time.Sleep(50 * time.Millisecond)
	}
	f.slowest = max(f.slowest, time.Since(begin))
}

// divide cuts all links between groups, and only those.
func (f *fleet) divide(groups ...[]*follower) {
	f.network.heal()
	for i, some := range groups {
		for _, others := range groups[i+1:] {
			for _, a := range some {
				for _, b := range others {
					f.network.cut(a.host, b.host, true)
				}
			}
		}
	}
}

// seniors gives the processes in the order of their view: the coordinator is
// the first.
func (f *fleet) seniors() []*follower {
	view := f.up[0].current()
	at := func(fo *follower) int {
		return slices.IndexFunc(view.Members, func(m driver.Member) bool { return m.ID == fo.id() })
	}
	return slices.SortedFunc(slices.Values(f.up), func(a, b *follower) int { return at(a) - at(b) })
}

func (f *fleet) close() {
	for len(f.up) > 0 {
		f.end(f.up[0], false)
	}
	f.t.Logf("the slowest agreement took %v", f.slowest)
}

// parts cuts a list into groups of these sizes.
func parts(all []*follower, sizes ...int) (groups [][]*follower) {
	for _, n := range sizes {
		groups = append(groups, all[:n:n])
		all = all[n:]
	}
	return groups
}

func TestSplits(t *testing.T) {
	for name, split := range map[string]func([]*follower) [][]*follower{
		"2|3":                   func(all []*follower) [][]*follower { return parts(all, 2, 3) },
		"3|2":                   func(all []*follower) [][]*follower { return parts(all, 3, 2) },
		"the coordinator alone": func(all []*follower) [][]*follower { return parts(all, 1, 4) },
		"the youngest alone":    func(all []*follower) [][]*follower { return parts(all, 4, 1) },
		"1|2|2":                 func(all []*follower) [][]*follower { return parts(all, 1, 2, 2) },
		"each alone":            func(all []*follower) [][]*follower { return parts(all, 1, 1, 1, 1, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 5)
				for range 2 {
					groups := split(f.seniors())
					f.divide(groups...)
					sides := make(map[uint64]bool)
					for _, g := range groups {
						f.agree(g)
						view := g[0].current()
						sides[view.Epoch] = true
					}
					if len(sides) != len(groups) {
						t.Errorf("%d sides have views of %d epochs", len(groups), len(sides))
					}
					before := f.ids()
					f.network.heal()
					f.agree(f.up)
					// Who was on the side that won stays who it was; all others have new ids.
					winners := 0
					for _, g := range groups {
						kept := 0
						for _, fo := range g {
							if before[fo] == fo.id() {
								kept++
							}
						}
						if kept == len(g) {
							winners++
						} else if kept != 0 {
							t.Errorf("%d of %d of a side kept their ids", kept, len(g))
						}
					}
					if winners != 1 {
						t.Errorf("%d sides kept their ids; want one", winners)
					}
				}
				f.close()
			})
		})
	}
}

func (f *fleet) ids() map[*follower]driver.MemberID {
	ids := make(map[*follower]driver.MemberID)
	for _, fo := range f.up {
		ids[fo] = fo.id()
	}
	return ids
}

// Each side takes members in and lets them go while it is alone, and others
// come and go while the two come together.
func TestSplitHealsWhileMembersComeAndGo(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 7))
				f := newFleet(t, 5)
				groups := parts(f.seniors(), 2, 3)
				f.divide(groups...)
				f.agree(groups[0])
				f.agree(groups[1])
				f.end(groups[1][rng.IntN(3)], seed%2 == 0)
				f.network.heal()
				f.start("f")
				time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
				f.end(f.up[rng.IntN(4)], seed%3 == 0)
				f.start("g")
				time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
				f.start("h")
				f.agree(f.up)
				f.close()
			})
		})
	}
}

// What one host sends is lost, and what it is sent arrives; or the reverse.
func TestOneWayCuts(t *testing.T) {
	for _, silent := range []int{0, 1, 4} {
		for _, deaf := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 5)
				all := f.seniors()
				for _, other := range all {
					if from, to := all[silent].host, other.host; deaf {
						f.network.cutOneWay(to, from, true)
					} else {
						f.network.cutOneWay(from, to, true)
					}
				}
				time.Sleep(20 * time.Second)
				f.network.heal()
				f.agree(f.up)
				f.close()
			})
		}
	}
}

func TestFlappingLinks(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 8))
				f := newFleet(t, 5)
				for range 60 {
					a, b := rng.IntN(5), rng.IntN(5)
					f.network.cut(f.up[a].host, f.up[b].host, rng.IntN(2) == 0)
					time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
				}
				f.network.heal()
				f.agree(f.up)
				f.close()
			})
		})
	}
}

// Splits, one-way cuts, arrivals, departures and crashes, by chance.
func TestRandomSplits(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 9))
				f := newFleet(t, 5)
				for range 12 {
					f.disturb(rng)
					time.Sleep(time.Duration(rng.IntN(6000)) * time.Millisecond)
					if rng.IntN(3) == 0 {
						f.network.heal()
						f.agree(f.up)
					}
				}
				f.network.heal()
				f.agree(f.up)
				f.close()
			})
		})
	}
}

func (f *fleet) disturb(rng *rand.Rand) {
	all := slices.Clone(f.up)
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	switch n := rng.IntN(5); {
	case n == 0 && len(all) > 3:
		f.end(all[0], rng.IntN(2) == 0)
	case n == 1 && len(all) < 7:
		for _, host := range []string{"a", "b", "c", "d", "e", "f", "g"} {
			if !slices.ContainsFunc(all, func(fo *follower) bool { return fo.host == host }) {
				f.start(host)
				return
			}
		}
	case n == 2:
		f.network.cutOneWay(all[0].host, all[1].host, true)
	default:
		first := 1 + rng.IntN(len(all)-1)
		f.divide(parts(all, first, len(all)-first)...)
	}
}
