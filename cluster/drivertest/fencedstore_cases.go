package drivertest

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/granary-go/granary/cluster/driver"
)

// fencedCases are what a fenced store must do, from the plain to the vicious.
var fencedCases = []struct {
	name string
	run  func(*fencedTrial)
}{
	{"a value comes back", valueComesBack},
	{"one token goes on", equalTokenGoesOn},
	{"opening fences", openingFences},
	{"writing fences", writingFences},
	{"what is refused does nothing", refusedDoesNothing},
	{"an older token stays refused", olderStaysRefused},
	{"order of tokens", orderOfTokens},
	{"the token survives the value", tokenSurvivesValue},
	{"the token survives the connection", tokenSurvivesConnection},
	{"no value and an empty one", nilAndEmpty},
	{"identities are apart", identitiesAreApart},
	{"large values", largeValues},
	{"values are not changed", valuesAreNotChanged},
	{"a call again does no harm", callAgain},
	{"contexts end calls", contextsEndCalls},
	{"a write that was given up", writeGivenUp},
	{"many at once", manyAtOnce},
	{"many at once, with lost replies", manyWithLostReplies},
}

func valueComesBack(tr *fencedTrial) {
	s, id := tr.open(), tr.id("x")
	tr.opens(s, id, at(1, 1), nil)
	for _, value := range []string{"one", "two", "\x00\xff\n"} {
		tr.writes(s, id, at(1, 1), []byte(value))
		tr.opens(s, id, at(1, 1), []byte(value))
		tr.opens(tr.open(), id, at(1, 1), []byte(value))
	}
	// Nobody has to open before the first write.
	id = tr.id("y")
	tr.writes(s, id, at(1, 1), []byte("first"))
	tr.opens(s, id, at(1, 1), []byte("first"))
}

func equalTokenGoesOn(tr *fencedTrial) {
	s, id := tr.open(), tr.id("x")
	for range 3 {
		_, err := s.Open(tr.ctx, id, at(7, 7))
		if err != nil {
			tr.errorf("Open with the token that had opened it: %w", err)
		}
		tr.writes(s, id, at(7, 7), []byte("a"))
		tr.writes(s, id, at(7, 7), []byte("b"))
	}
	tr.opens(s, id, at(7, 7), []byte("b"))
}

// The hole that stores which look at writes only have: the successor has read
// the value, has not written yet, and the stale activation writes once more.
func openingFences(tr *fencedTrial) {
	s, other, id := tr.open(), tr.open(), tr.id("x")
	tr.opens(s, id, at(3, 1), nil)
	tr.writes(s, id, at(3, 1), []byte("old"))
	tr.opens(other, id, at(3, 2), []byte("old"))
	tr.refuses(s, id, at(3, 1), "after a larger token has opened it")
	tr.opens(other, id, at(3, 2), []byte("old"))
	tr.writes(other, id, at(3, 2), []byte("new"))
	tr.refuses(s, id, at(3, 1), "after a larger token has written it")
	tr.opens(s, id, at(3, 2), []byte("new"))

	id = tr.id("never written")
	tr.opens(other, id, at(3, 2), nil)
	tr.refuses(s, id, at(3, 1), "after a larger token has opened it, and written nothing")
	tr.opens(s, id, at(3, 2), nil)
}

func writingFences(tr *fencedTrial) {
	s, other, id := tr.open(), tr.open(), tr.id("x")
	tr.opens(s, id, at(3, 1), nil)
	tr.writes(other, id, at(4, 1), []byte("new"))
	tr.refuses(s, id, at(3, 1), "after a larger token has written it")
	tr.opens(s, id, at(4, 1), []byte("new"))
}

func refusedDoesNothing(tr *fencedTrial) {
	s, id := tr.open(), tr.id("x")
	tr.writes(s, id, at(5, 5), []byte("kept"))
	tr.refuses(s, id, at(5, 4), "below the one that wrote it")
	if err := s.Write(tr.ctx, id, at(5, 4), nil); !errors.Is(err, driver.ErrFenced) {
		tr.errorf("deleting with an older token: %v; want driver.ErrFenced", err)
	}
	tr.opens(s, id, at(5, 5), []byte("kept"))
	// The refused ones have not lowered the token either.
	tr.refuses(s, id, at(5, 4), "again")
	tr.opens(s, id, at(5, 5), []byte("kept"))
}

