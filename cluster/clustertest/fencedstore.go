package clustertest

import (
	"context"
	"errors"
	"sync"

	"github.com/granary-go/granary/cluster/driver"
)

// ErrInjected is what the writes fail with that a test has told to fail.
var ErrInjected = errors.New("clustertest: injected failure")

// FencedStore is a [driver.FencedStore] in memory, which a test can make fail,
// hold back or answer nothing, and look into. Make one with [NewFencedStore]
// and give it to cluster.WithStrict of the kinds of all clusters of the test.
// Its methods may be called from several goroutines.
type FencedStore struct {
	mu      sync.Mutex // guards the fields below
	values  map[driver.Identity]*fencedValue
	refused int
	fail    int
	lose    int
	held    *hold
}

// fencedValue is what the store has of one identity.
type fencedValue struct {
	token driver.Fence
	value []byte
	acts  uint64 // counts what has succeeded
}

// hold is a door that writes wait at.
type hold struct {
	open    chan struct{} // closed when they may go on
	changed chan struct{} // closed, and made anew, when one more waits
	waiting int
	late    []func() // the writes whose callers have given up
}

// NewFencedStore makes a store without values.
func NewFencedStore() *FencedStore {
	return &FencedStore{values: make(map[driver.Identity]*fencedValue)}
}

// Open implements driver.FencedStore.
func (s *FencedStore) Open(ctx context.Context, id driver.Identity, f driver.Fence) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.admit(id, f)
	if err != nil {
		return nil, err
	}
	return v.value, nil
}

// Write implements driver.FencedStore. A Write that is held returns when its
// context is done; what it would write stays under way, as a packet does, and
// reaches the store with the others, where it has no effect if any Open or
// Write of the identity has succeeded since.
func (s *FencedStore) Write(ctx context.Context, id driver.Identity, f driver.Fence, value []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != nil {
		if err := s.wait(ctx, s.held, id, f, value); err != nil {
			return err
		}
	}
	if s.fail > 0 {
		s.fail--
		return ErrInjected
	}
	v, err := s.admit(id, f)
	if err != nil {
		return err
	}
	v.value = value
	if s.lose > 0 {
		s.lose--
		return ErrInjected
	}
	return nil
}

// wait waits at a door. The mutex is free meanwhile.
func (s *FencedStore) wait(ctx context.Context, h *hold, id driver.Identity, f driver.Fence, value []byte) error {
	before := s.of(id).acts
	h.waiting++
	close(h.changed)
	h.changed = make(chan struct{})
	s.mu.Unlock()
	var err error
	select {
	case <-h.open:
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.mu.Lock()
	if s.held != h { // it was opened in the same instant
		return nil
	}
	h.late = append(h.late, func() {
		if s.of(id).acts != before {
			return
		}
		if v, err := s.admit(id, f); err == nil {
			v.value = value
		}
	})
	return err
}

func (s *FencedStore) of(id driver.Identity) *fencedValue {
	if s.values[id] == nil {
		s.values[id] = new(fencedValue)
	}
	return s.values[id]
}

// admit raises the token of an identity, or refuses.
func (s *FencedStore) admit(id driver.Identity, f driver.Fence) (*fencedValue, error) {
	v := s.of(id)
	if f.Compare(v.token) < 0 {
		s.refused++
		return nil, driver.ErrFenced
	}
	v.token = f
	v.acts++
	return v, nil
}

// FailWrites lets the next n writes fail with [ErrInjected], without effect.
func (s *FencedStore) FailWrites(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = n
}

// LoseReplies lets the next n writes that succeed return [ErrInjected] all the
// same.
func (s *FencedStore) LoseReplies(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose = n
}

// Hold lets all writes that begin from now on wait until Release.
func (s *FencedStore) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil {
		s.held = &hold{open: make(chan struct{}), changed: make(chan struct{})}
	}
}

// Release lets the writes that are held reach the store, first those whose
// callers have given up, and holds no more.
func (s *FencedStore) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held
	if h == nil {
		return
	}
	s.held = nil
	for _, write := range h.late {
		write()
	}
	close(h.open)
}

// AwaitHeld waits until n writes have come since Hold, or returns the
// context's error. It fails at once if nothing is held.
func (s *FencedStore) AwaitHeld(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		h := s.held
		if h == nil {
			s.mu.Unlock()
			return errors.New("clustertest: writes are not held; call Hold first")
		}
		enough, changed := h.waiting >= n, h.changed
		s.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-changed:
		case <-h.open:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Value gives the value of an identity; nil if there is none. It raises no
// token. The caller does not change it.
func (s *FencedStore) Value(id driver.Identity) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.values[id]; v != nil {
		return v.value
	}
	return nil
}

// Token gives the largest token that has opened or written an identity; zero
// if none has.
func (s *FencedStore) Token(id driver.Identity) driver.Fence {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.values[id]; v != nil {
		return v.token
	}
	return driver.Fence{}
}

// Refused counts the calls that were refused because their token was too old.
func (s *FencedStore) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}
