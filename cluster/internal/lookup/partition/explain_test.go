package partition

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/explanation"
	"github.com/granary-go/granary/cluster/internal/lookup"
	"github.com/granary-go/granary/internal/placement"
)

var told = []explanation.Transition{
	{At: time.Unix(0, 5), What: "refused", Why: "w", Token: "t", Host: &explanation.Member{ID: "h"}},
	{At: time.Unix(1, 0), What: "opened", Term: 1 << 60},
}

func TestExplanationsCross(t *testing.T) {
	for _, m := range []any{
		&explainRequest{alice, 7},
		&ownerSays{Owner: explanation.Owner{Member: refOf("m"), State: slotNotOwned}},
		&ownerSays{history: told, Owner: explanation.Owner{
			Member: refOf("m"), Epoch: 1 << 60, State: slotAcquiring, Term: 3, Missing: []explanation.Member{refOf("a"), refOf("b")},
			MissingCount: 40, Waiting: 2,
			Entry:  &explanation.Entry{Phase: "granting", Token: "t", Host: refOf("h"), Asking: true, Resent: 3, Silent: true, Waiting: 5},
			Losers: 1,
		}},
		&hostSays{history: told, Host: explanation.Host{
			Member: refOf("m"), Epoch: 4, Promised: 3, PromisedTo: refOf("o"), Seq: 9, Phase: "running", Token: "t",
			Notices: 1, Lease: "valid", Leaving: true,
		}},
	} {
		name, data, ok, err := Codec{}.Encode(m)
		if !ok || err != nil {
			t.Fatalf("%+v: %v, %v", m, ok, err)
		}
		again, ok, err := Codec{}.Decode(name, data)
		if !ok || err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v becomes %+v; %v, %v", m, again, ok, err)
		}
	}
}

// What members say does not go beyond the limits.
func TestExplanationsAreBounded(t *testing.T) {
	long := strings.Repeat("x", maxWord+1)
	for what, m := range map[string]any{
		"no identity":      &explainRequest{driver.Identity{Kind: "k"}, 1},
		"long kind":        &explainRequest{driver.Identity{Kind: strings.Repeat("k", driver.MaxKindLength+1), Name: "n"}, 1},
		"long state":       &ownerSays{Owner: explanation.Owner{State: long}},
		"long missing":     &ownerSays{Owner: explanation.Owner{Missing: []explanation.Member{refOf(long)}}},
		"many missing":     &ownerSays{Owner: explanation.Owner{Missing: make([]explanation.Member, maxMissing+1)}},
		"long token":       &ownerSays{Owner: explanation.Owner{Entry: &explanation.Entry{Token: long}}},
		"long lease":       &hostSays{Host: explanation.Host{Lease: long}},
		"many transitions": &hostSays{history: make([]explanation.Transition, maxTransitions+1)},
		"long transition":  &hostSays{history: []explanation.Transition{{What: long}}},
	} {
		name, data, _, err := Codec{}.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if again, ok, err := (Codec{}).Decode(name, data); !ok || !errors.Is(err, errMalformed) {
			t.Errorf("%s: %+v, %v, %v; want errMalformed", what, again, ok, err)
		}
	}
	name, data, _, _ := Codec{}.Encode(&explainRequest{alice, 1 << 20})
	if r, _, err := (Codec{}).Decode(name, data); err != nil || r.(*explainRequest).Transitions != maxTransitions {
		t.Errorf("a request for very many transitions: %+v, %v", r, err)
	}
	for _, name := range []string{explainName, ownerName, hostName} {
		if m, ok, err := (Codec{}).Decode(name, []byte("\xff\xff")); !ok || err == nil || m != nil {
			t.Errorf("%s of noise: %v, %v, %v", name, m, ok, err)
		}
	}
}

func explained(ctx context.Context, l *Lookup, id driver.Identity, also driver.MemberID) (said explanation.Explanation, err error) {
	err = l.Explain(ctx, id, also, &said)
	return said, err
}

func TestExplainNeedsAView(t *testing.T) {
	l, _, view := newLookup(t)
	if _, err := explained(short(t), l, alice, ""); !errors.Is(err, lookup.ErrNoView) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a view: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		e, err := explained(t.Context(), l, alice, "")
		if err == nil && (e.Owner == nil || e.Owner.Member.ID != "a" || e.Epoch != 5) {
			err = fmt.Errorf("%+v", e)
		}
		done <- err
	}()
	l.SetView(view)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestExplainAfterClose(t *testing.T) {
	l, _, view := newLookup(t)
	l.SetView(view)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := explained(t.Context(), l, alice, ""); !errors.Is(err, lookup.ErrClosed) {
		t.Errorf("%v; want lookup.ErrClosed", err)
	}
}

// A view without active members has no owners.
func TestExplainWithoutAnOwner(t *testing.T) {
	l, _, view := newLookup(t)
	view.Members[0].State = driver.Leaving
	l.SetView(view)
	e, err := explained(t.Context(), l, alice, "")
	if err != nil || e.Owner != nil || len(e.Silent) != 0 || len(e.Hosts) != 1 || e.Hosting != 0 {
		t.Errorf("%+v, %v", e, err)
	}
}

// Nothing is activated by being explained, and what is told agrees with what
// is.
func TestExplainChangesNothing(t *testing.T) {
	l, s, view := newLookup(t)
	l.SetView(view)
	for range 3 {
		if _, err := explained(t.Context(), l, alice, ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.starts.Load(); n != 0 {
		t.Errorf("%d activations", n)
	}
	found, err := l.Resolve(t.Context(), alice, "", driver.Fence{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := explained(t.Context(), l, alice, "")
	if err != nil || e.Owner.Entry == nil || e.Owner.Entry.Token != found.Fence.String() || len(e.Hosts) != 1 ||
		e.Hosts[0].Token != found.Fence.String() || e.Hosts[0].Member.Address != found.Member.Address || e.Slot != int(placement.SlotOf(alice)) {
		t.Errorf("%+v, %v; want %v", e, err, found)
	}
}

// Anybody may ask at any time, also before the first view.
func TestExplainBeforeTheFirstView(t *testing.T) {
	l, _, _ := newLookup(t)
	root := l.cfg.System.Root
	owner, err := actor.Ask[*ownerSays](t.Context(), root, l.owner, newExplainRequest(alice))
	if err != nil || owner.State != slotNotOwned || owner.Entry != nil {
		t.Errorf("owner: %+v, %v", owner, err)
	}
	host, err := actor.Ask[*hostSays](t.Context(), root, l.host, newExplainRequest(alice))
	if err != nil || host.Phase != "" || host.Promised != 0 {
		t.Errorf("host: %+v, %v", host, err)
	}
}

// Who wants no history gets none, and nobody gets more than the limit.
func TestExplainedHistoryIsBounded(t *testing.T) {
	l, _, view := newLookup(t)
	for range maxTransitions {
		l.SetView(view)
		view.Epoch += 2 // it owned the slot in no view before: it acquires it anew
		if _, err := l.SurveyOwner(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Resolve(t.Context(), alice, "", driver.Fence{}); err != nil {
			t.Fatal(err)
		}
	}
	for limit, want := range map[int]int{-1: 0, 0: 0, 1: 1, 3: 3, 1 << 30: maxTransitions} {
		owner, err := actor.Ask[*ownerSays](t.Context(), l.cfg.System.Root, l.owner, &explainRequest{alice, limit})
		if err != nil || len(owner.history) != want {
			t.Errorf("%d transitions of %d, %v; want %d", len(owner.history), limit, err, want)
		}
	}
}