// A token that was good once is no better than another that is too old.
func olderStaysRefused(tr *fencedTrial) {
	s, id := tr.open(), tr.id("x")
	for seq := uint64(1); seq <= 5; seq++ {
		tr.writes(s, id, at(2, seq), []byte{byte(seq)})
		for old := uint64(1); old < seq; old++ {
			tr.refuses(s, id, at(2, old), "which had been good before")
		}
	}
	tr.opens(s, id, at(2, 5), []byte{5})
}

// rising are numbers on both sides of what texts, floats and signs get wrong.
var rising = []uint64{
	0, 1, 2, 9, 10, 15, 16, 99, 100, 255, 256, 1<<16 - 1, 1 << 16, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32,
	1<<53 - 1, 1 << 53, 1<<53 + 1, 1<<63 - 1, 1 << 63, 1<<63 + 1, math.MaxUint64 - 1, math.MaxUint64,
}

func orderOfTokens(tr *fencedTrial) {
	var tokens []driver.Fence
	for _, term := range rising {
		tokens = append(tokens, at(term, 3))
	}
	inOrder(tr, tr.id("terms"), tokens)
	tokens = nil
	for _, seq := range rising {
		tokens = append(tokens, at(5, seq))
	}
	inOrder(tr, tr.id("seqs"), tokens)
	// The term counts first, then the seq.
	inOrder(tr, tr.id("both"), []driver.Fence{
		at(1, math.MaxUint64), at(2, 0), at(2, 9), at(3, 1), at(9, 9), at(10, 1), at(10, 10), at(11, 0),
		at(math.MaxUint64, 0), at(math.MaxUint64, math.MaxUint64),
	})
}

// inOrder opens with each token in turn, and expects that all before are
// refused. The tokens rise.
func inOrder(tr *fencedTrial, id driver.Identity, tokens []driver.Fence) {
	s := tr.open()
	var former []driver.Fence
	for _, f := range tokens {
		if len(former) == 0 {
			tr.opens(s, id, f, nil)
		} else {
			last := former[len(former)-1]
			tr.opens(s, id, f, []byte(last.String()))
			tr.refuses(s, id, last, "below "+f.String())
			tr.refuses(s, id, former[0], "below "+f.String())
		}
		former = append(former, f)
		tr.writes(s, id, f, []byte(f.String()))
	}
}

func tokenSurvivesValue(tr *fencedTrial) {
	s, id := tr.open(), tr.id("x")
	tr.writes(s, id, at(8, 2), []byte("value"))
	tr.writes(s, id, at(8, 2), nil)
	tr.refuses(s, id, at(8, 1), "after the value was deleted")
	tr.opens(s, id, at(8, 2), nil)
	tr.writes(s, id, at(8, 2), nil)
	tr.refuses(tr.open(), id, at(8, 1), "after it was deleted twice")
	tr.opens(tr.open(), id, at(8, 3), nil)
	tr.writes(s, id, at(8, 3), []byte("again"))
	tr.opens(s, id, at(8, 3), []byte("again"))

	id = tr.id("deleted at once")
	tr.writes(s, id, at(8, 2), nil)
	tr.refuses(s, id, at(8, 1), "after a deletion")
}

func tokenSurvivesConnection(tr *fencedTrial) {
	written, opened := tr.id("written"), tr.id("opened")
	s := tr.open()
	tr.writes(s, written, at(6, 2), []byte("value"))
	tr.opens(s, opened, at(6, 2), nil)
	s = tr.open()
	tr.refuses(s, written, at(6, 1), "on a connection that was opened later")
	tr.refuses(s, opened, at(6, 1), "on a connection that was opened later")
	tr.opens(s, written, at(6, 2), []byte("value"))
	tr.opens(s, opened, at(6, 2), nil)
}

func nilAndEmpty(tr *fencedTrial) {
	s, id := tr.open(), tr.id("x")
	for range 2 {
		tr.writes(s, id, at(1, 1), []byte{})
		tr.opens(s, id, at(1, 1), []byte{})
		tr.writes(s, id, at(1, 1), nil)
		tr.opens(s, id, at(1, 1), nil)
	}
}

