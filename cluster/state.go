package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
)

// ErrNotStrict is returned by a [State] of a kind without a store.
var ErrNotStrict = errors.New("cluster: the kind has no store: make it with WithStrict")

// State is the stored value of a strict grain ([WithStrict]). The grain's first
// Load or Save opens the value with the activation's token, so that no write of
// an older activation is accepted from then on.
//
// What a turn has sent and answered gets out once it is over and its last Save
// has been acknowledged. If it was not, nothing gets out: the messages are dead
// letters, and a call fails with [ErrUnknownOutcome]. An activation that learns
// that it has a successor stops.
//
// It is used by the grain that it belongs to, in its turns.
type State struct {
	id    driver.Identity
	fence driver.Fence
	store driver.FencedStore // nil for kinds that are not strict

	mu     sync.Mutex // guards the fields below: a turn may save from goroutines that it waits for
	opened bool
	value  []byte
	unsure bool // the last Save was not acknowledged
	wrote  bool // there was a Save in this turn
	fenced bool
}

// StateOf gives the state of the activation whose actor has this context; for
// actors that are no generated grains, whose context has it itself.
func StateOf(ctx actor.Context) *State {
	if c := From(ctx.ActorSystem()); c != nil {
		if act := c.activations.get(ctx.Self()); act != nil && act.state != nil {
			return act.state
		}
	}
	return new(State)
}

// Fence gives the token that the value is written with.
func (s *State) Fence() driver.Fence { return s.fence }

// Load gives the value; nil if none was stored. It asks the store the first
// time, and after a Save whose outcome is unknown. The value must not be
// changed. It fails with [driver.ErrFenced] if the activation has a successor.
func (s *State) Load(ctx context.Context) ([]byte, error) {
	if s.store == nil {
		return nil, ErrNotStrict
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	return s.value, nil
}

// Save stores a value in place of the last one, nil none at all, and returns
// when the store has acknowledged it. The value must not be changed any more.
// It fails with [driver.ErrFenced] if the activation has a successor, and
// nothing was written; after another error it is unknown whether it was.
func (s *State) Save(ctx context.Context, value []byte) error {
	if s.store == nil {
		return ErrNotStrict
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrote = true
	if err := s.open(ctx); err != nil {
		s.unsure = true
		return err
	}
	s.unsure = true
	if err := s.store.Write(ctx, s.id, s.fence, value); err != nil {
		s.opened = false
		return s.failed("save", err)
	}
	s.value, s.unsure = value, false
	return nil
}

// open reads the value, unless it is known.
func (s *State) open(ctx context.Context) error {
	if s.opened {
		return nil
	}
	value, err := s.store.Open(ctx, s.id, s.fence)
	if err != nil {
		return s.failed("open", err)
	}
	s.value, s.opened = value, true
	return nil
}

func (s *State) failed(what string, err error) error {
	s.fenced = s.fenced || errors.Is(err, driver.ErrFenced)
	return fmt.Errorf("cluster: %s the state of %s: %w", what, s.id, err)
}

// stored tells, at the end of a turn, whether what it has sent may get out, and
// begins the next one.
func (s *State) stored() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored := !s.unsure && !s.fenced
	s.unsure, s.wrote = false, false
	return stored
}

// untouched reports whether the turn has not tried to write.
func (s *State) untouched() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.wrote
}

// settled reports whether stored will say so, as far as the turn has come.
func (s *State) settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.unsure && !s.fenced
}

// superseded reports whether the store has said that there is a successor.
func (s *State) superseded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fenced
}
