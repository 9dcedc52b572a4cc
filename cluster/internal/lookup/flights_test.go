package lookup

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/granary-go/granary/cluster/driver"
)

var alice = Question{Identity: driver.Identity{Kind: "K", Name: "alice"}}

// TestAnAnswerInTheInstantOfTheEnd resolves with a context that is done as the
// answer comes: whoever asked gets the one or the other, and not an activation
// of nobody.
func TestAnAnswerInTheInstantOfTheEnd(t *testing.T) {
	f := NewFlights(t.Context(), "nobody has answered")
	done := make(chan struct{})
	close(done)
	f.under[alice] = &Flight{
		all: f, askers: 1, cancel: func() {}, done: done, found: Activation{Member: driver.Member{ID: "m"}},
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // which of two open channels a select takes is chance
		if found, err := f.Resolve(ctx, alice, nil); err == nil && found.Member.ID != "m" {
			t.Fatalf("%+v without an error", found)
		}
	}
}

// Callers of one question share an answer, and a question after it is a new one.
func TestOneFlightForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFlights(t.Context(), "nobody has answered")
		var begun atomic.Int32
		answer := make(chan Activation)
		find := func(context.Context, *Flight) (Activation, error) {
			begun.Add(1)
			return <-answer, nil
		}
		got := make(chan driver.MemberID, 3)
		for range 3 {
			go func() {
				found, _ := f.Resolve(t.Context(), alice, find)
				got <- found.Member.ID
			}()
		}
		synctest.Wait()
		answer <- Activation{Member: driver.Member{ID: "m"}}
		for range 3 {
			if id := <-got; id != "m" {
				t.Errorf("found %q", id)
			}
		}
		if n := begun.Load(); n != 1 || f.Under() != 0 {
			t.Errorf("%d flights were begun, %d are under way", n, f.Under())
		}
		go func() { answer <- Activation{} }()
		if _, err := f.Resolve(t.Context(), alice, find); err != nil || begun.Load() != 2 {
			t.Errorf("the next question: %v, flight %d", err, begun.Load())
		}
		f.Close()
		f.Wait()
	})
}

// The last of those who ask ends the flight, and is told what stood in the way.
func TestTheLastOneOutEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFlights(t.Context(), "nobody has answered")
		silent := func(ctx context.Context, _ *Flight) (Activation, error) {
			<-ctx.Done()
			return Activation{}, ErrClosed
		}
		hindered := func(ctx context.Context, flight *Flight) (Activation, error) {
			flight.Hindered(ErrNoHost)
			return silent(ctx, flight)
		}
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := f.Resolve(ctx, alice, silent)
			failed <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) || err.Error() != "lookup: nobody has answered: context canceled" {
			t.Errorf("who gave up was told %v", err)
		}
		f.Wait()
		ctx, cancel = context.WithCancel(t.Context())
		go func() {
			_, err := f.Resolve(ctx, alice, hindered)
			failed <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-failed; !errors.Is(err, ErrNoHost) || !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up was told %v, want ErrNoHost", err)
		}
		f.Close()
		f.Wait()
		if _, err := f.Resolve(t.Context(), alice, silent); !errors.Is(err, ErrClosed) {
			t.Errorf("a question behind Close: %v", err)
		}
	})
}
