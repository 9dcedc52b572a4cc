package drivertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// patience bounds each case of the kit for fenced stores.
const patience = 2 * time.Minute

// FencedStores tests that an implementation of [driver.FencedStore] keeps the
// contract, in subtests. Each call of open gives a connection of its own to
// the same values, as each process of a cluster has one; a store in memory may
// give itself each time. What else is in the store is left alone: the kit
// makes up new identities, and does not delete them. It writes values of up to
// 1 MiB and needs about 4,000 calls.
func FencedStores(t *testing.T, open func(t *testing.T) driver.FencedStore) {
	for _, c := range fencedCases {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			trial := newFencedTrial(ctx, func() driver.FencedStore { return open(t) })
			c.run(trial)
			for _, err := range trial.errs {
				t.Error(err)
			}
		})
	}
}

// CheckFencedStore is [FencedStores] without a test: it returns what it found,
// each with the name of its case, and nil if the store keeps the contract. The
// context ends the calls that are under way.
func CheckFencedStore(ctx context.Context, open func() driver.FencedStore) []error {
	var errs []error
	for _, c := range fencedCases {
		trial := newFencedTrial(ctx, open)
		c.run(trial)
		for _, err := range trial.errs {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	return errs
}

// fencedTrial is one run of one case.
type fencedTrial struct {
	ctx   context.Context
	open  func() driver.FencedStore
	kinds string // begins the kinds of the case, and of no other

	mu   sync.Mutex // guards errs
	errs []error
}

func newFencedTrial(ctx context.Context, open func() driver.FencedStore) *fencedTrial {
	return &fencedTrial{ctx: ctx, open: open, kinds: "kit-" + rand.Text() + "-"}
}

func (tr *fencedTrial) errorf(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.errs = append(tr.errs, fmt.Errorf(format, args...))
}

// id makes an identity that no other case has.
func (tr *fencedTrial) id(name string) driver.Identity {
	return driver.Identity{Kind: tr.kinds + "Grain", Name: name}
}

// opens expects that a token may open an identity, and what it then reads.
func (tr *fencedTrial) opens(s driver.FencedStore, id driver.Identity, f driver.Fence, want []byte) {
	got, err := s.Open(tr.ctx, id, f)
	switch {
	case err != nil:
		tr.errorf("Open %.40s with %v: %w; want the value %s", id.Name, f, err, shown(want))
	case !same(got, want):
		tr.errorf("Open %.40s with %v gives %s; want %s", id.Name, f, shown(got), shown(want))
	}
}

// writes expects that a token may write an identity.
func (tr *fencedTrial) writes(s driver.FencedStore, id driver.Identity, f driver.Fence, value []byte) {
	if err := s.Write(tr.ctx, id, f, value); err != nil {
		tr.errorf("Write of %s to %.40s with %v: %w; want success", shown(value), id.Name, f, err)
	}
}

// refuses expects that a token has a successor.
func (tr *fencedTrial) refuses(s driver.FencedStore, id driver.Identity, f driver.Fence, why string) {
	if err := s.Write(tr.ctx, id, f, []byte("stale")); !errors.Is(err, driver.ErrFenced) {
		tr.errorf("Write to %.40s with %v, %s: %v; want driver.ErrFenced", id.Name, f, why, err)
	}
	if _, err := s.Open(tr.ctx, id, f); !errors.Is(err, driver.ErrFenced) {
		tr.errorf("Open %.40s with %v, %s: %v; want driver.ErrFenced", id.Name, f, why, err)
	}
}

// same tells no value from an empty one.
func same(a, b []byte) bool { return string(a) == string(b) && (a == nil) == (b == nil) }

func shown(value []byte) string {
	switch {
	case value == nil:
		return "no value"
	case len(value) > 40:
		return fmt.Sprintf("%q… (%d bytes)", value[:40], len(value))
	default:
		return fmt.Sprintf("%q", value)
	}
}

// at makes a token.
func at(term, seq uint64) driver.Fence { return driver.Fence{Term: term, Seq: seq} }
