package drivertest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// flaws are what a store may have got wrong.
type flaws struct {
	key     func(driver.Identity) string
	compare func(f, o driver.Fence) int
	perOpen bool // the token is one of the connection's

	fencesNothing, openDoesNotRaise, writeDoesNotRaise, openIsNotFenced, writeIsNotFenced bool
	refusesEqual, oncesAreGood, newerIsRefused, refusalWrites, refusalLowers              bool
	forgetsOnDelete, emptyIsNone, oneBuffer, changesGiven, limited, window                bool
	doneIsFenced, writesLate                                                              bool
}

// kept is what a store has of one identity.
type kept struct {
	fence driver.Fence
	value []byte
	onces map[driver.Fence]bool
	late  [][]byte
}

// flawed is a store in memory that is right, but for its flaws.
type flawed struct {
	flaws
	*shelf
	marks map[string]driver.Fence // of the connection
}

type shelf struct {
	mu     sync.Mutex // guards the fields below
	kept   map[string]*kept
	buffer []byte
}

func opener(f flaws) func() driver.FencedStore {
	s := &shelf{kept: make(map[string]*kept)}
	if f.key == nil {
		f.key = func(id driver.Identity) string { return fmt.Sprintf("%q %q", id.Kind, id.Name) }
	}
	if f.compare == nil {
		f.compare = driver.Fence.Compare
	}
	return func() driver.FencedStore { return &flawed{flaws: f, shelf: s, marks: make(map[string]driver.Fence)} }
}

func (s *flawed) of(id driver.Identity) (string, *kept) {
	key := s.key(id)
	if s.kept[key] == nil {
		s.kept[key] = &kept{onces: make(map[driver.Fence]bool)}
	}
	return key, s.kept[key]
}

// admits applies a token to an identity, and says whether it is good.
func (s *flawed) admits(key string, k *kept, f driver.Fence, checks, raises bool) bool {
	mark := &k.fence
	if s.perOpen {
		own := s.marks[key]
		mark = &own
		defer func() { s.marks[key] = *mark }()
	}
	order := s.compare(f, *mark)
	good := order > 0 || order == 0 && !s.refusesEqual || mark.IsZero() || s.fencesNothing || s.oncesAreGood && k.onces[f] || !checks
	if s.newerIsRefused && order > 0 && !mark.IsZero() && f.Term > mark.Term {
		good = false
	}
	if good && raises && (order > 0 || s.fencesNothing || mark.IsZero()) || !good && s.refusalLowers {
		*mark = f
	}
	k.onces[f] = k.onces[f] || good
	return good
}

func (s *flawed) Open(ctx context.Context, id driver.Identity, f driver.Fence) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		if s.doneIsFenced {
			return nil, driver.ErrFenced
		}
		return nil, ctx.Err()
	}
	key, k := s.of(id)
	if !s.admits(key, k, f, !s.openIsNotFenced, !s.openDoesNotRaise) {
		return nil, driver.ErrFenced
	}
	read := k.value
	if len(k.late) > 0 {
		k.value, k.late = k.late[0], k.late[1:]
	}
	if s.emptyIsNone && len(read) == 0 {
		return nil, nil
	}
	if s.oneBuffer && read != nil {
		s.buffer = append(s.buffer[:0], read...)
		return s.buffer, nil
	}
	return bytes.Clone(read), nil
}

func (s *flawed) Write(ctx context.Context, id driver.Identity, f driver.Fence, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, k := s.of(id)
	switch {
	case ctx.Err() != nil && s.writesLate:
		k.late = append(k.late, bytes.Clone(value))
		return ctx.Err()
	case ctx.Err() != nil && s.doneIsFenced:
		return driver.ErrFenced
	case ctx.Err() != nil:
		return ctx.Err()
	case s.limited && len(value) >= 1<<16:
		return fmt.Errorf("a value of %d bytes is too large", len(value))
	}
	good := s.admits(key, k, f, !s.writeIsNotFenced, !s.writeDoesNotRaise)
	if s.window {
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
	}
	if good || s.refusalWrites {
		k.value = bytes.Clone(value)
	}
	if s.forgetsOnDelete && value == nil {
		delete(s.kept, key)
	}
	if s.changesGiven && k.value != nil {
		defer func(kept []byte) { k.value = kept; clear(value) }(k.value)
	}
	if !good {
		return driver.ErrFenced
	}
	return nil
}