func identitiesAreApart(tr *fencedTrial) {
	k := tr.kinds
	long := strings.Repeat("n", driver.MaxIdentityLength-1)
	wide := k + strings.Repeat("k", driver.MaxKindLength-len(k)-1)
	ids := []driver.Identity{
		{Kind: k + "a/b", Name: "c"}, {Kind: k + "a", Name: "b/c"}, {Kind: k + "a", Name: "/b/c"}, {Kind: k + "a/", Name: "b/c"},
		{Kind: k + "a", Name: "b"}, {Kind: k + "ab", Name: "b"}, {Kind: k + "A", Name: "b"}, {Kind: k + "a", Name: "B"},
		{Kind: k + "a", Name: "b "}, {Kind: k + "a", Name: " b"}, {Kind: k + "a", Name: "b\n"}, {Kind: k + "a", Name: "b\x00"},
		{Kind: k + "a", Name: "."}, {Kind: k + "a", Name: ".."}, {Kind: k + "a", Name: "../b"}, {Kind: k + "a", Name: "%2F"},
		{Kind: k + "a", Name: "/"}, {Kind: k + "a", Name: "\\"}, {Kind: k + "a", Name: "*"}, {Kind: k + "a", Name: "\""},
		{Kind: k + "a", Name: "'"}, {Kind: k + "a", Name: "$b.c"}, {Kind: k + "a", Name: "{b}"}, {Kind: k + "a", Name: ":b"},
		{Kind: k + "a:", Name: "b"}, {Kind: k + "a.b", Name: "c"}, {Kind: k + "a", Name: "b.c"}, {Kind: k + "a\x00", Name: "b"},
		{Kind: k + "a", Name: "\x00b"}, {Kind: k + "a", Name: "\u00e9"}, {Kind: k + "a", Name: "e\u0301"}, {Kind: k + "a", Name: "\U0010ffff"},
		{Kind: k + "a", Name: "\uffff\ufffd"}, {Kind: k + "a", Name: long + "1"}, {Kind: k + "a", Name: long + "2"},
		{Kind: wide + "1", Name: long + "1"}, {Kind: wide + "2", Name: long + "1"},
	}
	s := tr.open()
	for i, id := range ids {
		tr.opens(s, id, at(uint64(len(ids)-i), 1), nil) // had it met an earlier one, it would be too old
		tr.writes(s, id, at(uint64(len(ids)-i), 1), []byte(id.String()))
	}
	for i, id := range ids {
		tr.opens(s, id, at(uint64(len(ids)-i), 1), []byte(id.String()))
	}
	tr.writes(s, ids[0], at(100, 1), nil)
	for i, id := range ids[1:] {
		tr.opens(s, id, at(uint64(len(ids)-i-1), 1), []byte(id.String()))
	}
}

func largeValues(tr *fencedTrial) {
	s, id := tr.open(), tr.id("x")
	for _, size := range []int{1, 4095, 4096, 1<<16 - 1, 1 << 16, 1<<20 - 1, 1 << 20, 10} {
		value := make([]byte, size)
		for i := range value {
			value[i] = byte(i * i >> 3)
		}
		tr.writes(s, id, at(1, 1), value)
		tr.opens(s, id, at(1, 1), value)
	}
}

func valuesAreNotChanged(tr *fencedTrial) {
	s, id := tr.open(), tr.id("x")
	given := []byte("given")
	tr.writes(s, id, at(1, 1), given)
	read, err := s.Open(tr.ctx, id, at(1, 1))
	if err != nil {
		tr.errorf("Open: %w", err)
		return
	}
	tr.writes(s, id, at(1, 1), []byte("other"))
	tr.opens(s, id, at(1, 2), []byte("other"))
	tr.writes(s, id, at(1, 2), nil)
	tr.refuses(s, id, at(1, 1), "after it was deleted")
	if !bytes.Equal(given, []byte("given")) {
		tr.errorf("the value that was given to Write has become %s", shown(given))
	}
	if !bytes.Equal(read, []byte("given")) {
		tr.errorf("the value that Open gave has become %s", shown(read))
	}
}

// Whoever got no reply calls again.
func callAgain(tr *fencedTrial) {
	s, id := tr.open(), tr.id("x")
	l := &losing{FencedStore: s, lose: func() bool { return true }}
	for i := range uint64(3) {
		value := []byte{byte(i)}
		for range 2 {
			if _, err := l.Open(tr.ctx, id, at(1, i)); !errors.Is(err, errLost) {
				tr.errorf("Open again: %v", err)
			}
		}
		for range 2 {
			if err := l.Write(tr.ctx, id, at(1, i), value); !errors.Is(err, errLost) {
				tr.errorf("Write again: %v", err)
			}
		}
		tr.opens(s, id, at(1, i), value)
	}
	tr.refuses(s, id, at(1, 1), "after all that")
}

