package mongo

import (
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/granary-go/granary/cluster/drivertest"
	"github.com/granary-go/granary/cluster/mongo/mongotest"
)

// All that this package builds on: of many that insert one _id, one succeeds.
func TestInsertIsAtomic(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	c := server.Client(t).Database("race").Collection("inserts")
	for round := range 50 {
		var won atomic.Int64
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for i := range 64 {
			wg.Go(func() {
				<-begin
				_, err := c.InsertOne(t.Context(), bson.D{{Key: "_id", Value: fmt.Sprint("raced/", round)}, {Key: "by", Value: i}})
				if err == nil {
					won.Add(1)
				} else if !mongo.IsDuplicateKeyError(err) {
					t.Errorf("round %d: %v; want success, or that the _id is there", round, err)
				}
			})
		}
		close(begin)
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("round %d: %d of 64 inserts succeeded; want 1", round, won.Load())
		}
	}
}

func TestEntryStores(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	drivertest.EntryStores(t, drivertest.EntryService{
		Open: New(server.Options()).OpenEntries,
		Lose: map[string]func(){"emptied": func() { server.Empty(t, DefaultDatabase) }},
	})
}

func TestEntryStoresOfMongoDB(t *testing.T) {
	t.Parallel()
	opts := mongotest.Real(t)
	database := "granary-test-" + rand.Text()[:8]
	l := New(opts, WithDatabase(database))
	drivertest.EntryStores(t, drivertest.EntryService{
		Open: l.OpenEntries,
		Lose: map[string]func(){"emptied": func() { mongotest.Drop(t, opts, database) }},
	})
	mongotest.Drop(t, opts, database)
}