func TestSoundStore(t *testing.T) {
	open := opener(flaws{})
	FencedStores(t, func(*testing.T) driver.FencedStore { return open() })
	for _, err := range CheckFencedStore(t.Context(), open) {
		t.Error(err)
	}
}

func TestFlawedStoresAreRefused(t *testing.T) {
	text := func(f driver.Fence) string { return fmt.Sprintf("%d.%d", f.Term, f.Seq) }
	for name, f := range map[string]flaws{
		"no fencing at all":                     {fencesNothing: true},
		"Open does not raise":                   {openDoesNotRaise: true},
		"Open is not fenced":                    {openIsNotFenced: true},
		"Write does not raise":                  {writeDoesNotRaise: true},
		"Write is not fenced, last one wins":    {writeIsNotFenced: true},
		"the token is the connection's":         {perOpen: true},
		"an equal token is refused":             {refusesEqual: true},
		"what was good once is good for ever":   {oncesAreGood: true},
		"a newer term is refused":               {newerIsRefused: true},
		"what is refused is written":            {refusalWrites: true},
		"what is refused lowers the token":      {refusalLowers: true},
		"the token is forgotten with the value": {forgetsOnDelete: true},
		"empty is none":                         {emptyIsNone: true},
		"one buffer for all":                    {oneBuffer: true},
		"what was given is changed":             {changesGiven: true},
		"large values are refused":              {limited: true},
		"check, then write":                     {window: true},
		"a context that is done is a fence":     {doneIsFenced: true},
		"what was given up is written late":     {writesLate: true},
		"compares the seq only":                 {compare: func(f, o driver.Fence) int { return driver.Fence{Seq: f.Seq}.Compare(driver.Fence{Seq: o.Seq}) }},
		"compares the term only":                {compare: func(f, o driver.Fence) int { return driver.Fence{Term: f.Term}.Compare(driver.Fence{Term: o.Term}) }},
		"compares the seq first":                {compare: func(f, o driver.Fence) int { return at(f.Seq, f.Term).Compare(at(o.Seq, o.Term)) }},
		"compares texts":                        {compare: func(f, o driver.Fence) int { return strings.Compare(text(f), text(o)) }},
		"compares signed numbers": {compare: func(f, o driver.Fence) int {
			return at(f.Term+1<<63, f.Seq+1<<63).Compare(at(o.Term+1<<63, o.Seq+1<<63))
		}},
		"compares 32 bits": {compare: func(f, o driver.Fence) int { return at(f.Term<<32, f.Seq<<32).Compare(at(o.Term<<32, o.Seq<<32)) }},
		"compares floats":  {compare: compareFloats},
		"joins by a slash": {key: driver.Identity.String},
		"ignores the kind": {key: func(id driver.Identity) string { return id.Kind[:10] + id.Name }},
		"ignores case":     {key: func(id driver.Identity) string { return strings.ToLower(fmt.Sprintf("%q %q", id.Kind, id.Name)) }},
		"cuts names":       {key: func(id driver.Identity) string { return fmt.Sprintf("%q %.255q", id.Kind, id.Name) }},
		"trims names":      {key: func(id driver.Identity) string { return fmt.Sprintf("%q %q", id.Kind, strings.TrimSpace(id.Name)) }},
	} {
		t.Run(name, func(t *testing.T) {
			errs := CheckFencedStore(t.Context(), opener(f))
			if len(errs) == 0 {
				t.Fatal("not noticed")
			}
			t.Logf("%d findings; the first: %.200v", len(errs), errs[0])
		})
	}
}

func compareFloats(f, o driver.Fence) int {
	return cmp.Or(cmp.Compare(float64(f.Term), float64(o.Term)), cmp.Compare(float64(f.Seq), float64(o.Seq)))
}
