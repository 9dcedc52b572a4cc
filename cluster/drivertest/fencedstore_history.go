package drivertest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/granary-go/granary/cluster/driver"
)

// history is what several activations of one identity did with a store. Since
// only the largest token that was seen may act, the acts that succeeded have
// one possible order: by token, and within a token as its activation did them.
// So the history can be judged without a search.
type history struct {
	trial *fencedTrial
	id    driver.Identity

	tokens  atomic.Uint64 // the last term that was given out
	started atomic.Uint64 // the largest term with which somebody began to open
	opened  atomic.Uint64 // the largest term that has opened

	mu   sync.Mutex // guards acts
	acts []*act
}

// act is what one activation did: it opened, and wrote until it was refused.
type act struct {
	fence  driver.Fence
	opened bool
	seen   []byte
	writes []write
	failed error // the refusal of Open
}

type write struct {
	value []byte
	maybe bool // its reply was lost, and it was refused when it was sent again
}

// fight is the life of several activations, one after the other, which do not
// know about those in other goroutines.
func (h *history) fight(s driver.FencedStore) {
	for range 3 {
		a := &act{fence: at(h.tokens.Add(1), 1)}
		h.mu.Lock()
		h.acts = append(h.acts, a)
		h.mu.Unlock()
		raise(&h.started, a.fence.Term)
		lost := false
		before := h.opened.Load()
		for {
			a.seen, a.failed = s.Open(h.trial.ctx, h.id, a.fence)
			if !errors.Is(a.failed, errLost) {
				break
			}
			lost = true
		}
		if lost {
			raise(&h.opened, a.fence.Term) // one that was lost had done it
		}
		if !h.plausible("Open", a.fence, before, a.failed) {
			continue
		}
		raise(&h.opened, a.fence.Term)
		a.opened = true
		for i := range 3 {
			if !h.write(s, a, i) {
				break
			}
		}
	}
}

// write writes once, until there is a reply, and reports whether the
// activation may go on.
func (h *history) write(s driver.FencedStore, a *act, i int) bool {
	w := write{value: fmt.Appendf(nil, "%v, value %d", a.fence, i)}
	if i == 1 && a.fence.Term%4 == 0 {
		w.value = nil
	}
	lost := false
	for {
		before := h.opened.Load()
		err := s.Write(h.trial.ctx, h.id, a.fence, w.value)
		if errors.Is(err, errLost) {
			lost = true
			continue
		}
		ok := h.plausible("Write", a.fence, before, err)
		if w.maybe = !ok && lost; ok || lost {
			a.writes = append(a.writes, w)
		}
		return ok
	}
}

// plausible reports whether a call has succeeded, and notes a reply that
// cannot be: success although a larger token had opened before the call began, or a
// refusal although no larger one has begun to.
func (h *history) plausible(what string, f driver.Fence, before uint64, err error) bool {
	switch {
	case err == nil && before > f.Term:
		h.trial.errorf("%s with %v succeeded, although %v had opened before", what, f, at(before, 1))
	case err == nil:
	case !errors.Is(err, driver.ErrFenced):
		h.trial.errorf("%s with %v: %w", what, f, err)
	case h.started.Load() <= f.Term:
		h.trial.errorf("%s with %v: %w; want success, nobody had a larger token", what, f, err)
	}
	return err == nil
}

// judge compares what each activation read with what those before it wrote.
func (h *history) judge() {
	slices.SortFunc(h.acts, func(a, b *act) int { return a.fence.Compare(b.fence) })
	possible, writer := [][]byte{nil}, driver.Fence{}
	for _, a := range h.acts {
		if a.opened {
			if !slices.ContainsFunc(possible, func(v []byte) bool { return same(v, a.seen) }) {
				h.trial.errorf("Open with %v gives %s; want %s, which %v wrote last", a.fence, shown(a.seen), shown(possible[0]), writer)
				return
			}
			possible = [][]byte{a.seen}
		}
		for _, w := range a.writes {
			if !w.maybe {
				possible, writer = nil, a.fence
			}
			possible = append(possible, w.value)
		}
	}
}

// raise makes a number at least n.
func raise(a *atomic.Uint64, n uint64) {
	for old := a.Load(); old < n && !a.CompareAndSwap(old, n); {
		old = a.Load()
	}
}
