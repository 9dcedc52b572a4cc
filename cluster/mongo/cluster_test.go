package mongo

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/mongo/mongotest"
	"github.com/granary-go/granary/internal/lookuptest"
)

const grains = 40 // the stand-in reads all documents for each claim

func TestClusterComesAndGoes(t *testing.T) {
	t.Parallel()
	f := lookuptest.New(t, New(mongotest.Start(t).Options()))
	a, b, c := f.Member(), f.Member(), f.Member()
	client := f.Client()
	f.AddEach(client, grains)
	f.Whole(grains)
	load := f.Load(grains, a, client)
	load.More(t, 200)
	if err := c.Shutdown(true); err != nil { // leaves
		t.Error(err)
	}
	load.More(t, 200)
	f.Member() // joins
	load.More(t, 200)
	f.Remove(b) // is taken for dead
	load.More(t, 500)
	load.End()
	f.AddEach(client, grains)
	f.Whole(grains)
	if f.Starts() <= grains {
		t.Errorf("%d activations; want more than %d, as members went", f.Starts(), grains)
	}
}

// A server that is emptied or restarts under load doubles no grain and fails no
// call.
func TestStoreLosesItsContentUnderLoad(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	f := lookuptest.New(t, New(server.Options()))
	a, b, c := f.Member(), f.Member(), f.Member()
	f.AddEach(a, grains/2)
	load := f.Load(grains, a, b, c)
	for range 2 {
		server.Empty(t, DefaultDatabase)
		load.More(t, 200)
		server.Restart(t)
		load.More(t, 200)
	}
	server.Empty(t, DefaultDatabase)
	load.End()
	f.AddEach(c, 2*grains) // the new ones find out that it was emptied
	f.Whole(2 * grains)
	if f.Starts() != 2*grains {
		t.Errorf("%d activations; want %d: nobody went", f.Starts(), 2*grains)
	}
}

// While the server is stopped cached calls go on, and cold ones wait within their
// deadlines; afterwards all is well.
func TestStoreIsOutOfReach(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	f := lookuptest.New(t, New(server.Options()))
	a, b := f.Member(), f.Member()
	f.AddEach(a, grains)
	f.AddEach(b, grains)
	load := f.Load(grains, a, b)
	server.Stop()
	load.More(t, 2000)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if _, err := a.CallContext(ctx, "cold", lookuptest.Kind, wrapperspb.Int64(1)); err == nil || !strings.Contains(err.Error(), server.Address) {
		t.Errorf("a cold call: %v; want an error that names %s", err, server.Address)
	}
	server.Restart(t)
	if _, err := lookuptest.Add(t.Context(), a, "cold"); err != nil {
		t.Errorf("a cold call afterwards: %v", err)
	}
	load.End()
	if load.Failed() > 0 {
		t.Errorf("%d of %d cached calls failed", load.Failed(), load.Calls())
	}
}

// Many callers of cold grains, eight of them of the same one at a time, make one
// activation each.
func TestColdRace(t *testing.T) {
	t.Parallel()
	f := lookuptest.New(t, New(mongotest.Start(t).Options()))
	members := []*cluster.Cluster{f.Member(), f.Member(), f.Member()}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range grains {
				if _, err := lookuptest.Add(t.Context(), members[i%3], fmt.Sprint("counter-", (j+i/8*grains/8)%grains)); err != nil {
					t.Errorf("call %d: %v", j, err)
				}
			}
		})
	}
	wg.Wait()
	if f.Starts() != grains {
		t.Errorf("%d activations of %d grains", f.Starts(), grains)
	}
	f.Whole(grains)
}

func TestNonsense(t *testing.T) {
	t.Parallel()
	for want, l := range map[string]*Lookup{
		"there are no addresses":      New(nil),
		"use options.Client()":        New(options.Client()),
		"the client's options":        New(options.Client().ApplyURI("mongo://user:sesame@127.0.0.1:1")),
		"the client is nil":           NewWithClient(nil),
		`"a b" is no name`:            New(options.Client().ApplyURI("mongodb://127.0.0.1:1"), WithDatabase("a b")),
		`"" is no name of a database`: New(options.Client().ApplyURI("mongodb://127.0.0.1:1"), WithDatabase("")),
	} {
		_, err := l.OpenEntries(t.Context(), "shop")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("OpenEntries: %v; want %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "sesame") {
			t.Errorf("%v: it holds the password", err)
		}
	}
	if _, err := New(options.Client().ApplyURI("mongodb://127.0.0.1:1")).OpenEntries(t.Context(), strings.Repeat("é", 100)); err == nil {
		t.Error("a name that is too long was taken")
	}
}

// Errors say where, why and what to do.
func TestErrors(t *testing.T) {
	t.Parallel()
	nobody, err := New(options.Client().ApplyURI("mongodb://user:sesame@127.0.0.1:1")).OpenEntries(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = nobody.Read(ctx, driver.Identity{Kind: lookuptest.Kind, Name: "alice"})
	for _, part := range []string{"127.0.0.1:1", "nothing listens there"} {
		if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%v; want %q, and no password", err, part)
		}
	}
	if err := nobody.Close(); err != nil {
		t.Error(err)
	}
}

// Documents that are none of ours are told with what to do.
func TestMalformed(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	client := server.Client(t)
	s, err := NewWithClient(client).OpenEntries(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, d := range []document{{ID: "Counter/alice/gibberish"}, {ID: "Counter/bob/0000000000000005.0000000000000001", Epoch: "1"}, {ID: recordPrefix + "gibberish"}} {
		if _, err := client.Database(DefaultDatabase).Collection("entries.shop").InsertOne(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	_, alice := s.Read(t.Context(), driver.Identity{Kind: "Counter", Name: "alice"})
	_, bob := s.Read(t.Context(), driver.Identity{Kind: "Counter", Name: "bob"})
	_, era := s.ReadEra(t.Context())
	for want, err := range map[string]error{"gibberish": alice, "no token or no member": bob, "the era record": era} {
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "malformed; delete it") {
			t.Errorf("%v; want %q and what to do", err, want)
		}
	}
}