func contextsEndCalls(tr *fencedTrial) {
	s, id := tr.open(), tr.id("x")
	tr.writes(s, id, at(2, 2), []byte("old"))
	ctx, cancel := context.WithCancel(tr.ctx)
	cancel()
	// Such a call may succeed all the same. It may not pretend to be fenced.
	if _, err := s.Open(ctx, id, at(2, 2)); errors.Is(err, driver.ErrFenced) {
		tr.errorf("Open with the newest token and a context that is done: %v; want success, or an error that is not driver.ErrFenced", err)
	}
	value := []byte("old")
	switch err := s.Write(ctx, id, at(2, 2), []byte("new")); {
	case errors.Is(err, driver.ErrFenced):
		tr.errorf("Write with the newest token and a context that is done: %v; want success, or an error that is not driver.ErrFenced", err)
	case err == nil:
		value = []byte("new")
	default: // unknown
		got, err := s.Open(tr.ctx, id, at(2, 3))
		if err != nil || !same(got, value) && !same(got, []byte("new")) {
			tr.errorf("after a Write that failed with its context: %s, %v", shown(got), err)
		}
		value = got
	}
	tr.opens(s, id, at(2, 3), value)
	tr.refuses(s, id, at(2, 2), "after all that")
}

// A write that failed may still happen, but not once a later call has succeeded.
func writeGivenUp(tr *fencedTrial) {
	s, other, id := tr.open(), tr.open(), tr.id("x")
	for i := range uint64(60) {
		f, next := at(i, 1), at(i, 1+i%2)
		tr.giveUp(s, id, f, i%3 == 0)
		want := []byte("later")
		if i%4 < 2 {
			seen, err := other.Open(tr.ctx, id, next)
			if err != nil {
				tr.errorf("Open: %w", err)
				return
			}
			want = seen
		} else {
			tr.writes(other, id, next, want)
		}
		for range 3 {
			tr.opens(other, id, next, want)
		}
	}
}

// giveUp writes with a context that is done before or meanwhile.
func (tr *fencedTrial) giveUp(s driver.FencedStore, id driver.Identity, f driver.Fence, before bool) {
	ctx, cancel := context.WithCancel(tr.ctx)
	if before {
		cancel()
	}
	var writer sync.WaitGroup
	writer.Go(func() {
		value := []byte("given up with " + f.String())
		err := s.Write(ctx, id, f, value)
		if err == nil {
			tr.opens(s, id, f, value)
		}
		if errors.Is(err, driver.ErrFenced) {
			tr.errorf("Write with %v: %w, although nobody has a larger token", f, err)
		}
	})
	cancel()
	writer.Wait()
}

// errLost is what a caller gets whose reply was lost.
var errLost = errors.New("drivertest: the reply was lost")

// losing loses replies of a store.
type losing struct {
	driver.FencedStore
	lose func() bool
}

// Open implements driver.FencedStore.
func (l *losing) Open(ctx context.Context, id driver.Identity, f driver.Fence) ([]byte, error) {
	value, err := l.FencedStore.Open(ctx, id, f)
	if err == nil && l.lose() {
		return nil, errLost
	}
	return value, err
}

// Write implements driver.FencedStore.
func (l *losing) Write(ctx context.Context, id driver.Identity, f driver.Fence, value []byte) error {
	if err := l.FencedStore.Write(ctx, id, f, value); err != nil || !l.lose() {
		return err
	}
	return errLost
}

func manyAtOnce(tr *fencedTrial) {
	racing(tr, func(s driver.FencedStore) driver.FencedStore { return s })
}

func manyWithLostReplies(tr *fencedTrial) {
	racing(tr, func(s driver.FencedStore) driver.FencedStore {
		return &losing{FencedStore: s, lose: func() bool { return rand.IntN(3) == 0 }}
	})
}

// racing lets 64 activations fight for each of a few identities, through four
// connections, and judges what they saw.
func racing(tr *fencedTrial, through func(driver.FencedStore) driver.FencedStore) {
	var stores []driver.FencedStore
	for range 4 {
		stores = append(stores, through(tr.open()))
	}
	for _, name := range []string{"x", "y"} {
		h := &history{trial: tr, id: tr.id(name)}
		var fighters sync.WaitGroup
		for i := range 64 {
			fighters.Go(func() { h.fight(stores[i%len(stores)]) })
		}
		fighters.Wait()
		h.judge()
		// At rest the newest goes on, and nobody else.
		last := slices.MaxFunc(h.acts, func(a, b *act) int { return a.fence.Compare(b.fence) })
		tr.refuses(stores[0], h.id, at(0, 1), "after a race")
		if len(tr.errs) == 0 && last.failed != nil {
			tr.errorf("the largest token %v was refused: %w", last.fence, last.failed)
		}
	}
}
