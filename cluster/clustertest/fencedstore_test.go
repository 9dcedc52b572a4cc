package clustertest

import (
	"context"
	"errors"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/drivertest"
)

var grain = driver.Identity{Kind: "Account", Name: "a/b"}

func token(seq uint64) driver.Fence { return driver.Fence{Term: 1, Seq: seq} }

func TestFencedStore(t *testing.T) {
	s := NewFencedStore()
	drivertest.FencedStores(t, func(*testing.T) driver.FencedStore { return s })
}

func (s *FencedStore) has(t *testing.T, f driver.Fence, value string, refused int) {
	t.Helper()
	if got := s.Value(grain); s.Token(grain) != f || string(got) != value || s.Refused() != refused {
		t.Errorf("token %v, value %q, %d refused; want %v, %q, %d", s.Token(grain), got, s.Refused(), f, value, refused)
	}
}

func TestFencedStoreFails(t *testing.T) {
	s := NewFencedStore()
	s.has(t, driver.Fence{}, "", 0)
	s.FailWrites(1)
	if err := s.Write(t.Context(), grain, token(1), []byte("x")); !errors.Is(err, ErrInjected) {
		t.Errorf("a write that is to fail: %v", err)
	}
	s.has(t, driver.Fence{}, "", 0)
	s.LoseReplies(1)
	if err := s.Write(t.Context(), grain, token(1), []byte("y")); !errors.Is(err, ErrInjected) {
		t.Errorf("a write whose reply is to be lost: %v", err)
	}
	s.has(t, token(1), "y", 0)
	if err := s.Write(t.Context(), grain, token(2), []byte("z")); err != nil {
		t.Error(err)
	}
	if err := s.Write(t.Context(), grain, token(1), nil); !errors.Is(err, driver.ErrFenced) {
		t.Errorf("a stale write: %v", err)
	}
	s.has(t, token(2), "z", 1)
}

func TestFencedStoreHolds(t *testing.T) {
	s := NewFencedStore()
	if err := s.AwaitHeld(t.Context(), 1); err == nil {
		t.Error("waited for writes that are not held")
	}
	s.Hold()
	ctx, giveUp := context.WithCancel(t.Context())
	givenUp, stale := make(chan error, 1), make(chan error, 1)
	go func() { givenUp <- s.Write(ctx, grain, token(1), []byte("late")) }()
	if err := s.AwaitHeld(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	giveUp()
	if err := <-givenUp; !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	s.has(t, driver.Fence{}, "", 0)
	s.Release()
	s.has(t, token(1), "late", 0)

	// What was given up does not come after a call that succeeded, not even of
	// the same activation. What waits meets the newer token.
	s.Hold()
	ctx, giveUp = context.WithCancel(t.Context())
	go func() { givenUp <- s.Write(ctx, grain, token(2), []byte("too late")) }()
	go func() { stale <- s.Write(t.Context(), grain, token(1), []byte("stale")) }()
	if err := s.AwaitHeld(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	giveUp()
	<-givenUp
	if v, err := s.Open(t.Context(), grain, token(2)); err != nil || string(v) != "late" {
		t.Errorf("opened: %q, %v", v, err)
	}
	s.Release()
	if err := <-stale; !errors.Is(err, driver.ErrFenced) {
		t.Errorf("stale: %v", err)
	}
	s.has(t, token(2), "late", 1)
}
