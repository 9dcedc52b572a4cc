package drivertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/granary-go/granary/cluster/driver"
)

const (
	// racers is how many goroutines race for one thing.
	racers = 64
	// entryCrowd is how many entries there are where there are many: enough for several pages and batches.
	entryCrowd = 120
)

func entryCases(service EntryService) []entryCase {
	cases := []entryCase{
		{"an entry comes and goes, and its tokens rise", entryLife},
		{"identities are apart, whatever their words", entryWords},
		{"clusters are apart", entryClusters},
		{"one of many claims wins", entryRace},
		{"a claim replaces the entry that it names alone", entryOver},
		{"a claim over a void entry is won once", entryOverRace},
		{"a release removes its own entry alone", entryRelease},
		{"entries are written back", entryRestore},
		{"what a member had is removed", entryRemove},
		{"everything is listed", entryList},
		{"the era record is compared and set", eraRecord},
		{"one of many begins an era", eraRace},
		{"claims of another era are refused", eraRefuses},
		{"calls end with their context", entryContext},
	}
	for _, how := range slices.Sorted(maps.Keys(service.Lose)) {
		cases = append(cases, entryCase{"a store that was " + how + " refuses the era", func(tr *entryTrial) { eraLost(tr, service.Lose[how]) }})
	}
	return cases
}

func entryLife(tr *entryTrial) {
	tr.begin(5, "a-1")
	e, last := tr.entry("alice", "m1"), driver.Fence{}
	tr.reads(tr.b, e.Identity, driver.Entry{})
	for i := range 20 {
		got := tr.claims(tr.a, e, driver.Fence{})
		if got.Token.Compare(last) <= 0 {
			tr.errorf("claim %d has the token %v, not above %v", i, got.Token, last)
		}
		last = got.Token
		tr.reads(tr.b, e.Identity, got)
		tr.keeps(tr.b, tr.entry("alice", "m2"), driver.Fence{}, got)
		tr.releases(tr.b, e.Identity, got.Token)
		tr.reads(tr.a, e.Identity, driver.Entry{})
	}
}

