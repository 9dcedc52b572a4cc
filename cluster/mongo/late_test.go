package mongo

import (
	"context"
	"errors"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/mongo/mongotest"
)

// trial is a store that does something between its first read and its first
// insert, and another one beside it.
type trial struct {
	t           *testing.T
	server      *mongotest.Server
	late, other driver.EntryStore
	era         driver.Era
	between     func()
}

func newTrial(t *testing.T) *trial {
	t.Helper()
	tr := &trial{t: t, server: mongotest.Start(t)}
	var once sync.Once
	watched := tr.server.Options().SetMonitor(&event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if e.CommandName == "insert" && tr.between != nil {
			once.Do(tr.between)
		}
	}})
	var err error
	if tr.late, err = New(watched).OpenEntries(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if tr.other, err = New(tr.server.Options()).OpenEntries(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(tr.late.Close(), tr.other.Close()); err != nil {
			t.Error(err)
		}
	})
	tr.begin(5)
	return tr
}

func (tr *trial) begin(number uint64) {
	next := driver.Era{EraID: driver.EraID{Number: number, Founder: "m1-1"}, Incarnation: "views", Open: true}
	if err := tr.other.WriteEra(tr.t.Context(), tr.era, next); err != nil {
		tr.t.Fatal(err)
	}
	tr.era = next
}

func (tr *trial) entry(m driver.MemberID) driver.Entry {
	return driver.Entry{Identity: driver.Identity{Kind: "Counter", Name: "alice"}, Member: m, Address: "10.0.0.1:1", Epoch: 3, Era: tr.era.EraID}
}

func (tr *trial) claim() driver.Entry {
	e, err := tr.other.Claim(tr.t.Context(), tr.entry("m2"), driver.Fence{})
	if err != nil {
		tr.t.Fatal(err)
	}
	return e
}

func (tr *trial) release(e driver.Entry) {
	if err := tr.other.Release(tr.t.Context(), e.Identity, e.Token); err != nil {
		tr.t.Fatal(err)
	}
}

// documents counts those of activations.
func (tr *trial) documents() int64 {
	n, err := tr.server.Client(tr.t).Database(DefaultDatabase).Collection("entries.shop").
		CountDocuments(tr.t.Context(), bson.D{{Key: "kind", Value: "Counter"}})
	if err != nil {
		tr.t.Fatal(err)
	}
	return n
}

// A claim whose number was used, and whose document was deleted, while it was on
// its way, loses.
func TestClaimWithANumberThatWasUsed(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.release(tr.claim())
	var there driver.Entry
	tr.between = func() {
		tr.release(tr.claim())
		there = tr.claim()
	}
	got, err := tr.late.Claim(t.Context(), tr.entry("m3"), driver.Fence{})
	if !errors.Is(err, driver.ErrClaimed) || got != there || there.Token.Seq != 3 {
		t.Errorf("a late claim: %+v, %v; want driver.ErrClaimed and %+v", got, err, there)
	}
	if n := tr.documents(); n != 1 {
		t.Errorf("%d documents are left; want 1", n)
	}
}

// A claim of an era that has ended while it was on its way is refused, and what it
// has written counts for nothing.
func TestClaimOfAnEraThatEnded(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*trial){
		"another began": func(tr *trial) { tr.begin(6) },
		"emptied":       func(tr *trial) { tr.server.Empty(tr.t, DefaultDatabase) },
		"emptied, and another began": func(tr *trial) {
			tr.server.Empty(tr.t, DefaultDatabase)
			tr.era = driver.Era{}
			tr.begin(6)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t)
			tr.between = func() { end(tr) }
			e := tr.entry("m3")
			if got, err := tr.late.Claim(t.Context(), e, driver.Fence{}); !errors.Is(err, driver.ErrEra) {
				t.Errorf("a late claim: %+v, %v; want driver.ErrEra", got, err)
			}
			if got, err := tr.other.Read(t.Context(), e.Identity); err != nil || !got.IsZero() {
				t.Errorf("Read afterwards: %+v, %v; want nothing", got, err)
			}
			if name == "emptied" {
				tr.era = driver.Era{}
				tr.begin(6)
			}
			if e := tr.claim(); e.Token != (driver.Fence{Term: 6, Seq: 1}) {
				t.Errorf("the next claim has the token %v; want the first of era 6", e.Token)
			}
		})
	}
}

// A member that joins an era while the database is emptied brings its record back,
// but no claim of that era is taken, as the entries are gone.
func TestRecordThatComesBack(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.claim()
	tr.between = func() { tr.server.Empty(t, DefaultDatabase) }
	next := tr.era
	next.Joined = []driver.MemberID{"m1"}
	if err := tr.late.WriteEra(t.Context(), tr.era, next); err != nil && !errors.Is(err, driver.ErrEra) {
		t.Error(err)
	}
	if e, err := tr.other.Claim(t.Context(), tr.entry("m3"), driver.Fence{}); !errors.Is(err, driver.ErrEra) {
		t.Errorf("a claim afterwards: %+v, %v; want driver.ErrEra", e, err)
	}
}

// What is left of released identities goes when an era begins; within an era it stays,
// and the numbers rise.
func TestReleasedDocumentsGoWithTheirEra(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.release(tr.claim())
	tr.release(tr.claim())
	if n := tr.documents(); n != 1 {
		t.Errorf("%d documents after two activations; want 1", n)
	}
	tr.begin(6)
	if n := tr.documents(); n != 0 {
		t.Errorf("%d documents in the next era; want none", n)
	}
}

// Before there is an era nothing is claimed, not even without one.
func TestNoEra(t *testing.T) {
	t.Parallel()
	s, err := New(mongotest.Start(t).Options()).OpenEntries(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e := driver.Entry{Identity: driver.Identity{Kind: "Counter", Name: "alice"}, Member: "m1", Address: "10.0.0.1:1"}
	if got, err := s.Claim(t.Context(), e, driver.Fence{}); !errors.Is(err, driver.ErrEra) {
		t.Errorf("Claim: %+v, %v; want driver.ErrEra", got, err)
	}
	e.Token = driver.Fence{Term: 1, Seq: 1}
	if _, err := s.Restore(t.Context(), []driver.Entry{e}); !errors.Is(err, driver.ErrEra) {
		t.Errorf("Restore: %v; want driver.ErrEra", err)
	}
}