func entryWords(tr *entryTrial) {
	tr.begin(5, "a-1")
	held := make(map[driver.Identity]driver.Entry)
	for i, w := range []driver.Identity{
		{Kind: "K", Name: "a"}, {Kind: "K", Name: "a/"}, {Kind: "K", Name: "/a"}, {Kind: "K/"[:1] + "a", Name: "a"}, {Kind: "k", Name: "a"},
		{Kind: "K", Name: "A"}, {Kind: "K", Name: " a "}, {Kind: "K", Name: "a\x00b"}, {Kind: "K", Name: "a\nb\r\n"}, {Kind: "K", Name: `"'\`},
		{Kind: "K", Name: "{a}"}, {Kind: "K", Name: "*?[]$.%"}, {Kind: "K", Name: "\u00e9\u4e16\u754c\u2028"}, {Kind: "K", Name: "<&>"},
		{Kind: strings.Repeat("k", driver.MaxKindLength), Name: strings.Repeat("n", driver.MaxIdentityLength)},
		{Kind: "K", Name: strings.Repeat("n", driver.MaxIdentityLength)},
	} {
		e := tr.entry("", driver.MemberID(fmt.Sprint("m", i)))
		e.Identity, e.Address, e.Epoch = w, "[::1]:1", uint64(i)
		held[w] = tr.claims(tr.a, e, driver.Fence{})
	}
	for id, e := range held {
		tr.reads(tr.b, id, e)
	}
	if all := tr.all(tr.b, 3); !maps.Equal(all, held) {
		tr.errorf("List gives %d entries, not the %d that are there", len(all), len(held))
	}
}

func entryClusters(tr *entryTrial) {
	tr.begin(5, "a-1")
	held := tr.claims(tr.a, tr.entry("alice", "m1"), driver.Fence{})
	for _, name := range []string{tr.cluster + "x", tr.cluster + "/x", tr.cluster + "}", "{" + tr.cluster, tr.cluster + ":era"} {
		other := tr.open(name)
		if other == nil {
			continue
		}
		tr.reads(other, held.Identity, driver.Entry{})
		if era, err := other.ReadEra(tr.ctx); err != nil || era.Number != 0 {
			tr.errorf("the cluster %q has the era %+v, %v; want none", name, era, err)
		}
		if _, err := other.Claim(tr.ctx, held, driver.Fence{}); !errors.Is(err, driver.ErrEra) {
			tr.errorf("Claim in the cluster %q by the era of another: %v; want driver.ErrEra", name, err)
		}
	}
}

// race runs f so many times at once, by both processes, and gives how many
// succeeded. The others are to fail with this error.
func (tr *entryTrial) race(n int, refused error, f func(i int, s driver.EntryStore) error) int {
	var wg sync.WaitGroup
	var won atomic.Int64
	begin := make(chan struct{})
	for i := range n {
		s := tr.a
		if i%2 == 1 {
			s = tr.b
		}
		wg.Go(func() {
			<-begin
			if err := f(i, s); err == nil {
				won.Add(1)
			} else if !errors.Is(err, refused) {
				tr.errorf("racer %d: %w; want success or %w", i, err, refused)
			}
		})
	}
	close(begin)
	wg.Wait()
	return int(won.Load())
}

func entryRace(tr *entryTrial) {
	tr.begin(5, "a-1")
	for round := range 8 {
		id := fmt.Sprint("raced-", round)
		won := tr.race(racers, driver.ErrClaimed, func(i int, s driver.EntryStore) error {
			_, err := s.Claim(tr.ctx, tr.entry(id, driver.MemberID(fmt.Sprint("m", i))), driver.Fence{})
			return err
		})
		if won != 1 {
			tr.errorf("%d of %d claims won; want 1", won, racers)
		}
	}
}

func entryOver(tr *entryTrial) {
	tr.begin(5, "a-1")
	first := tr.claims(tr.a, tr.entry("alice", "m1"), driver.Fence{Term: 5, Seq: 999}) // of none that is there
	later := first.Token
	later.Seq++
	tr.keeps(tr.b, tr.entry("alice", "m2"), later, first)
	second := tr.claims(tr.b, tr.entry("alice", "m2"), first.Token)
	if second.Token.Compare(first.Token) <= 0 {
		tr.errorf("the token %v comes after %v", second.Token, first.Token)
	}
	tr.keeps(tr.a, tr.entry("alice", "m1"), first.Token, second)
	tr.reads(tr.a, second.Identity, second)
}

func entryOverRace(tr *entryTrial) {
	tr.begin(5, "a-1")
	for round := range 10 {
		id := fmt.Sprint("void-", round)
		void := tr.claims(tr.a, tr.entry(id, "gone"), driver.Fence{})
		won := tr.race(racers, driver.ErrClaimed, func(i int, s driver.EntryStore) error {
			_, err := s.Claim(tr.ctx, tr.entry(id, driver.MemberID(fmt.Sprint("m", i))), void.Token)
			return err
		})
		if won != 1 {
			tr.errorf("%d of %d claims over a void entry won; want 1", won, racers)
		}
	}
}

func entryRelease(tr *entryTrial) {
	tr.begin(5, "a-1")
	tr.releases(tr.a, tr.entry("nobody", "").Identity, driver.Fence{Term: 1, Seq: 1})
	first := tr.claims(tr.a, tr.entry("alice", "m1"), driver.Fence{})
	second := tr.claims(tr.b, tr.entry("alice", "m2"), first.Token)
	tr.releases(tr.a, first.Identity, first.Token) // too late
	tr.reads(tr.a, first.Identity, second)
	tr.releases(tr.b, first.Identity, second.Token)
	tr.releases(tr.b, first.Identity, second.Token) // again
	tr.reads(tr.a, first.Identity, driver.Entry{})
}

func entryRestore(tr *entryTrial) {
	tr.begin(5, "a-1")
	var held []driver.Entry
	for i := range entryCrowd {
		held = append(held, tr.claims(tr.a, tr.entry(fmt.Sprint("g", i), "m1"), driver.Fence{}))
	}
	tr.begin(9, "b-1")
	gone, outdone, same := held[0], held[1], held[2]
	tr.releases(tr.a, gone.Identity, gone.Token)
	newer := tr.claims(tr.b, tr.entry(outdone.Identity.Name, "m2"), outdone.Token)
	back := slices.Clone(held)
	for i := range back {
		back[i].Era, back[i].Epoch = tr.era.EraID, 77
	}
	kept, err := tr.a.Restore(tr.ctx, back)
	if err != nil || len(kept) != 1 || kept[0] != newer {
		tr.errorf("Restore gives %+v, %v; want %+v, which has a higher token", kept, err, newer)
	}
	tr.reads(tr.b, outdone.Identity, newer)
	tr.reads(tr.b, gone.Identity, back[0])
	tr.reads(tr.b, same.Identity, back[2])
	tr.reads(tr.b, held[entryCrowd-1].Identity, back[entryCrowd-1])
	after := tr.claims(tr.b, tr.entry(same.Identity.Name, "m3"), same.Token)
	if after.Token.Compare(same.Token) <= 0 {
		tr.errorf("the token %v comes after %v, which was written back", after.Token, same.Token)
	}
	if kept, err := tr.a.Restore(tr.ctx, nil); err != nil || len(kept) > 0 {
		tr.errorf("Restore of nothing: %v, %v", kept, err)
	}
}

func entryRemove(tr *entryTrial) {
	tr.begin(5, "a-1")
	want := make(map[driver.Identity]driver.Entry)
	for i := range entryCrowd {
		m := driver.MemberID(fmt.Sprint("m", i%3))
		if e := tr.claims(tr.a, tr.entry(fmt.Sprint("g", i), m), driver.Fence{}); m != "m1" {
			want[e.Identity] = e
		}
	}
	taken := tr.claims(tr.b, tr.entry("taken", "m1"), driver.Fence{})
	taken = tr.claims(tr.b, tr.entry("taken", "m2"), taken.Token)
	want[taken.Identity] = taken
	if err := tr.b.Remove(tr.ctx, "m1"); err != nil {
		tr.errorf("Remove: %w", err)
	}
	if got := tr.all(tr.a, 50); !maps.Equal(got, want) {
		tr.errorf("after Remove there are %d entries; want the %d of other members", len(got), len(want))
	}
}

func entryList(tr *entryTrial) {
	tr.begin(5, "a-1")
	if all := tr.all(tr.a, 10); len(all) > 0 {
		tr.errorf("List of nothing gives %d entries", len(all))
	}
	stay := make(map[driver.Identity]driver.Entry)
	for i := range entryCrowd {
		e := tr.claims(tr.a, tr.entry(fmt.Sprint("stays-", i), "m1"), driver.Fence{})
		stay[e.Identity] = e
	}
	ctx, cancel := context.WithCancel(tr.ctx)
	var wg sync.WaitGroup
	wg.Go(func() { // others come and go
		for i := 0; ctx.Err() == nil; i++ {
			if e, err := tr.b.Claim(ctx, tr.entry(fmt.Sprint("goes-", i%50), "m2"), driver.Fence{}); err == nil {
				_ = tr.b.Release(ctx, e.Identity, e.Token) // it may end in the middle
			}
		}
	})
	for _, limit := range []int{7, 10_000} {
		all := tr.all(tr.a, limit)
		for id, e := range stay {
			if all[id] != e {
				tr.errorf("List by %d gives %+v; want %+v", limit, all[id], e)
				break
			}
		}
	}
	cancel()
	wg.Wait()
	if _, _, err := tr.a.List(tr.ctx, "no cursor", 1); err == nil {
		tr.errorf("List takes a cursor that it never gave")
	}
}

func eraRecord(tr *entryTrial) {
	if era, err := tr.a.ReadEra(tr.ctx); err != nil || era.Number != 0 || era.Open || len(era.Joined) > 0 {
		tr.errorf("ReadEra of an empty store gives %+v, %v; want the zero value", era, err)
	}
	steps := []driver.Era{
		{},
		{EraID: driver.EraID{Number: 1<<63 + 5, Founder: "M7-1"}, Incarnation: "views 1"},
		{EraID: driver.EraID{Number: 1<<63 + 5, Founder: "M7-1"}, Incarnation: "views 1", Joined: []driver.MemberID{"M7"}},
		{EraID: driver.EraID{Number: 1<<63 + 5, Founder: "M7-1"}, Incarnation: "views 1", Joined: []driver.MemberID{"M7", "M8"}},
		{EraID: driver.EraID{Number: 1<<63 + 5, Founder: "M7-1"}, Incarnation: "views 1", Joined: []driver.MemberID{"M7", "M8"}, Open: true},
		{EraID: driver.EraID{Number: 1<<63 + 5, Founder: "M8-1"}, Incarnation: "views 1"},
		{EraID: driver.EraID{Number: 1<<63 + 6, Founder: "M8-2"}, Incarnation: "views 2"},
	}
	for i, next := range steps[1:] {
		for j, since := range steps {
			if j == i {
				continue
			}
			if err := tr.b.WriteEra(tr.ctx, since, next); !errors.Is(err, driver.ErrEra) {
				tr.errorf("WriteEra with %+v before it, which was not there: %v; want driver.ErrEra", since, err)
			}
		}
		if err := tr.a.WriteEra(tr.ctx, steps[i], next); err != nil {
			tr.errorf("WriteEra of %+v: %w", next, err)
		}
		got, err := tr.b.ReadEra(tr.ctx)
		if err != nil || got.EraID != next.EraID || got.Open != next.Open || got.Incarnation != next.Incarnation || !slices.Equal(got.Joined, next.Joined) {
			tr.errorf("ReadEra gives %+v, %v; want %+v", got, err, next)
		}
	}
}

func eraRace(tr *entryTrial) {
	for round := range uint64(5) {
		since, err := tr.a.ReadEra(tr.ctx)
		if err != nil {
			tr.errorf("ReadEra: %w", err)
			return
		}
		won := tr.race(16, driver.ErrEra, func(i int, s driver.EntryStore) error {
			return s.WriteEra(tr.ctx, since, driver.Era{EraID: driver.EraID{Number: round + 1, Founder: fmt.Sprint("m", i)}, Incarnation: "kit"})
		})
		if won != 1 {
			tr.errorf("%d of 16 began the era; want 1", won)
		}
	}
	tr.era, _ = tr.a.ReadEra(tr.ctx)
	tr.claims(tr.b, tr.entry("alice", "m1"), driver.Fence{})
}

func eraRefuses(tr *entryTrial) {
	e := tr.entry("alice", "m1")
	e.Era = driver.EraID{Number: 5, Founder: "a-1"}
	tr.refuses(e, "before there is an era")
	tr.begin(5, "a-1")
	e.Era.Founder = "b-1"
	tr.refuses(e, "of an era of the same number")
	e.Era = driver.EraID{Number: 6, Founder: "a-1"}
	tr.refuses(e, "of a later era")
	old := tr.claims(tr.a, tr.entry("alice", "m1"), driver.Fence{})
	tr.begin(8, "b-1")
	tr.refuses(old, "of an earlier era")
	tr.reads(tr.b, old.Identity, old) // entries outlast their era
	second := tr.claims(tr.b, tr.entry("alice", "m2"), old.Token)
	if second.Token.Compare(old.Token) <= 0 {
		tr.errorf("the token %v of a later era comes after %v", second.Token, old.Token)
	}
}

func entryContext(tr *entryTrial) {
	tr.begin(5, "a-1")
	ctx, cancel := context.WithCancel(tr.ctx)
	cancel()
	e := tr.entry("alice", "m1")
	_, read := tr.a.Read(ctx, e.Identity)
	_, claim := tr.a.Claim(ctx, e, driver.Fence{})
	_, restore := tr.a.Restore(ctx, []driver.Entry{e})
	_, _, list := tr.a.List(ctx, "", 1)
	_, era := tr.a.ReadEra(ctx)
	for what, err := range map[string]error{
		"Read": read, "Claim": claim, "Restore": restore, "List": list, "ReadEra": era,
		"Release": tr.a.Release(ctx, e.Identity, driver.Fence{Term: 1, Seq: 1}), "Remove": tr.a.Remove(ctx, "m1"),
		"WriteEra": tr.a.WriteEra(ctx, tr.era, driver.Era{EraID: driver.EraID{Number: 9, Founder: "x-1"}}),
	} {
		if !errors.Is(err, context.Canceled) {
			tr.errorf("%s with a context that is done: %v; want its error", what, err)
		}
	}
}

func eraLost(tr *entryTrial, lose func()) {
	tr.begin(5, "a-1")
	old := tr.claims(tr.a, tr.entry("alice", "m1"), driver.Fence{})
	lose()
	tr.refuses(tr.entry("alice", "m2"), "after that")
	var err error
	if tr.era, err = tr.b.ReadEra(tr.ctx); err != nil {
		tr.errorf("ReadEra after that: %w", err)
		return
	}
	tr.begin(6, "b-1")
	old.Era = tr.era.EraID
	if kept, err := tr.a.Restore(tr.ctx, []driver.Entry{old}); err != nil || len(kept) > 0 {
		tr.errorf("Restore after that: %v, %v", kept, err)
	}
	tr.keeps(tr.b, tr.entry("alice", "m2"), driver.Fence{}, old)
}
